"""Mixed precision: narrow in between, wide where it counts."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.precision import narrowed, widened

X = np.random.default_rng(0).normal(size=[24, 6, 6, 1]).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 24)


def _model(factory=bc.make_kernel_bias_flipout, dtype=tf.float32):
    convolution = bc.Convolution(1, 4, 3, make_kernel_bias_fn=factory, activation_fn=tf.nn.relu, dtype=dtype)
    return bc.Sequential([convolution, bc.Flatten(), bc.Affine(64, 3, make_kernel_bias_fn=factory, dtype=dtype)])


def test_without_a_block_nothing_is_narrow():
    assert narrowed(tf.float32) == tf.float32
    with bc.compute_dtype("bfloat16"):
        assert narrowed(tf.float32) == tf.bfloat16
        assert narrowed(tf.float64) == tf.float64
        with bc.compute_dtype(None):
            assert narrowed(tf.float32) == tf.float32
        assert narrowed(tf.float32) == tf.bfloat16
    assert narrowed(tf.float32) == tf.float32


@pytest.mark.parametrize("dtype", [tf.float64, "int32"])
def test_a_type_that_is_not_narrow_is_refused(dtype):
    with (
        pytest.raises(
            ValueError, match=r"compute dtype is 'float32', 'bfloat16' or 'float16'\. Received '(float64|int32)'"
        ),
        bc.compute_dtype(dtype),
    ):
        pass


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_outputs_are_narrow_and_near_while_weights_and_penalty_stay_wide(dtype):
    model = _model()
    expected, penalty = model(X, seed=1), model.extra_loss
    with bc.compute_dtype(dtype):
        outputs = model(X, seed=1)
    assert outputs.dtype.name == dtype
    assert model.extra_loss.dtype == tf.float32
    assert all(variable.dtype == tf.float32 for variable in model.variables)
    assert float(model.extra_loss) == float(penalty)  # the penalty is the same to the last bit
    error = np.abs(tf.cast(outputs, tf.float32) - expected).max()
    assert 0 < error < 0.03 * np.abs(expected).max()


def test_gradients_are_wide():
    model = _model()
    with bc.compute_dtype("bfloat16"), tf.GradientTape() as tape:
        terms = bc.elbo(model, X, Y, num_data=24, seed=1)
    assert terms.loss.dtype == tf.float32
    gradients = tape.gradient(terms.loss, model.trainable_variables)
    assert all(gradient.dtype == tf.float32 and np.isfinite(gradient).all() for gradient in gradients)


def test_layers_of_float64_are_not_touched():
    with bc.compute_dtype("bfloat16"):
        assert _model(dtype=tf.float64)(X.astype(np.float64)).dtype == tf.float64


def test_predict_keeps_a_compiled_pass_for_each_type():
    model = _model()
    wide = bc.predict(model, X, num_samples=4)
    with bc.compute_dtype("bfloat16"):
        narrow = bc.predict(model, X, num_samples=4)
    assert narrow.logits.dtype == np.float32
    assert 0 < np.abs(narrow.probs - wide.probs).max() < 0.02
    np.testing.assert_array_equal(bc.predict(model, X, num_samples=4).probs, wide.probs)


def test_fit_trains_in_a_narrow_type_and_resumes_in_no_other(tmp_path):
    with bc.compute_dtype("bfloat16"):
        history = bc.fit(_model(), (X, Y), epochs=2, progress=False, run_dir=tmp_path)
    assert all(np.isfinite(row["loss"]) for row in history.rows)
    with pytest.raises(ValueError, match=r"these were \{'compute_dtype': 'bfloat16'\}"):
        bc.fit(_model(), (X, Y), epochs=2, progress=False, run_dir=tmp_path, resume=True)


def test_only_narrow_tensors_are_widened():
    assert widened(tf.ones([2], tf.bfloat16)).dtype == tf.float32
    assert widened(tf.ones([2], tf.float64)).dtype == tf.float64
    assert widened("text") == "text"

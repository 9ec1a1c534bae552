"""Claims about layers that call others side by side."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import ways

import bayesconv as bc

X = tf.constant(np.random.default_rng(0).normal(size=(3, 5, 5, 2)), tf.float32)
FLIPOUT = bc.make_kernel_bias_flipout


def _convolution(output_size=2, size=3, **options):
    return bc.Convolution(2, output_size, size, **{"padding": "SAME", "make_kernel_bias_fn": FLIPOUT, **options})


# Residual.


def test_a_residual_adds_block_and_shortcut_and_then_activates():
    block, shortcut = (_convolution(4, n, make_kernel_bias_fn=bc.make_kernel_bias) for n in (3, 1))
    layer = bc.Residual(block, shortcut, tf.nn.relu)
    np.testing.assert_allclose(layer(X), np.maximum(block(X) + shortcut(X), 0), atol=1e-6)
    np.testing.assert_allclose(bc.Residual(tf.square)(X), tf.square(X) + X, atol=1e-6)
    np.testing.assert_allclose(bc.Residual(tf.square, tf.sin)(X), tf.square(X) + tf.sin(X), atol=1e-6)


def test_seed_and_mode_reach_the_members():
    layer = bc.Residual(_convolution(), _convolution())
    np.testing.assert_array_equal(layer(X, seed=1), layer(X, seed=1))
    assert np.abs(layer(X, seed=1) - layer(X, seed=2)).max() > 1e-4
    members = bc.Parallel([bc.Lambda(lambda x, is_training: x * float(is_training)), tf.identity], merge="sum")
    np.testing.assert_array_equal(members(X, is_training=False), X)
    np.testing.assert_array_equal(members(X), 2 * X)


def test_the_loss_is_the_sum_of_the_members_each_once():
    first, second = _convolution(), _convolution()
    layer = bc.Residual(bc.Sequential([first, second]), first)
    layer(X, seed=1)
    np.testing.assert_allclose(layer.extra_loss, first.extra_loss + second.extra_loss, rtol=1e-6)
    branches = bc.Parallel([first, first, second, tf.nn.relu])
    branches(X, seed=1)
    np.testing.assert_allclose(branches.extra_loss, first.extra_loss + second.extra_loss, rtol=1e-6)
    branches(X, is_training=False)
    assert branches.extra_loss is None


def test_the_members_variables_are_found_under_their_places():
    layer = bc.Residual(_convolution(make_kernel_bias_fn=bc.make_kernel_bias), bc.Parallel([bc.Affine(2, 2), tf.sin]))
    assert set(layer.named_variables) == {
        "block/kernel",
        "block/bias",
        "shortcut/branches/0/kernel",
        "shortcut/branches/0/bias",
    }
    assert len(bc.Residual(tf.sin, activation_fn=bc.LayerNorm(2)).trainable_variables) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: bc.Residual(_convolution(dtype=dtype, init_kernel_fn=_constant), activation_fn=tf.nn.softplus),
        lambda dtype: bc.Parallel([tf.nn.softplus, tf.sin]),
        lambda dtype: bc.Parallel([tf.nn.softplus, tf.sin], "sum"),
    ],
)
def test_every_way_of_running_them_agrees(make):
    if make(tf.float32).trainable_variables:
        run = lambda layer: lambda x: layer(x, seed=ways.SEED)  # noqa: E731
        layer = make(tf.float32)
        expected = run(layer)(X)
        spec = [tf.TensorSpec([None, 5, 5, 2])]
        np.testing.assert_allclose(tf.function(run(layer), spec)(X), expected, atol=1e-5)
        np.testing.assert_allclose(tf.function(run(layer), jit_compile=True)(X), expected, atol=1e-5)
        assert run(layer)(X[:0]).shape == (0, 5, 5, 2)
        assert run(make(tf.float64))(tf.cast(X, tf.float64)).dtype == tf.float64
        ways.check_gradients(layer, X, run(layer))
    else:
        ways.check_every_way(make, (5, 5, 2))


def _constant(shape, dtype, batch_ndims=0):
    return tf.fill(shape, tf.cast(0.1, dtype))


def test_in_mixed_precision_the_shortcut_is_narrowed():
    for layer in (bc.Residual(_convolution()), bc.Parallel([_convolution(), tf.identity])):
        with bc.compute_dtype("bfloat16"):
            assert layer(X).dtype == tf.bfloat16
        assert layer(X).dtype == tf.float32


def test_it_predicts_and_draws_once():
    model = bc.Sequential([bc.Residual(_convolution()), bc.GlobalAveragePool(), bc.Affine(2, 3)])
    logits = bc.predict(model, X.numpy(), num_samples=4).logits
    assert logits.std(axis=0).min() > 1e-6


@pytest.mark.parametrize(
    "block", [_convolution(4), _convolution(padding="VALID"), _convolution(1), bc.GlobalAveragePool(keepdims=True)]
)
def test_shapes_that_differ_are_refused_and_never_broadcast(block):
    with pytest.raises(
        ValueError, match=r"`residual` adds outputs of one shape\. Received \(3, .* from the shortcut.*1\)"
    ):
        bc.Residual(block)(X)
    compiled = tf.function(bc.Residual(block), input_signature=[tf.TensorSpec([None, 5, 5, 2])])
    with pytest.raises(ValueError, match=r"Received \(None, .*shortcut=bc\.Convolution\(\.\., 1\)"):
        compiled(X)


# Parallel.


def test_branches_are_concatenated_summed_or_merged_by_a_function():
    outputs = [X.numpy(), np.sin(X), np.square(X)]
    branches = [tf.identity, tf.sin, tf.square]
    np.testing.assert_allclose(bc.Parallel(branches)(X), np.concatenate(outputs, -1), atol=1e-6)
    np.testing.assert_allclose(bc.Parallel(branches, "sum")(X), sum(outputs), atol=1e-6)
    np.testing.assert_allclose(bc.Parallel(branches, lambda parts: parts[2] - parts[0])(X), outputs[2] - X, atol=1e-6)
    assert bc.Parallel(branches).branches == tuple(branches)


def test_a_merge_may_be_a_layer():
    layer = bc.Parallel([tf.sin, tf.identity], bc.Lambda(lambda parts, is_training: parts[int(is_training)]))
    np.testing.assert_array_equal(layer(X), X)
    np.testing.assert_array_equal(layer(X, is_training=False), tf.sin(X))


def test_outputs_that_do_not_fit_together_are_refused():
    branches = [_convolution(4), _convolution(2, padding="VALID")]
    with pytest.raises(
        ValueError, match=r"differ in their channels only\. Received \(3, 5, 5, 4\), \(3, 3, 3, 2\).*'SAME'"
    ):
        bc.Parallel(branches)(X)
    with pytest.raises(ValueError, match=r"merges outputs of one shape\. Received \(3, 5, 5, 4\), \(3, 5, 5, 2\)"):
        bc.Parallel([_convolution(4), tf.identity], "sum")(X)


# Members.


@pytest.mark.parametrize(
    "make",
    [
        bc.Residual,
        lambda member: bc.Residual(tf.sin, member),
        lambda member: bc.Residual(tf.sin, activation_fn=member),
        lambda member: bc.Parallel([tf.sin, member]),
    ],
)
def test_members_that_would_never_be_trained_are_refused(make):
    dense = keras.layers.Dense(2)
    dense.build([None, 2])
    with pytest.raises(TypeError, match="Dense owns variables but is no tf"):
        make(dense)
    with pytest.raises(TypeError, match="must be callable"):
        make(3)


def test_members_that_make_variables_late_are_refused_when_they_do():
    class Late:
        variables = ()

        def __call__(self, x):
            self.variables = (tf.Variable(1.0),)
            return x

    for layer in (bc.Residual(Late()), bc.Parallel([Late()])):
        with pytest.raises(TypeError, match="Late owns variables"):
            layer(X)


def test_branches_and_a_known_merge_are_needed():
    with pytest.raises(ValueError, match=r"A Parallel needs at least one branch\. Received none"):
        bc.Parallel([])
    with pytest.raises(ValueError, match=r"Unknown value of `merge` 'concta'.*Did you mean 'concat'\?"):
        bc.Parallel([tf.sin], "concta")

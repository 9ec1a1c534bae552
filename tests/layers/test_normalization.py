"""Claims about the normalizations of single examples: their formulas, Keras' numbers, and who influences whom."""

from __future__ import annotations

import functools
import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
import ways

import bayesconv as bc

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, size=(3, 4, 5, 6))
MAKERS = {
    "layer": functools.partial(bc.LayerNorm, 6),
    "group": functools.partial(bc.GroupNorm, 2, 6),
    "instance": functools.partial(bc.InstanceNorm, 6),
    "response": functools.partial(bc.FilterResponseNorm, 6),
}


def _make(name, **options):
    """A layer in float64 whose variables have values of their own."""
    layer = MAKERS[name](**{"dtype": tf.float64, **options})
    for i, variable in enumerate(layer.trainable_variables):
        variable.assign(np.random.default_rng(i).normal(1.0, 0.5, size=6))
    return layer


def _affine(layer, normalized):
    return normalized * layer.scale.numpy() + layer.offset.numpy()


def _standardized(x, axes, epsilon=1e-3):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def test_layer_norm_is_its_formula():
    layer = _make("layer")
    np.testing.assert_allclose(layer(X), _affine(layer, _standardized(X, -1)), rtol=1e-12)


def test_group_norm_is_its_formula():
    layer = _make("group", epsilon=0.1)
    grouped = _standardized(X.reshape(3, 4, 5, 2, 3), (1, 2, 4), 0.1).reshape(X.shape)
    np.testing.assert_allclose(layer(X), _affine(layer, grouped), rtol=1e-12)


def test_instance_norm_is_its_formula():
    layer = _make("instance")
    np.testing.assert_allclose(layer(X), _affine(layer, _standardized(X, (1, 2))), rtol=1e-12)


def test_filter_response_norm_is_its_formula():
    layer = _make("response", epsilon=0.3)
    assert layer.threshold is not None
    y = _affine(layer, X / np.sqrt(np.square(X).mean((1, 2), keepdims=True) + 0.3))
    np.testing.assert_allclose(layer(X), np.maximum(y, layer.threshold.numpy()), rtol=1e-12)
    assert (y < layer.threshold.numpy()).any()
    plain = bc.FilterResponseNorm(6, use_threshold=False, dtype=tf.float64)
    assert (plain(X).numpy() < 0).any()
    assert plain.threshold is None


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("layer", lambda: keras.layers.LayerNormalization(dtype="float64")),
        ("group", lambda: keras.layers.GroupNormalization(2, dtype="float64")),
        ("instance", lambda: keras.layers.GroupNormalization(-1, dtype="float64")),
    ],
)
def test_they_agree_with_keras_and_its_defaults(name, reference):
    layer, other = _make(name), reference()
    other.build(X.shape)
    other.set_weights([layer.scale.numpy(), layer.offset.numpy()])
    np.testing.assert_allclose(layer(X), other(X), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", MAKERS)
def test_at_first_they_only_normalize_and_options_leave_variables_out(name):
    first, bare = MAKERS[name](), MAKERS[name](use_scale=False, use_offset=False)
    np.testing.assert_array_equal(first(X), bare(X))
    assert set(first.named_variables) - {"threshold"} == {"scale", "offset"}
    assert set(bare.named_variables) - {"threshold"} == set()
    assert bare.scale is bare.offset is None
    assert all(v.trainable and v.shape == (6,) for v in first.variables)
    assert first(X).dtype == tf.float32
    assert float(first.extra_loss) == 0.0


@pytest.mark.parametrize("name", MAKERS)
def test_examples_do_not_influence_one_another_and_training_changes_nothing(name):
    layer = _make(name)
    together = layer(X).numpy()
    np.testing.assert_allclose(layer(X[1:2]), together[1:2], rtol=1e-12)
    np.testing.assert_array_equal(layer(X, is_training=False), together)


@pytest.mark.parametrize("name", ["group", "instance", "response"])
def test_leading_axes_are_batch_axes(name):
    layer, x = _make(name), RNG.normal(size=(2, 3, 4, 5, 6))
    np.testing.assert_allclose(layer(x), np.stack([layer(part) for part in x]), rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 3])
def test_they_have_a_rank(rank):
    x = RNG.normal(size=(2, *(3, 4, 5)[:rank], 6))
    axes = tuple(range(1, rank + 1))
    np.testing.assert_allclose(bc.InstanceNorm(6, rank, dtype=tf.float64)(x), _standardized(x, axes), rtol=1e-12)
    whole = bc.GroupNorm(1, 6, rank, dtype=tf.float64)(x)
    np.testing.assert_allclose(whole, _standardized(x, (*axes, rank + 1)), rtol=1e-12)
    plain = bc.FilterResponseNorm(6, rank, dtype=tf.float64, use_threshold=False)(x)
    np.testing.assert_allclose(np.square(plain).mean(axes), 1.0, rtol=1e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_every_way_of_running_them_agrees(name):
    def make(dtype):
        layer = MAKERS[name](dtype=dtype)
        for i, variable in enumerate(layer.trainable_variables):
            variable.assign(tf.cast(np.random.default_rng(i).normal(1.0, 0.5, size=6), dtype))
        return layer

    ways.check_every_way(make, (4, 5, 6), half_precision=5e-2)


@pytest.mark.parametrize("name", MAKERS)
def test_half_precision_is_normalized_in_float32(name):
    # The squares of numbers near 300 have a spread that bfloat16, let alone float16, cannot hold.
    layer = MAKERS[name]()
    x = tf.cast(300.0 + 4.0 * X, tf.float16)
    expected = tf.cast(layer(tf.cast(x, tf.float32)), tf.float16)
    np.testing.assert_array_equal(layer(x), expected)
    assert all(variable.dtype == tf.float32 for variable in layer.variables)


def test_in_mixed_precision_the_moments_stay_in_float32():
    model = bc.Sequential([bc.Affine(6, 6), bc.LayerNorm(6), bc.Affine(6, 2)])
    with bc.compute_dtype("bfloat16"):
        outputs = model(tf.constant(X[:, 0, 0], tf.float32))
    assert outputs.dtype == tf.bfloat16
    exact = model(tf.constant(X[:, 0, 0], tf.float32))
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), exact, atol=0.05)


def test_they_survive_saving(tmp_path):
    layer, other = _make("response"), MAKERS["response"](dtype=tf.float64)
    other.load(layer.save(tmp_path / "weights.npz"))
    np.testing.assert_array_equal(other(X), layer(X))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bc.LayerNorm(0), ValueError, r"`size` must be positive ints\. Received size=0"),
        (lambda: bc.LayerNorm(6, epsilon=0.0), ValueError, r"`epsilon` keeps variances .*Received 0\.0"),
        (lambda: bc.LayerNorm(6, dtype=tf.bfloat16), ValueError, r"`dtype` is float32 or float64\. Received bfloat16"),
        (lambda: bc.GroupNorm(4, 6), ValueError, r"`groups` must divide `size`\. Received groups=4, size=6"),
        (lambda: bc.GroupNorm(0, 6), ValueError, r"`groups`, `size` must be positive ints"),
        (lambda: bc.InstanceNorm(6, rank=4), ValueError, r"`rank`, the number of spatial axes, is 1, 2 or 3"),
        (lambda: bc.LayerNorm(5)(X), ValueError, r"`layer_norm` takes inputs of shape \[N, \.\., 5\].*\(3, 4, 5, 6\)"),
        (lambda: bc.GroupNorm(2, 6)(X[0]), ValueError, r"`group_norm` takes inputs of shape \[N\.\., H, W, C\]"),
        (lambda: bc.FilterResponseNorm(6)(X[0]), ValueError, r"`filter_response_norm` takes inputs"),
        (
            lambda: bc.LayerNorm(6)(tf.constant(X)),
            TypeError,
            "computes in float32. Received inputs of float64.*dtype=tf",
        ),
        (lambda: bc.LayerNorm(6, dtype=tf.float64)(tf.ones([2, 6])), TypeError, "computes in float64. Received"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", MAKERS)
def test_no_graph_outlives_its_function_and_its_layer(name):
    layers = [MAKERS[name]()]
    function = tf.function(lambda x: tf.reduce_sum(layers[0](x)), autograph=False)
    graph = weakref.ref(function.get_concrete_function(tf.TensorSpec([2, 4, 5, 6])).graph)
    assert graph() is not None
    layers.clear()
    del function
    gc.collect()
    assert graph() is None

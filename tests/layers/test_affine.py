"""Claims about the dense layer: it is a matrix product over the last axis."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import reference
import tensorflow as tf

import bayesconv as bc

RNG = np.random.default_rng(0)


def _layer(factory=bc.make_kernel_bias, **options):
    return bc.Affine(3, 4, make_kernel_bias_fn=factory, dtype=tf.float64, **options)


def test_its_arguments_are_convolutions_without_the_spatial_ones():
    spatial = {"filter_shape", "rank", "strides", "padding", "dilations", "groups"}
    convolution = inspect.signature(bc.Convolution.__init__).parameters
    affine = inspect.signature(bc.Affine.__init__).parameters
    assert list(affine) == [name for name in convolution if name not in spatial]
    assert all(affine[name].default == convolution[name].default for name in affine)


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 3), (5, 2, 1, 3)])
def test_values_over_any_number_of_axes(shape):
    layer = _layer(init_bias_fn=lambda shape, dtype: tf.range(4, dtype=dtype))
    x = RNG.normal(size=shape)
    np.testing.assert_allclose(layer(x), x @ layer.kernel.numpy() + np.arange(4.0), rtol=1e-12)


def test_a_reparameterized_output_is_the_product_with_the_draw():
    layer = _layer(bc.make_kernel_bias_reparameterization, activation_fn=tf.nn.relu)
    x = RNG.normal(size=(5, 3))
    y = layer(x, seed=1)
    np.testing.assert_allclose(y, np.maximum(x @ layer.extra_result.kernel + layer.extra_result.bias, 0), rtol=1e-12)


def test_a_flipout_example_flips_the_signs_of_one_deviation():
    layer = _layer(bc.make_kernel_bias_flipout, use_bias=False)
    x = np.ones([32, 3])
    deviation = layer(x, seed=1).numpy() - layer(x, weights="mean", seed=1).numpy()
    layer(x, seed=1)
    delta = np.abs(layer.extra_result.kernel - layer.kernel.mean())
    possible = {(a, b): np.abs(delta[0] + a * delta[1] + b * delta[2]) for a in (-1, 1) for b in (-1, 1)}
    for c in range(4):
        candidates = np.array([value[c] for value in possible.values()])
        gaps = np.abs(np.abs(deviation[:, c])[:, None] - candidates).min(axis=1)
        np.testing.assert_allclose(gaps, 0, atol=1e-12)


@pytest.mark.parametrize("batch_shape", [(3,), (2, 2)])
@pytest.mark.parametrize("factory", [bc.make_kernel_bias, bc.make_kernel_bias_reparameterization])
def test_a_batch_of_kernels_is_a_loop_over_them(factory, batch_shape):
    layer = _layer(factory, batch_shape=batch_shape)
    x = RNG.normal(size=(5, *batch_shape, 3))
    y = layer(x, seed=2).numpy()
    kernel, bias = layer.extra_result or (layer.kernel, layer.bias)
    for at in np.ndindex(*batch_shape):
        expected = x[(slice(None), *at)] @ kernel[at].numpy() + bias[at].numpy()
        np.testing.assert_allclose(y[(slice(None), *at)], expected, rtol=1e-12)
    shared = layer(np.ones([5, *[1] * len(batch_shape), 3]), seed=2)
    np.testing.assert_allclose(shared, layer(np.ones([5, *batch_shape, 3]), seed=2), rtol=1e-12)


@pytest.mark.parametrize("inner", [(2, 3), (1, 3), (2, 1), (1, 1)])
@pytest.mark.parametrize("leading", [(4,), (2, 3), (1, 2, 2), ()])
def test_values_and_slopes_of_a_batch_equal_the_loops_for_every_way_to_write_its_inputs(leading, inner):
    layer = _layer(batch_shape=(2, 3), init_bias_fn=lambda shape, dtype: tf.ones(shape, dtype))
    x = RNG.normal(size=(*leading, *inner, 3))
    kernel = layer.kernel.numpy()
    expected = reference.each_kernel(np.matmul, x, kernel, 2) + 1.0
    weights, along_x, along_kernel = (RNG.normal(size=shape) for shape in (expected.shape, x.shape, kernel.shape))
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs * weights)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12)
    slope_x, slope_kernel, slope_bias = tape.gradient(loss, [inputs, layer.kernel, layer.bias])
    change = reference.each_kernel(np.matmul, along_x, kernel, 2)
    np.testing.assert_allclose(np.sum(slope_x * along_x), np.sum(weights * change), rtol=1e-10)
    change = reference.each_kernel(np.matmul, x, along_kernel, 2)
    np.testing.assert_allclose(np.sum(slope_kernel * along_kernel), np.sum(weights * change), rtol=1e-10)
    np.testing.assert_allclose(slope_bias, weights.reshape(-1, 2, 3, 4).sum(axis=0), rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("batch_shape", [(), (2,), (2, 3)])
def test_unknown_sizes_give_the_same_values_even_without_examples(batch_shape):
    layer = _layer(batch_shape=batch_shape)
    for num_leading in (1, 2):
        spec = tf.TensorSpec([*[None] * num_leading, *batch_shape, 3], tf.float64)
        compiled = tf.function(layer, input_signature=[spec])
        for num in (2, 0):
            x = RNG.normal(size=(*[num] * num_leading, *batch_shape, 3))
            found = compiled(x)
            assert found.shape == (*[num] * num_leading, *batch_shape, 4)
            np.testing.assert_allclose(found, layer(x), rtol=1e-12)


def test_a_batch_in_another_order_is_found():
    layer = _layer(batch_shape=(2, 3))
    x = RNG.normal(size=(4, 2, 3, 3))
    swapped = layer.kernel.numpy().reshape(3, 2, 3, 4).swapaxes(0, 1)
    assert np.abs(layer(x) - reference.each_kernel(np.matmul, x, swapped, 2)).max() > 0.1


@pytest.mark.parametrize("sizes", [(0, 4), (3, -1), (3.0, 4), ("3", 4)])
def test_sizes_that_are_none_are_refused(sizes):
    with pytest.raises(ValueError, match=r"must be positive ints. Received input_size="):
        bc.Affine(*sizes)


@pytest.mark.parametrize("shape", [(5, 4), (), (5, 3, 1)])
def test_inputs_of_another_shape_say_the_axes_and_point_to_flatten(shape):
    with pytest.raises(ValueError, match=r"`head` takes inputs of shape \[N, 3\]\. Received shape .*Flatten"):
        _layer(name="head")(np.ones(shape))


@pytest.mark.parametrize("shape", [(8, 1, 12, 4), (3, 1, 1, 4), (2, 5, 4), (0, 3, 4)])
def test_positions_are_multiplied_one_by_one(shape):
    # A product of [8, 1, 12, 4] and [4, 4] by tf.matmul writes out of bounds (TensorFlow 2.21 on a CPU).
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    layer = bc.Affine(4, 4)
    expected = np.einsum("...i,io->...o", x, layer.kernel.numpy()) + layer.bias.numpy()
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)

"""Claims about depthwise and separable convolution: Keras' values, independent channels, and what they refuse."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import bayesconv as bc

RNG = np.random.default_rng(0)


def _settings(data, rank):
    strides = data.draw(st.integers(1, 3))
    dilations = 1 if strides > 1 else data.draw(st.integers(1, 2))
    filters = tuple(data.draw(st.integers(1, 3)) for _ in range(rank))
    padding = data.draw(st.sampled_from(["valid", "same"]))
    return filters, {"strides": strides, "padding": padding}, dilations


@settings(deadline=None, derandomize=True, max_examples=25, database=None)
@given(data=st.data())
def test_values_equal_keras(data):
    rank, multiplier, channels = (
        data.draw(st.integers(1, 2)),
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(2, 3)),
    )
    filters, options, dilations = _settings(data, rank)
    kind = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)[rank - 1]
    other = kind(filters, depth_multiplier=multiplier, dilation_rate=dilations, **options)
    x = RNG.normal(size=(2, *[8] * rank, channels)).astype(np.float32)
    expected = other(x)
    layer = bc.DepthwiseConvolution(channels, filters, multiplier, rank, dilations=dilations, **options)
    layer.kernel.assign(other.kernel)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


@settings(deadline=None, derandomize=True, max_examples=25, database=None)
@given(data=st.data())
def test_separable_values_equal_keras(data):
    rank, multiplier = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 3))
    filters, options, dilations = _settings(data, rank)
    kind = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)[rank - 1]
    other = kind(4, filters, depth_multiplier=multiplier, dilation_rate=dilations, **options)
    x = RNG.normal(size=(2, *[8] * rank, 2)).astype(np.float32)
    expected = other(x)
    layer = bc.SeparableConvolution(2, 4, filters, multiplier, rank, dilations=dilations, **options)
    layer.depthwise.kernel.assign(other.depthwise_kernel)
    layer.pointwise.kernel.assign(other.pointwise_kernel)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_every_channel_has_filters_of_its_own_whose_outputs_stand_together():
    layer = bc.DepthwiseConvolution(3, 2, 2, dtype=tf.float64, use_bias=False)
    x = RNG.normal(size=(1, 4, 4, 3))
    y = layer(x).numpy()
    for c in range(3):
        changed = x.copy()
        changed[..., c] += RNG.normal(size=(1, 4, 4))
        touched = np.flatnonzero(np.abs(layer(changed).numpy() - y).max(axis=(0, 1, 2)) > 1e-9)
        assert touched.tolist() == [2 * c, 2 * c + 1]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_flipout_example_has_filters_whose_deviations_are_flipped_as_a_whole(rank):
    layer = bc.DepthwiseConvolution(2, 2, 2, rank, make_kernel_bias_fn=bc.make_kernel_bias_flipout, dtype=tf.float64)
    x = RNG.normal(size=(6, *[4] * rank, 2))
    y, mean = layer(x, seed=1).numpy(), layer(x, seed=1, weights="mean").numpy()
    shared = layer(x, seed=1, weights="coherent").numpy()
    layer(x, seed=1)
    for_bias = layer.extra_result.bias.numpy() - layer.bias.mean().numpy()
    deviation = shared - mean - for_bias
    signs = np.zeros([2, 6, 4])
    for n, c in np.ndindex(6, 4):
        # y - mean = r (s (k - mean_k) * x + b - mean_b)
        fits = [
            (r, s)
            for r in (1, -1)
            for s in (1, -1)
            if np.allclose(y[n, ..., c] - mean[n, ..., c], r * (s * deviation[n, ..., c] + for_bias[c]))
        ]
        assert len(fits) == 1
        signs[:, n, c] = fits[0]
    np.testing.assert_array_equal(signs[1, :, ::2], signs[1, :, 1::2])  # the filters of a channel meet the same input
    assert {*signs[0].ravel()} == {*signs[1].ravel()} == {1.0, -1.0}


def test_separable_is_the_one_after_the_other():
    factory = bc.make_kernel_bias_reparameterization
    layer = bc.SeparableConvolution(
        2, 3, 3, 2, strides=2, padding="SAME", make_kernel_bias_fn=factory, dtype=tf.float64
    )
    x = RNG.normal(size=(4, 5, 5, 2))
    y = layer(x, seed=4)
    assert layer.extra_loss == layer.depthwise.extra_loss + layer.pointwise.extra_loss
    depthwise, pointwise = layer.depthwise.extra_result, layer.pointwise.extra_result
    between = tf.nn.depthwise_conv2d(tf.constant(x), depthwise.kernel, [1, 2, 2, 1], "SAME")
    np.testing.assert_allclose(y, between @ pointwise.kernel[0, 0] + pointwise.bias, rtol=1e-10)
    assert depthwise.bias is None
    assert layer.depthwise.kernel_shape == (3, 3, 2, 2)
    assert layer.pointwise.kernel_shape == (1, 1, 4, 3)


def test_the_activation_and_the_bias_belong_to_the_pointwise_part():
    layer = bc.SeparableConvolution(2, 3, 3, activation_fn=tf.nn.relu, init_bias_fn=lambda s, dtype: tf.ones(s, dtype))
    assert layer.depthwise.activation_fn is None
    assert layer.pointwise.activation_fn is tf.nn.relu
    np.testing.assert_array_equal(layer.pointwise.bias, np.ones(3))
    assert bc.SeparableConvolution(2, 3, 3, use_bias=False).pointwise.bias is None
    assert len({path for path in layer.named_variables}) == 3


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_batch_of_separable_kernels_is_a_loop_over_them(rank):
    layer = bc.SeparableConvolution(2, 3, 2, 2, rank, batch_shape=(2, 3), dtype=tf.float64)
    x = RNG.normal(size=(2, *[4] * rank, 2, 3, 2))
    y = layer(x).numpy()
    one = bc.SeparableConvolution(2, 3, 2, 2, rank, dtype=tf.float64)
    for at in np.ndindex(2, 3):
        one.depthwise.kernel.assign(layer.depthwise.kernel[at])
        one.pointwise.kernel.assign(layer.pointwise.kernel[at])
        one.pointwise.bias.assign(layer.pointwise.bias[at])
        index = (..., *at, slice(None))
        np.testing.assert_allclose(y[index], one(x[index]), rtol=1e-10, atol=1e-12)


def test_arguments_are_those_of_a_convolution():
    convolution = list(inspect.signature(bc.Convolution.__init__).parameters)
    for layer_type in (bc.DepthwiseConvolution, bc.SeparableConvolution):
        own = [name for name in inspect.signature(layer_type.__init__).parameters if name != "depth_multiplier"]
        assert own == [n for n in convolution if n != "groups" and (n in own or n != "output_size")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: bc.DepthwiseConvolution(0, 3),
            r"`input_size`, `depth_multiplier` must be positive ints\. Received inp",
        ),
        (
            lambda: bc.DepthwiseConvolution(2, 3, 0),
            r"must be positive ints\. Received input_size=2, depth_multiplier=0",
        ),
        (lambda: bc.DepthwiseConvolution(2, 3, 1.5), r"must be positive ints\. Received .*depth_multiplier=1\.5"),
        (lambda: bc.DepthwiseConvolution(2, 3, rank=4), r"`rank`.* Received 4"),
        (lambda: bc.SeparableConvolution(2, 0, 3), r"must be positive ints\. Received .*output_size=0"),
        (lambda: bc.SeparableConvolution(2, 2, 3, padding="NONE"), r"`padding` is one of .*Received 'NONE'"),
    ],
)
def test_arguments_out_of_range_say_the_rule_and_what_was_received(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_inputs_of_another_shape_say_the_axes():
    with pytest.raises(
        ValueError, match=r"`dw` takes inputs of shape \[N, H, W, 3\], channels last\. Received shape \(2, "
    ):
        bc.DepthwiseConvolution(3, 2, name="dw")(tf.zeros([2, 5, 5, 1]))
    with pytest.raises(ValueError, match=r"takes inputs of shape \[N, H, W, B, 3\].* Received shape"):
        bc.DepthwiseConvolution(3, 2, batch_shape=2)(tf.zeros([5, 2, 1]))

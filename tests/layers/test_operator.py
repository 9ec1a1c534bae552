"""Claims about every operator over spatial axes: the values and the slopes of its definition, in every setting."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from geometries import geometries, searched
from hypothesis import Phase, given

import bayesconv as bc
from bayesconv.layers import depthwise, native, padding

KINDS = ("Convolution", "ConvolutionTranspose", "DepthwiseConvolution")
TOLERANCE = {tf.float32: 1e-5, tf.float64: 1e-10}


def _assert_close(found, expected, dtype):
    scale = max(np.abs(expected).max(initial=0.0), 1.0)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


def _weights(layer):
    """Kernel and bias in float64, a bias of zero for none."""
    bias = 0.0 if layer.bias is None else layer.bias.numpy().astype(np.float64)
    return layer.kernel.numpy().astype(np.float64), bias


def _check_values_and_slopes(geometry, dtype):
    layer, x = geometry.make(dtype), geometry.inputs()
    inputs = tf.constant(x, dtype)
    kernel, bias = _weights(layer)
    expected = geometry.expected(x, kernel, bias)
    rng = np.random.default_rng(2)
    weights = rng.normal(size=expected.shape)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs * tf.constant(weights, dtype))
    assert outputs.dtype == dtype
    assert outputs.shape == expected.shape
    _assert_close(outputs, expected, dtype)
    slope_x, slope_kernel, *slope_bias = tape.gradient(loss, [inputs, *_in_order(layer)])
    # The operator is linear in each: the slope along a direction is its value there.
    along_x, along_kernel = rng.normal(size=x.shape), rng.normal(size=kernel.shape)
    for slope, direction, change in (
        (slope_x, along_x, geometry.expected(along_x, kernel)),
        (slope_kernel, along_kernel, geometry.expected(x, along_kernel)),
    ):
        _assert_close(np.sum(slope.numpy() * direction), np.sum(weights * change), dtype)
    for slope in slope_bias:
        axes = tuple(range(weights.ndim - slope.shape.rank))
        _assert_close(slope, weights.sum(axis=axes), dtype)


def _in_order(layer):
    return [layer.kernel] if layer.bias is None else [layer.kernel, layer.bias]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "num"), [(tf.float64, 60), (tf.float32, 15), pytest.param(tf.float32, 60, marks=pytest.mark.full)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_slopes_equal_the_loops(kind, dtype, num):
    @searched(num)
    @given(geometries(kind))
    def check(geometry):
        _check_values_and_slopes(geometry, dtype)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("num_examples", [4, pytest.param(8, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", KINDS)
def test_unknown_sizes_give_the_same_values_and_slopes(kind, num_examples):
    @searched(num_examples)
    @given(geometries(kind))
    def check(geometry):
        if len(geometry.input_shape) == geometry.make().linear_op.event_ndims:
            return  # one example, whose first axis is not the batch's
        layer, batch_ndims = geometry.make(), len(geometry.options["batch_shape"])
        known = geometry.input_shape[len(geometry.input_shape) - 1 - batch_ndims :]
        spec = tf.TensorSpec([*[None] * (len(geometry.input_shape) - len(known)), *known], tf.float64)

        @tf.function(input_signature=[spec], autograph=False)
        def run(inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs)
                loss = tf.reduce_sum(outputs**2)
            return outputs, tape.gradient(loss, [inputs, *layer.trainable_variables])

        for num in (3, 1, 0):
            x = geometry.inputs(num)
            outputs, slopes = run(x)
            expected = geometry.expected(x, *_weights(layer))
            assert outputs.shape == expected.shape
            _assert_close(outputs, expected, tf.float64)
            assert all(slope is not None and np.isfinite(slope).all() for slope in slopes)

    check()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jit_compile", "num"),
    [(False, 5), (True, 3), *(pytest.param(*way, marks=pytest.mark.full) for way in ((False, 15), (True, 4)))],
)
@pytest.mark.parametrize("kind", KINDS)
def test_known_sizes_in_a_graph_give_the_same_numbers(kind, jit_compile, num):
    @searched(num)
    @given(geometries(kind))
    def check(geometry):
        layer, x = geometry.make(tf.float32), tf.constant(geometry.inputs(), tf.float32)

        def run(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = layer(x)
                loss = tf.reduce_sum(outputs**2)
            return outputs, *tape.gradient(loss, [x, layer.kernel])

        expected = run(x)
        compiled = tf.function(run, jit_compile=jit_compile, autograph=False).get_concrete_function(x)
        assert compiled.structured_outputs[0].shape == expected[0].shape
        for found, wanted in zip(compiled(x), expected, strict=True):
            _assert_close(found, wanted.numpy(), tf.float32)

    check()


@pytest.mark.parametrize("batch_shape", [(), (2,)])
@pytest.mark.parametrize("kind", KINDS)
def test_unknown_channels_are_those_of_the_layer(kind, batch_shape):
    sizes = (2, 3) if kind == "DepthwiseConvolution" else (2, 4, 3)
    layer = getattr(bc, kind)(*sizes, batch_shape=batch_shape, dtype=tf.float64)
    x = np.random.default_rng(0).normal(size=(2, 5, 4, *batch_shape, 2))
    for known in (batch_shape, (None,) * len(batch_shape)):
        spec = tf.TensorSpec([None, None, None, *known, None], tf.float64)
        np.testing.assert_allclose(tf.function(layer, input_signature=[spec])(x), layer(x), rtol=1e-12)


# Leading axes: every way to write a batch.


@pytest.mark.parametrize("kind", KINDS)
def test_leading_axes_are_a_batch_in_another_shape(kind):
    layer_type = getattr(bc, kind)
    sizes = (2, 3) if kind == "DepthwiseConvolution" else (2, 4, 3)
    for batch_shape in ((), (2,)):
        layer = layer_type(*sizes, batch_shape=batch_shape, padding="SAME", strides=2, dtype=tf.float64)
        x = np.random.default_rng(0).normal(size=(6, 5, 4, *batch_shape, 2))
        y = layer(x).numpy()
        for leading in ((2, 3), (1, 2, 3), (6, 1)):
            np.testing.assert_array_equal(layer(x.reshape(*leading, *x.shape[1:])), y.reshape(*leading, *y.shape[1:]))
        np.testing.assert_allclose(layer(x[0]), y[0], rtol=1e-12)
        empty = layer(np.zeros((2, 0, 3, *x.shape[1:])))
        assert empty.shape == (2, 0, 3, *y.shape[1:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_empty_batch_has_the_shape_and_slopes_of_zero(kind, rank):
    sizes = (2, 3) if kind == "DepthwiseConvolution" else (2, 4, 3)
    layer = getattr(bc, kind)(*sizes, rank=rank, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    x = tf.zeros([0, *[6] * rank, 2])
    with tf.GradientTape() as tape:
        outputs = layer(x)
        loss = tf.reduce_sum(outputs)
    assert outputs.shape == (0, *layer(tf.zeros([1, *x.shape[1:]])).shape[1:])
    for slope in tape.gradient(loss, layer.trainable_variables):
        np.testing.assert_array_equal(slope, np.zeros(slope.shape))


# Fan-in: how many inputs meet in an output, on average over the outputs.


@pytest.mark.parametrize(
    ("layer_type", "sizes", "options", "fan_in"),
    [
        (bc.Convolution, (8, 4, (3, 2)), {}, 48),
        (bc.Convolution, (8, 4, (3, 2)), {"groups": 4, "strides": 2, "dilations": 3}, 12),
        (bc.Convolution, (8, 4, 3), {"rank": 3, "groups": 2, "batch_shape": 5}, 108),
        (bc.ConvolutionTranspose, (8, 4, 4), {}, 128),
        (bc.ConvolutionTranspose, (8, 4, 4), {"strides": 2}, 32),
        (bc.ConvolutionTranspose, (8, 4, 4), {"strides": (2, 1), "groups": 2}, 32),
        (bc.ConvolutionTranspose, (1, 4, 2), {"strides": 3}, 1),  # never below one
        (bc.DepthwiseConvolution, (8, (3, 2), 3), {}, 6),
        (bc.DepthwiseConvolution, (8, 3, 2), {"rank": 3, "batch_shape": (2, 2)}, 27),
        (bc.Affine, (8, 4), {"batch_shape": (2, 2)}, 8),
    ],
)
def test_priors_and_initial_scales_follow_the_fan_in(layer_type, sizes, options, fan_in):
    layer = layer_type(*sizes, **options, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    for member in ("kernel", "bias"):
        np.testing.assert_allclose(getattr(layer.prior, member).distribution.scale, np.sqrt(2 / fan_in), rtol=1e-6)
        np.testing.assert_allclose(getattr(layer.posterior, member).stddev(), 0.25 * np.sqrt(2 / fan_in), rtol=1e-5)


def test_the_parts_of_a_separable_convolution_have_fan_ins_of_their_own():
    layer = bc.SeparableConvolution(4, 5, (3, 2), 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    np.testing.assert_allclose(layer.depthwise.prior.kernel.distribution.scale, np.sqrt(2 / 6), rtol=1e-6)
    np.testing.assert_allclose(layer.pointwise.prior.kernel.distribution.scale, np.sqrt(2 / 8), rtol=1e-6)


def test_point_weights_of_a_variance_of_two_over_the_fan_in_keep_the_mean_square_under_relu():
    # E y^2 = fan_in E x^2 2 / fan_in, x = relu of a normal: 1 within the sampling error of one draw of many weights.
    for layer_type, sizes, options in (
        (bc.Convolution, (64, 64, 3), {"groups": 2}),
        (bc.ConvolutionTranspose, (64, 64, 4), {"strides": 2}),
        (bc.DepthwiseConvolution, (512, 3, 2), {}),
    ):
        bc.set_seed(0)
        factory = bc.make_kernel_bias_reparameterization
        layer = layer_type(*sizes, **options, make_kernel_bias_fn=factory, use_bias=False)
        x = np.maximum(np.random.default_rng(0).normal(size=(8, 12, 12, sizes[0])), 0)
        y = layer(x, seed=0).numpy()
        inside = y[:, 4:-4, 4:-4]  # every tap meets an input
        assert np.mean(np.square(inside)) == pytest.approx(1.0, rel=0.15)


# Mutants: each is one line away from correct code, and must be found.


def _found(geometry_kind, dtype=tf.float64, num=25):
    """Whether the grid of values finds a defect."""

    @searched(num, phases=(Phase.generate,))  # a defect need not be made small
    @given(geometries(geometry_kind))
    def check(geometry):
        _check_values_and_slopes(geometry, dtype)

    try:
        check()
    except Exception:  # an ExceptionGroup, if it fails in several ways
        return True
    return False


def _crop_off_by_one(self, *args):
    before, after = _CROP(self, *args)
    return (before - 1, after + 1) if before else (before, after)


def _swapped_groups(kernel, groups):
    *taps, inputs, outputs = kernel.shape
    split = tf.reshape(kernel, [*taps, inputs, outputs // groups, groups])
    rank = len(taps)
    return tf.reshape(
        tf.transpose(split, [*range(rank), rank + 1, rank + 2, rank]), [*taps, outputs // groups, groups * inputs]
    )


def _odd_zero_before(self, size, reach, stride):
    before, after = _AMOUNT(self, size, reach, stride)
    return after, before


def _filters_by_multiplier(self, kernel):
    joined = tf.einsum("...cm->...mc", kernel)
    return tf.expand_dims(tf.reshape(joined, [*kernel.shape[:-2], -1]), axis=-2)


def _blocks_in_another_order(kernel, groups):
    *taps, inputs, outputs = kernel.shape
    split = tf.reshape(kernel, [*taps, 1, inputs, groups, outputs // groups])
    other = tf.reverse(tf.eye(groups, dtype=kernel.dtype), axis=[0])
    return tf.reshape(split * tf.reshape(other, [groups, 1, groups, 1]), [*taps, groups * inputs, outputs])


_CROP, _AMOUNT = padding.Padding._crop, padding.Padding._amount


@pytest.mark.parametrize(
    ("owner", "attribute", "wrong", "kind", "dtype"),
    [
        (padding.Padding, "_crop", _crop_off_by_one, "ConvolutionTranspose", tf.float64),
        (native, "_outputs_before_inputs", _swapped_groups, "ConvolutionTranspose", tf.float32),
        (padding.Padding, "_amount", _odd_zero_before, "Convolution", tf.float64),
        (padding, "MIRRORS", (), "Convolution", tf.float64),
        (native, "_block_diagonal", _blocks_in_another_order, "Convolution", tf.float64),
        (native, "_with_gaps", lambda kernel, dilations: kernel, "Convolution", tf.float64),
        (depthwise.DepthwiseConvolutionOp, "grouped", _filters_by_multiplier, "DepthwiseConvolution", tf.float64),
    ],
)
def test_mutants_are_found(owner, attribute, wrong, kind, dtype, monkeypatch):
    if wrong is _swapped_groups and not native._takes_groups(2, dtype):
        pytest.skip("without oneDNN no group gets as far as this mutant")
    monkeypatch.setattr(owner, attribute, wrong)
    assert _found(kind, dtype)


def test_without_a_mutant_nothing_is_found():
    assert not any(_found(kind, num=3) for kind in KINDS)

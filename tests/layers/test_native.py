"""Claims about TensorFlow's ops where the layers depend on them, and what the layers do where an op is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
import tensorflow as tf

import bayesconv as bc
from bayesconv.layers import native

RNG = np.random.default_rng(0)


# With one input channel, stride 1 in height and more in width, and outputs one column wide, oneDNN's float32
# convolution reads other memory than its inputs (TF_ENABLE_ONEDNN_OPTS=0 is right).
@pytest.mark.parametrize(
    ("space", "filter_shape", "strides"),
    [((3, 3), 2, (1, 2)), ((4, 4), (1, 3), (1, 3)), ((7, 5), (1, 3), (1, 3)), ((2, 3, 3), (1, 1, 2), (1, 1, 3))],
)
def test_one_channel_and_a_stride_in_width_alone_over_one_column(space, filter_shape, strides):
    x = RNG.normal(size=(2, *space, 1)).astype(np.float32)
    layer = bc.Convolution(1, 2, filter_shape, rank=len(space), strides=strides)
    expected = reference.convolution(x, layer.kernel.numpy(), strides)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)
    compiled = tf.function(layer, input_signature=[tf.TensorSpec([None, *[None] * len(space), 1])])
    np.testing.assert_allclose(compiled(x), expected, rtol=1e-5, atol=1e-5)


# The same convolution is the slope of a transposed one with one output channel.
@pytest.mark.parametrize("options", [{"output_padding": (0, 1)}, {"padding": "SAME"}])
def test_slopes_of_a_transposed_convolution_to_one_channel(options):
    x, direction = RNG.normal(size=(2, 2, 4, 1, 2)).astype(np.float32)
    layer = bc.ConvolutionTranspose(2, 1, (1, 2), strides=(1, 3), use_bias=False, **options)
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs * outputs)
    change = reference.transposed_convolution(
        direction, layer.kernel.numpy(), (1, 3), **{"padding": "VALID", **options}
    )
    expected = np.sum(2 * outputs.numpy() * change)
    np.testing.assert_allclose(np.sum(tape.gradient(loss, inputs) * direction), expected, rtol=1e-4, atol=1e-5)


# In a graph, float32 conv3d with dilations that differ between axes is given a wrong static shape, or refused.
@pytest.mark.parametrize("dilations", [(1, 2, 3), (3, 3, 1), (2, 1, 1)])
@pytest.mark.parametrize("make", ["convolution", "depthwise", "transpose"])
def test_dilations_that_differ_in_three_dimensions_in_a_graph(make, dilations):
    layer = {
        "convolution": lambda **options: bc.Convolution(2, 2, 2, **options),
        "depthwise": lambda **options: bc.DepthwiseConvolution(2, 2, **options),
        "transpose": lambda **options: bc.ConvolutionTranspose(2, 2, 2, **options),
    }[make](rank=3, dilations=dilations)
    x = tf.constant(RNG.normal(size=(2, *[d + 1 for d in dilations], 2)), tf.float32)

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            loss = tf.reduce_sum(outputs**2)
        return outputs, tape.gradient(loss, x)

    compiled = tf.function(run).get_concrete_function(x)
    expected = run(x)
    assert [part.shape for part in compiled.structured_outputs] == [part.shape for part in expected]
    for found, wanted in zip(compiled(x), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_kernel_written_out_is_the_same_convolution(rank, groups):
    x, kernel = RNG.normal(size=(2, *[7] * rank, 4)), RNG.normal(size=(*[2] * rank, 4 // groups, 6))
    dilations = (3, 1, 2)[:rank]
    whole = native._block_diagonal(native._with_gaps(tf.constant(kernel), dilations), groups).numpy()
    assert whole.shape == (*[d + 1 for d in dilations], 4, 6)
    expected = reference.convolution(x, kernel, dilations=dilations, groups=groups)
    np.testing.assert_allclose(reference.convolution(x, whole), expected, rtol=1e-10)
    assert np.count_nonzero(whole) == kernel.size


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("setting", ["strides", "dilations"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolutions_equal_tensorflows_own(rank, setting, padding):
    # tf.nn.convolution takes strides or dilations, not both.
    x = RNG.normal(size=(2, *[7] * rank, 4)).astype(np.float32)
    for value in (1, 2, 3):
        layer = bc.Convolution(4, 6, 3, rank=rank, padding=padding, use_bias=False, **{setting: value})
        expected = tf.nn.convolution(x, layer.kernel, padding=padding, **{setting: [value] * rank})
        np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("channels", [1, 3, 8, 12])
def test_groups_of_every_width_equal_the_loops(rank, channels):
    # In three dimensions groups are joined to blocks of up to 16 channels.
    for groups in (2, 4, 5):
        x = RNG.normal(size=(1, *[3] * rank, groups * channels)).astype(np.float32)
        layer = bc.Convolution(groups * channels, groups * 2, 2, rank=rank, groups=groups)
        up = bc.ConvolutionTranspose(groups * channels, groups * 2, 2, rank=rank, groups=groups, strides=2)
        for one, oracle, strides in ((layer, reference.convolution, 1), (up, reference.transposed_convolution, 2)):
            expected = oracle(x, one.kernel.numpy(), strides, groups=groups)
            np.testing.assert_allclose(one(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_second_slopes_exist(rank, dtype):
    # Of the groups and dilations that are written out too: gradient penalties and Hessian-vector products need them.
    layer = bc.Convolution(2, 2, 2, rank=rank, dilations=2, use_bias=False, dtype=dtype)
    x = tf.constant(RNG.normal(size=(2, *[4] * rank, 2)), dtype)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 3)
        penalty = tf.reduce_sum(tape.gradient(loss, x) ** 2)
    for slope in outer.gradient(penalty, [x, layer.kernel]):
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() > 0


def test_the_mean_pass_of_three_dimensional_groups_has_no_gradient_missing():
    for dtype in (tf.float32, tf.float64):
        layer = bc.Convolution(4, 4, 2, rank=3, groups=2, make_kernel_bias_fn=bc.make_kernel_bias_flipout, dtype=dtype)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(RNG.normal(size=(2, 3, 3, 3, 4))) ** 2)
        assert all(slope is not None for slope in tape.gradient(loss, layer.trainable_variables))


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0", reason="it is off in this process already")
def test_the_same_holds_without_onednn():
    # TensorFlow leaves it off on processors without VNNI or AMX, and then no op has slopes of groups or dilations.
    without = "not without_onednn and (dilations or groups or slopes)"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", without]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_a_first_convolution_in_a_graph_of_old_misleads_none_after_it():
    native._is_by_onednn.cache_clear()
    with tf.Graph().as_default():
        native.convolve(tf.zeros([1, 4, 4, 2], tf.float64), tf.zeros([3, 3, 2, 2], tf.float64), (1, 1), (1, 1))
    layer = bc.Convolution(4, 4, 2, groups=2, dtype=tf.float64)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.ones([2, 3, 3, 4])) ** 2)
    assert all(slope is not None for slope in tape.gradient(loss, layer.trainable_variables))

"""Convolutions and their transposes on TensorFlow's ops, in every rank, type and number of groups.

On a CPU TensorFlow has no kernel, or no gradient, for groups in three dimensions, and where oneDNN does not compute,
for groups or dilations: in float64, and in every type on processors on which TensorFlow leaves oneDNN off. There the
kernel is written out, with zeros between its taps and outside its groups, block by block.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.layers.shapes import static_sizes

Ints = tuple[int, ...]
_CHANNELS = 16


def convolve(
    inputs: tf.Tensor, kernel: tf.Tensor, strides: Ints, dilations: Ints, groups: int = 1, padding: str = "VALID"
) -> tf.Tensor:
    """Cross-correlation, channels last.

    Args:
      inputs: `[N, spatial.., C_in]`.
      kernel: `[filter.., C_in / groups, C_out]`.
      strides: One per spatial axis.
      dilations: One per spatial axis.
      groups: Number of groups of channels.
      padding: VALID, or SAME if `takes_same`.

    Returns:
      `[N, spatial.., C_out]`.
    """
    if len(strides) == 1:  # TensorFlow takes stride and dilation together in two dimensions only
        plane = inputs[:, tf.newaxis], kernel[tf.newaxis], (1, *strides), (1, *dilations)
        return tf.squeeze(convolve(*plane, groups, padding), axis=1)
    kernel, dilations = _supported(kernel, dilations)
    if _is_misread(inputs, strides, groups, static_sizes(kernel)[-2]):
        inputs, kernel = _with_zeros(inputs, -1), _with_zeros(kernel, -2)
    if groups > 1 and not _takes_groups(len(strides), kernel.dtype):
        return _in_blocks(lambda x, k: convolve(x, k, strides, dilations, 1, padding), inputs, kernel, groups)
    op: Any = tf.nn.conv2d if len(strides) == 2 else tf.nn.conv3d
    return op(inputs, kernel, (1, *strides, 1), padding, dilations=(1, *dilations, 1))


def takes_same(rank: int, dtype: tf.DType) -> bool:
    """Whether `convolve` may be left to pad: without oneDNN `conv3d` is wrong where strides exceed filters."""
    return rank < 3 or _is_by_onednn(dtype)


def _takes_groups(rank: int, dtype: tf.DType) -> bool:
    return rank < 3 and _is_by_onednn(dtype)


@functools.cache
def _is_by_onednn(dtype: tf.DType) -> bool:
    # No public function tells, and it depends on the processor and the type. Of TensorFlow's kernels for a CPU only
    # oneDNN's have the slopes of groups.
    if tf.config.list_physical_devices("GPU"):
        return dtype != tf.float64  # whose kernels have them
    with tf.Graph().as_default(), tf.device("CPU"), tf.compat.v1.Session() as session:  # whatever surrounds the call
        one = tf.zeros([1, 1, 1, 2], dtype)
        slope = tf.raw_ops.Conv2DBackpropFilter(
            input=one, filter_sizes=[1, 1, 1, 2], out_backprop=one, strides=[1] * 4, padding="VALID"
        )
        try:
            session.run(slope)
        except tf.errors.OpError:
            return False
    return True


def _in_blocks(
    convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], inputs: tf.Tensor, kernel: tf.Tensor, groups: int
) -> tf.Tensor:
    # A convolution on a CPU takes channels by 16, so groups smaller than that cost no more together, zeros and all.
    channels = static_sizes(kernel)[-2]
    together = max(n for n in range(1, groups + 1) if groups % n == 0 and (n == 1 or n * channels <= _CHANNELS))
    num = groups // together
    parts = zip(tf.split(inputs, num, axis=-1), tf.split(kernel, num, axis=-1), strict=True)
    return tf.concat([convolution(x, _block_diagonal(k, together)) for x, k in parts], axis=-1)


def convolve_transpose(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    strides: Ints,
    dilations: Ints,
    groups: int,
    output_sizes: Sequence[Any],
    padding: str = "VALID",
) -> tf.Tensor:
    """Transpose of a convolution with these strides and dilations: every input position spreads out its filter.

    Args:
      inputs: `[N, spatial.., C_in]`.
      kernel: `[filter.., C_in / groups, C_out]`.
      strides: One per spatial axis.
      dilations: One per spatial axis.
      groups: Number of groups of channels.
      output_sizes: Of the spatial axes.
      padding: Of the convolution that is transposed, VALID or SAME.

    Returns:
      `[N, output_sizes.., C_out]`.
    """
    if len(strides) == 1:
        plane = inputs[:, tf.newaxis], kernel[tf.newaxis], (1, *strides), (1, *dilations)
        return tf.squeeze(convolve_transpose(*plane, groups, (1, *output_sizes), padding), axis=1)
    kernel, dilations = _supported(kernel, dilations)
    if _is_misread(inputs, strides, groups, static_sizes(kernel)[-1]):  # its gradient is a convolution of one channel
        wide = convolve_transpose(inputs, _with_zeros(kernel, -1), strides, dilations, groups, output_sizes, padding)
        return tf.split(wide, 2, axis=-1)[0]
    if groups > 1 and not _takes_groups(len(strides), kernel.dtype):
        ungrouped = functools.partial(
            convolve_transpose,
            strides=strides,
            dilations=dilations,
            groups=1,
            output_sizes=output_sizes,
            padding=padding,
        )
        return _in_blocks(ungrouped, inputs, kernel, groups)
    op: Any = tf.nn.conv2d_transpose if len(strides) == 2 else tf.nn.conv3d_transpose
    shape = tf.stack([tf.shape(inputs)[0], *output_sizes, static_sizes(kernel)[-1]])
    filters = _outputs_before_inputs(kernel, groups)
    return op(inputs, filters, shape, (1, *strides, 1), padding, dilations=(1, *dilations, 1))


def _outputs_before_inputs(kernel: tf.Tensor, groups: int) -> tf.Tensor:
    """`[filter.., C_in / groups, C_out]` as `[filter.., C_out / groups, C_in]`, group by group."""
    *taps, inputs, outputs = static_sizes(kernel)
    rank = len(taps)
    split = tf.reshape(kernel, [*taps, inputs, groups, outputs // groups])
    swapped = tf.transpose(split, [*range(rank), rank + 2, rank + 1, rank])
    return tf.reshape(swapped, [*taps, outputs // groups, groups * inputs])


def _supported(kernel: tf.Tensor, dilations: Ints) -> tuple[tf.Tensor, Ints]:
    """The kernel and dilations of the same convolution for which TensorFlow has kernels and gradients."""
    is_confused = len(dilations) == 3 and dilations[1] != dilations[2]  # conv3d's shape inference, about their order
    if is_confused or not _is_by_onednn(kernel.dtype):
        return _with_gaps(kernel, dilations), (1,) * len(dilations)
    return kernel, dilations


def _is_misread(inputs: tf.Tensor, strides: Ints, groups: int, channels: int) -> bool:
    # oneDNN takes one channel for a plain image, and reads beyond it where only the last axis has a stride.
    is_line = inputs.shape[-3] == 1
    return channels == 1 and groups == 1 and strides[-1] > 1 and strides[-2] == 1 and not is_line


def _with_zeros(tensor: tf.Tensor, axis: int) -> tf.Tensor:
    """The tensor with an axis of size 1 doubled by zeros."""
    return tf.concat([tensor, tf.zeros_like(tensor)], axis=axis)


def _with_gaps(kernel: tf.Tensor, dilations: Ints) -> tf.Tensor:
    for axis, dilation in enumerate(dilations):
        if dilation > 1:
            kernel = _with_gaps_along(kernel, axis, dilation)
    return kernel


def _with_gaps_along(kernel: tf.Tensor, axis: int, dilation: int) -> tf.Tensor:
    shape = static_sizes(kernel)
    padding = [[0, 0]] * (len(shape) + 1)
    padding[axis + 1] = [0, dilation - 1]
    spread = tf.pad(tf.expand_dims(kernel, axis + 1), padding)
    spread = tf.reshape(spread, [*shape[:axis], shape[axis] * dilation, *shape[axis + 1 :]])
    return tf.gather(spread, tf.range((shape[axis] - 1) * dilation + 1), axis=axis)


def _block_diagonal(kernel: tf.Tensor, groups: int) -> tf.Tensor:
    if groups == 1:
        return kernel
    *taps, inputs, outputs = static_sizes(kernel)
    split = tf.reshape(kernel, [*taps, 1, inputs, groups, outputs // groups])
    own_group = tf.reshape(tf.eye(groups, dtype=kernel.dtype), [groups, 1, groups, 1])
    return tf.reshape(split * own_group, [*taps, groups * inputs, outputs])

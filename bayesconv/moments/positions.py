"""What the positions of a feature map have in common when one kernel, drawn once, meets them all.

The positions of a channel vary together: an average over them keeps what they share and loses what is each one's own.
With `C_p = Cov(a_p, mean_q a_q)`, the share of position p in a common deviation is `C_p / sqrt(mean_p C_p)`, which has
just that variance in the mean. `C` goes through a linear layer by one more pass of the operator.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from bayesconv.layers.convolution import ConvolutionOp
from bayesconv.layers.operator import SpatialOperator
from bayesconv.layers.shapes import sizes, static_sizes
from bayesconv.layers.structural import product_of
from bayesconv.layers.transpose import ConvolutionTransposeOp
from bayesconv.moments.rules import Moments
from bayesconv.moments.units import units_behind
from bayesconv.weights import KernelBias

_MOST_PATCHES = 128  # elements of the patches that outputs are made of, as a first layer's are


def with_shared_deviation(
    op: Any, inputs: Moments, outputs: Moments, weights: KernelBias, spread: KernelBias
) -> Moments:
    """The outputs of a linear layer, before its activation, with what their positions and their channels share.

    Args:
      op: The operator.
      inputs: Moments of the inputs.
      outputs: Moments of the outputs.
      weights: Means of the weights.
      spread: Their variances.
    """
    axes = _position_axes(outputs.mean, op)
    if not axes:
        return outputs
    before = _position_axes(inputs.mean, op)
    seen = tf.cast(_coverage(op, inputs.mean, outputs.mean), spread.kernel.dtype)
    common = inputs.mean * _mean(inputs.mean, before)
    if inputs.variance is None:
        exact = _covariance_of_patches(op, inputs.mean, axes, spread)
        common = op(common, KernelBias(spread.kernel * seen, spread.bias)) if exact is None else exact
        return outputs._replace(shared=from_covariance(outputs, common, axes))
    deviations, taps = covariance_with_mean(inputs, before), _sum_of_taps(op, weights.kernel * seen)
    common = op(common + deviations, KernelBias(spread.kernel * seen, spread.bias))
    caused = op(deviations, KernelBias(weights.kernel * taps))
    outputs = outputs._replace(shared=from_covariance(outputs, common + caused, axes))
    if op.batch_ndims or getattr(op, "groups", 1) > 1:
        return outputs
    share = _mean(caused, axes) / tf.maximum(_mean(common + caused, axes), 1e-30)
    kernel = tf.reshape(taps, taps.shape[-2:])
    return outputs._replace(units=units_behind(kernel, outputs.shared * tf.sqrt(tf.clip_by_value(share, 0.0, 1.0))))


def _covariance_of_patches(op: Any, inputs: tf.Tensor, axes: list[int], spread: KernelBias) -> Any:
    """The same for known inputs, exactly: `sum_k x_pk V_k mean_q x_qk` with the patches x of which outputs are made.

    None where there is no finding the patches, or they are large.
    """
    *taps, channels, _ = static_sizes(spread.kernel)
    size = math.prod(taps) * channels
    is_plain = type(op) in (ConvolutionOp, ConvolutionTransposeOp) and op.groups == 1 and not op.batch_ndims
    if not is_plain or size > _MOST_PATCHES:
        return None
    patches = op(inputs, KernelBias(tf.reshape(tf.eye(size, dtype=inputs.dtype), [*taps, channels, size])))
    kernel = tf.cast(tf.reshape(spread.kernel, [size, -1]), inputs.dtype)
    common = tf.tensordot(patches * _mean(patches, axes), kernel, axes=1)
    return common if spread.bias is None else common + tf.cast(spread.bias, common.dtype)


def covariance_with_mean(moments: Moments, axes: list[int]) -> tf.Tensor:
    """`Cov(a_p, mean_q a_q)`, from the shared deviation and what is each position's own."""
    num = tf.cast(product_of([sizes(moments.mean)[axis] for axis in axes]), moments.mean.dtype)
    own = moments.own_variance / num
    return own if moments.shared is None else own + moments.shared * _mean(moments.shared, axes)


def from_covariance(moments: Moments, common: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """The shared deviation `t` that goes like `Cov(a_p, mean_q a_q)` and gives the mean the variance `mean(common)`.

    With P positions that is `mean(t)^2 + mean(v - t^2) / P = mean(common)`.
    """
    num = tf.cast(product_of([sizes(moments.mean)[axis] for axis in axes]), common.dtype)
    total = _mean(common, axes)
    wanted = total - _mean(moments.variance, axes) / num
    given = tf.square(total) - _mean(tf.square(common), axes) / num
    is_plain = given > 1e-6 * tf.square(total)
    factor = tf.where(is_plain, wanted / tf.where(is_plain, given, 1.0), 1.0 / tf.maximum(total, 1e-30))
    most = tf.sqrt(moments.variance)  # which approximations may exceed where deviations of both signs cancel
    return tf.clip_by_value(common * tf.sqrt(tf.maximum(factor, 0.0)), -most, most)


def _mean(tensor: tf.Tensor, axes: list[int]) -> tf.Tensor:
    return tf.reduce_mean(tensor, axes, keepdims=True)


def _position_axes(tensor: tf.Tensor, op: Any) -> list[int]:
    return list(range(1, tensor.shape.rank - 1 - op.batch_ndims))


def _sum_of_taps(op: Any, kernel: tf.Tensor) -> tf.Tensor:
    rank = op.rank if isinstance(op, SpatialOperator) else 0
    return tf.reduce_sum(kernel, list(range(op.batch_ndims, op.batch_ndims + rank)), keepdims=True)


def _coverage(op: Any, inputs: tf.Tensor, outputs: tf.Tensor) -> Any:
    """For every tap the number of inputs that it meets, zeros of the padding left out, for each output."""
    if not isinstance(op, SpatialOperator):
        return 1.0
    last = -1 - op.batch_ndims
    before, after = (sizes(t)[last - op.rank + t.shape.rank : last + t.shape.rank] for t in (inputs, outputs))
    total: Any = tf.ones([])
    for axis, (n, m) in enumerate(zip(before, after, strict=True)):
        total = total[..., tf.newaxis] * tf.cast(_meetings(op, axis, n, m) / m, total.dtype)
    return total[..., tf.newaxis, tf.newaxis]


def _meetings(op: SpatialOperator, axis: int, num_inputs: Any, num_outputs: Any) -> tf.Tensor:
    taps = tf.range(op.filter_shape[axis]) * op.dilations[axis]
    if isinstance(op, ConvolutionTransposeOp):  # the inputs i whose tap lands in [0, num_outputs)
        before = op.padding.crops(op.reaches, op.strides, op.output_padding)[axis][0]
        steps, most, start = num_inputs, num_outputs, taps - before
    else:
        reach, stride = op.reaches[axis : axis + 1], op.strides[axis : axis + 1]
        if op.padding.mode in ("REFLECT", "SYMMETRIC"):
            return tf.fill([op.filter_shape[axis]], num_outputs)
        amounts = op.padding.pairs[axis] if op.padding.pairs else op.padding.amounts([num_inputs], reach, stride)[0]
        steps, most, start = num_outputs, num_inputs, taps - amounts[0]
    places = start[:, tf.newaxis] + tf.range(steps) * op.strides[axis]
    return tf.reduce_sum(tf.cast((places >= 0) & (places < most), tf.int32), axis=1)

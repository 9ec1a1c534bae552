"""Moments behind normalizations: linear about the expected statistics, which vary with what they are taken of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bayesconv.layers import BatchNorm, FilterResponseNorm, GroupNorm, InstanceNorm, LayerNorm
from bayesconv.layers.normalization import Normalization
from bayesconv.layers.pooling import check_axes
from bayesconv.layers.shapes import sizes
from bayesconv.layers.structural import product_of
from bayesconv.moments.normal import rectified
from bayesconv.moments.rules import Moments, register_moments

Rule = Callable[[Moments], Moments]


@register_moments(BatchNorm)
def batch_norm(layer: BatchNorm, moments: Moments) -> Moments:
    """By the moving moments, which makes it linear in every channel."""
    if layer.policy == "recalibrated":
        raise ValueError(
            f"`{layer.name}` takes moments of its own for every draw of the weights, and there are no draws here. "
            "Predict by sampling, or build it with policy='frozen'."
        )

    def by_moving_moments(inputs: Moments) -> Moments:
        factor = tf.math.rsqrt(layer.moving_variance + layer.epsilon)
        return _scaled(inputs._replace(mean=inputs.mean - layer.moving_mean), factor)

    return _normalized(layer, moments, by_moving_moments)


@register_moments(LayerNorm)
def layer_norm(layer: LayerNorm, moments: Moments) -> Moments:
    """By the expected mean and variance of the channels of a position."""
    return _normalized(layer, moments, lambda inputs: _linearized(inputs, [-1], [], layer.epsilon, centred=True))


@register_moments(GroupNorm, InstanceNorm)
def group_norm(layer: GroupNorm, moments: Moments) -> Moments:
    """By the expected mean and variance of a group."""
    check_axes(layer.name, moments.mean, layer.rank)
    shape = sizes(moments.mean)
    split = [*shape[:-1], layer.groups, shape[-1] // layer.groups]
    positions = list(range(-layer.rank - 2, -2))

    def by_groups(inputs: Moments) -> Moments:
        grouped = inputs.map(lambda x: tf.reshape(x, split))
        outputs = _linearized(grouped, [*positions, -1], positions, layer.epsilon, centred=True)
        return outputs.map(lambda x: tf.reshape(x, shape))

    return _normalized(layer, moments, by_groups)


@register_moments(FilterResponseNorm)
def filter_response_norm(layer: FilterResponseNorm, moments: Moments) -> Moments:
    """By the expected mean square of a channel, then the thresholded linear unit."""
    check_axes(layer.name, moments.mean, layer.rank)
    axes = list(range(-layer.rank - 1, -1))
    return _normalized(layer, moments, lambda x: _linearized(x, axes, axes, layer.epsilon))


def _normalized(layer: Normalization, moments: Moments, rule: Rule) -> Moments:
    """A rule between casts to the layer's type and back; inputs that are known are the layer's own business."""
    if moments.variance is None:
        return Moments(layer(moments.mean, is_training=False))
    outputs = _affine(layer, rule(moments.map(lambda x: tf.cast(x, layer.dtype))))
    if isinstance(layer, FilterResponseNorm):
        outputs = _thresholded(layer, outputs)
    return outputs.map(lambda x: tf.cast(x, moments.mean.dtype))


def _affine(layer: Normalization, moments: Moments) -> Moments:
    scaled = moments if layer.scale is None else _scaled(moments, layer.scale)
    return scaled if layer.offset is None else scaled._replace(mean=scaled.mean + layer.offset)


def _scaled(moments: Moments, factor: Any) -> Moments:
    mean, variance = moments.mean * factor, moments.variance * tf.square(factor)
    return moments.deviating(mean, variance, lambda deviation: deviation * factor)


def _thresholded(layer: FilterResponseNorm, moments: Moments) -> Moments:
    if layer.threshold is None:
        return moments
    above, spread, gain = rectified(moments.mean - layer.threshold, moments.variance)
    return moments.deviating(above + layer.threshold, spread, lambda deviation: deviation * gain)


def _linearized(
    moments: Moments, axes: list[int], positions: list[int], epsilon: float, *, centred: bool = False
) -> Moments:
    """`y = (x - mean(x)) / r`, with `r^2` the expected variance or mean square, linearized about the means.

    `dy_i / dx_j = (1[i = j] - (c + y_i y_j) / n) / r`, with c = 1 if the mean is taken away and else 0.

    Args:
      moments: Of x.
      axes: What the statistics are taken over, n elements.
      positions: Those of the axes along which elements share deviations.
      epsilon: Added to `r^2`.
      centred: Whether the mean is taken away.
    """
    n = tf.cast(product_of([sizes(moments.mean)[axis] for axis in axes]), moments.mean.dtype)
    c = 1.0 if centred else 0.0
    mean = moments.mean - c * tf.reduce_mean(moments.mean, axes, keepdims=True)
    expected = tf.square(mean) + moments.variance * (1.0 - c / n)
    factor = tf.math.rsqrt(tf.reduce_mean(expected, axes, keepdims=True) + epsilon)
    y = mean * factor
    return _derived(moments, y, n, c, factor, axes, positions)


def _derived(
    moments: Moments, y: tf.Tensor, n: tf.Tensor, c: float, factor: tf.Tensor, axes: list[int], positions: list[int]
) -> Moments:
    shared = moments.shared if positions else None
    own = moments.variance if shared is None else moments.own_variance
    alone = own * (1.0 - 2.0 * (c + tf.square(y)) / n)
    variance = alone + _sum_of_squares(own, y, c, axes) / tf.square(n)
    if shared is None:
        kept = None if moments.shared is None else moments.shared * (1.0 - (c + tf.square(y)) / n)
        return _scaled(Moments(y / factor, variance, kept), factor)
    total = c * tf.reduce_sum(shared, positions, keepdims=True)
    total += y * tf.reduce_sum(y * shared, positions, keepdims=True)
    kept = shared - total / n
    return _scaled(Moments(y / factor, variance + tf.square(kept), kept), factor)


def _sum_of_squares(own: tf.Tensor, y: tf.Tensor, c: float, axes: list[int]) -> tf.Tensor:
    """`sum_j (c + y_i y_j)^2 v_j`."""
    plain, weighted, twice = (tf.reduce_sum(own * y**k, axes, keepdims=True) for k in range(3))
    return c * (plain + 2.0 * y * weighted) + tf.square(y) * twice

"""Moments behind normalizations: linear about the expected statistics, which vary with what they are taken of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from bayesconv.layers import BatchNorm, FilterResponseNorm, GroupNorm, InstanceNorm, LayerNorm
from bayesconv.layers.normalization import Normalization
from bayesconv.layers.pooling import check_axes
from bayesconv.layers.shapes import sizes
from bayesconv.layers.structural import product_of
from bayesconv.moments.normal import rectified
from bayesconv.moments.rules import Moments, register_moments
from bayesconv.rows import along_rows

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
        factor = tf.math.rsqrt(layer.moving_variance + layer.epsilon) * _scale(layer)
        gain, square = (along_rows(part, inputs.mean) for part in (factor, tf.square(factor)))
        mean = (inputs.mean - along_rows(layer.moving_mean, inputs.mean)) * gain
        return inputs.deviating(mean, inputs.variance * square, lambda deviation: deviation * factor)

    return _normalized(layer, moments, by_moving_moments)


@register_moments(LayerNorm)
def layer_norm(layer: LayerNorm, moments: Moments) -> Moments:
    """By the expected mean and variance of the channels of a position."""
    return _normalized(layer, moments, lambda x: _linearized(x, _scale(layer), [-1], [], layer.epsilon, centred=True))


@register_moments(GroupNorm, InstanceNorm)
def group_norm(layer: GroupNorm, moments: Moments) -> Moments:
    """By the expected mean and variance of a group."""
    check_axes(layer.name, moments.mean, layer.rank)
    shape = sizes(moments.mean)
    group = [layer.groups, shape[-1] // layer.groups]
    positions = list(range(-layer.rank - 2, -2))
    scale = 1.0 if layer.scale is None else tf.reshape(layer.scale, group)

    def by_groups(inputs: Moments) -> Moments:
        grouped = inputs.map(lambda x: tf.reshape(x, [*shape[:-1], *group]))
        outputs = _linearized(grouped, scale, [*positions, -1], positions, layer.epsilon, centred=True)
        return outputs.map(lambda x: tf.reshape(x, shape))

    return _normalized(layer, moments, by_groups)


@register_moments(FilterResponseNorm)
def filter_response_norm(layer: FilterResponseNorm, moments: Moments) -> Moments:
    """By the expected mean square of a channel, then the thresholded linear unit."""
    check_axes(layer.name, moments.mean, layer.rank)
    axes = list(range(-layer.rank - 1, -1))
    return _normalized(layer, moments, lambda x: _linearized(x, _scale(layer), axes, axes, layer.epsilon))


def _scale(layer: Normalization) -> Any:
    return 1.0 if layer.scale is None else layer.scale


def _normalized(layer: Normalization, moments: Moments, rule: Rule) -> Moments:
    """A rule between casts to the layer's type and back; inputs that are known are the layer's own business."""
    if moments.variance is None:
        return Moments(layer(moments.mean, is_training=False))
    outputs = rule(moments.map(lambda x: tf.cast(x, layer.dtype)))
    if layer.offset is not None:
        outputs = outputs._replace(mean=outputs.mean + along_rows(layer.offset, outputs.mean))
    if isinstance(layer, FilterResponseNorm):
        outputs = _thresholded(layer, outputs)
    return outputs.map(lambda x: tf.cast(x, moments.mean.dtype))


def _thresholded(layer: FilterResponseNorm, moments: Moments) -> Moments:
    if layer.threshold is None:
        return moments
    above, spread, gain = rectified(moments.mean - layer.threshold, moments.variance)
    return moments.deviating(above + layer.threshold, spread, lambda deviation: deviation * gain)


def _linearized(
    moments: Moments, scale: Any, axes: list[int], positions: list[int], epsilon: float, *, centred: bool = False
) -> Moments:
    """`y = scale (x - mean(x)) / r`, with `r^2` the expected variance or mean square, linearized about the means.

    `dy_i / dx_j = scale (1[i = j] - (c + z_i z_j) / n) / r`, with `z = y / scale`, and with c = 1 if the mean is taken
    away and else 0.

    Args:
      moments: Of x.
      scale: By which y is scaled.
      axes: What the statistics are taken over, n elements.
      positions: Those of the axes along which elements share deviations.
      epsilon: Added to `r^2`.
      centred: Whether the mean is taken away.
    """
    n = tf.cast(product_of([sizes(moments.mean)[axis] for axis in axes]), moments.mean.dtype)
    mean = moments.mean - tf.reduce_mean(moments.mean, axes, keepdims=True) if centred else moments.mean
    squared, spread = (tf.reduce_mean(part, axes, keepdims=True) for part in (tf.square(mean), moments.variance))
    factor = tf.math.rsqrt(squared + (spread * (1.0 - 1.0 / n) if centred else spread) + epsilon)
    slopes = _Slopes(mean, factor * scale, tf.square(factor) / n, n, centred)
    normalized = mean * along_rows(slopes.gain, mean)
    if not positions:  # what positions share is of each of them alone
        shared = None if moments.shared is None else slopes.alone(moments.shared)
        return Moments(normalized, slopes.variance(moments.variance, axes), shared)
    variance = slopes.variance(moments.own_variance, axes)
    if moments.shared is None:
        return Moments(normalized, variance)
    shared = slopes.together(moments.shared, positions)
    return Moments(normalized, variance + tf.square(shared), shared)


class _Slopes(NamedTuple):
    """How outputs change with inputs: `gain (1[i = j] - c / n - curve m_i m_j)`.

    Whatever is of a channel is put together before it meets a whole tensor: every pass over one counts.

    Attributes:
      mean: Of the inputs, less their average if that is taken away.
      gain: `scale / r`.
      curve: `1 / (n r^2)`.
      n: Number of elements.
      centred: Whether c is 1 or 0.
    """

    mean: tf.Tensor
    gain: tf.Tensor
    curve: tf.Tensor
    n: tf.Tensor
    centred: bool

    def variance(self, own: tf.Tensor, axes: list[int]) -> tf.Tensor:
        """Of the outputs, from that of independent inputs: `sum_j (dy_i / dx_j)^2 v_j`."""
        square, gain = tf.square(self.mean), tf.square(self.gain)
        weighted, c = own * square, 1.0 if self.centred else 0.0
        found = own * self._rows(gain * (1.0 - 2.0 * c / self.n)) - weighted * self._rows(2.0 * gain * self.curve)
        # In this order, for the square of the curve alone is below what float32 holds where inputs are near a million.
        bent = self.curve * tf.reduce_sum(weighted, axes, keepdims=True)
        found += square * self._rows(gain * self.curve * bent)
        if self.centred:
            total, tilted = (tf.reduce_sum(part, axes, keepdims=True) for part in (own, own * self.mean))
            found += self.mean * self._rows(2.0 * gain * self.curve * tilted / self.n)
            found += self._rows(gain * total / tf.square(self.n))
        return tf.maximum(found, 0.0)

    def alone(self, deviation: tf.Tensor) -> tf.Tensor:
        """What an input's deviation does to its own output."""
        kept = deviation * self._rows(self.gain * (1.0 - 1.0 / self.n if self.centred else 1.0))
        return kept - deviation * tf.square(self.mean) * self._rows(self.gain * self.curve)

    def together(self, deviation: tf.Tensor, positions: list[int]) -> tf.Tensor:
        """What the deviations of all positions at once do."""
        tilt = tf.reduce_sum(deviation * self.mean, positions, keepdims=True)
        kept = deviation * self._rows(self.gain) - self.mean * self._rows(self.gain * self.curve * tilt)
        if not self.centred:
            return kept
        return kept - self._rows(self.gain * tf.reduce_sum(deviation, positions, keepdims=True) / self.n)

    def _rows(self, channels: tf.Tensor) -> tf.Tensor:
        return along_rows(channels, self.mean)

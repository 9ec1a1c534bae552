"""Moments behind layers that arrange, repeat or drop numbers."""

from __future__ import annotations

import math

import tensorflow as tf

from bayesconv.layers import ChannelDropout, Dropout, Flatten, Reshape, Upsample
from bayesconv.moments.options import current_options
from bayesconv.moments.positions import covariance_with_mean, from_covariance
from bayesconv.moments.rules import Moments, register_moments


@register_moments(Flatten, Reshape)
def arranged(layer: Flatten | Reshape, moments: Moments) -> Moments:
    """The same numbers; which of them share a channel is forgotten."""
    is_kept = moments.mean.shape.rank == 2 and isinstance(layer, Flatten)
    return moments._replace(shared=None, units=moments.units if is_kept else None).map(layer)


@register_moments(Upsample)
def upsampled(layer: Upsample, moments: Moments) -> Moments:
    """Deviations are interpolated as values are, as if neighbours had the same: an upper bound of the variance."""
    if moments.variance is None:
        return Moments(layer(moments.mean))
    deviation = layer(tf.sqrt(moments.variance))
    return moments.deviating(layer(moments.mean), tf.square(deviation), layer)


@register_moments(Dropout)
def dropped(layer: Dropout, moments: Moments) -> Moments:
    """With Monte Carlo dropout `x b / (1 - p)` has the variance `(v + m^2 p) / (1 - p)`; without, nothing happens."""
    if layer.rate == 0 or not layer.mc:
        return moments
    variance = tf.zeros_like(moments.mean) if moments.variance is None else moments.variance
    spread = (variance + layer.rate * tf.square(moments.mean)) / (1.0 - layer.rate)
    return moments._replace(variance=spread, covariance=None)


@register_moments(ChannelDropout)
def channels_dropped(layer: ChannelDropout, moments: Moments) -> Moments:
    """The same for every element; and all positions of a channel are dropped together."""
    outputs, axes = dropped(layer, moments), list(range(1, moments.mean.shape.rank - 1))
    if outputs is moments or not axes or current_options().covariance != "tracked":
        return outputs
    mask = math.sqrt(layer.rate / (1.0 - layer.rate)) * moments.mean
    common = mask * tf.reduce_mean(mask, axes, keepdims=True)
    if moments.variance is not None:
        common += covariance_with_mean(moments, axes)
    return outputs._replace(shared=from_covariance(outputs, common, axes))

"""Moments behind poolings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bayesconv import precision
from bayesconv.layers import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from bayesconv.layers.padding import Padding
from bayesconv.layers.pooling import check_axes
from bayesconv.layers.shapes import sizes
from bayesconv.layers.structural import product_of
from bayesconv.moments.normal import cdf, density, positive
from bayesconv.moments.options import current_options
from bayesconv.moments.rules import Moments, register_moments

Choice = Callable[[Moments, Moments], Moments]
_NEVER = -1e18  # the mean of what is beyond the border, whose square is finite


def larger_mean(a: Moments, b: Moments) -> Moments:
    """Of two numbers the one with the larger mean: right where the means are far apart, or the numbers much alike."""
    is_first = a.mean >= b.mean
    return _both(lambda x, y: tf.where(is_first, x, y), a, b)


def clark(a: Moments, b: Moments) -> Moments:
    """Moments of the maximum of two independent normal numbers, as if it were normal again.

    References:
      Clark, The Greatest of a Finite Set of Random Variables, Operations Research 1961.
    """
    is_first = a.mean >= b.mean
    scale = tf.sqrt(positive(a.variance + b.variance))
    smaller, larger = tf.minimum(a.mean, b.mean), tf.maximum(a.mean, b.mean)
    behind = smaller - larger
    z = behind / scale
    exceeds, at = cdf(z), density(z)
    gained = behind * exceeds + scale * at  # E max less the larger mean, and its square: no large mean cancels
    of_smaller, of_larger = (tf.where(is_first == flag, b.variance, a.variance) for flag in (True, False))
    square = (tf.square(behind) + of_smaller) * exceeds + of_larger * (1.0 - exceeds) + behind * scale * at
    chosen = larger_mean(a, b)
    if a.shared is not None:
        other = tf.where(is_first, b.shared, a.shared)
        chosen = chosen._replace(shared=(1.0 - exceeds) * chosen.shared + exceeds * other)
    return chosen._replace(mean=larger + gained, variance=tf.maximum(square - tf.square(gained), 0.0))


_CHOICES: dict[str, Choice] = {"larger_mean": larger_mean, "clark": clark}


@register_moments(MaxPool)
def max_pool(layer: MaxPool, moments: Moments) -> Moments:
    """The larger of all positions of a window, axis by axis and two at a time."""
    rank, inputs = len(layer.window), moments.mean
    if moments.variance is None:
        return Moments(layer(inputs))
    check_axes(layer.name, inputs, rank)
    batch, example = sizes(inputs)[: -rank - 1], sizes(inputs)[-rank - 1 :]
    moments = moments._replace(units=None)
    pooled = moments.map(lambda x: tf.reshape(precision.widened(x), [product_of(batch), *example]))
    for axis in range(rank):
        if layer.window[axis] > 1:
            pooled = _larger_along(layer, pooled, axis)
    return pooled.map(lambda x: tf.reshape(tf.cast(x, inputs.dtype), [*batch, *sizes(x)[1:]]))


def _larger_along(layer: MaxPool, images: Moments, axis: int) -> Moments:
    window, stride, length = layer.window[axis], layer.strides[axis], sizes(images.mean)[axis + 1]
    before, after = Padding(layer.padding).amounts([length], [window], [stride])[0]
    num = (length + before + after - window) // stride + 1
    ends = [(0, 0)] * (axis + 1) + [(before, after)] + [(0, 0)] * (images.mean.shape.rank - axis - 2)
    if layer.padding == "SAME":
        mean = tf.pad(images.mean, ends, constant_values=_NEVER)
        images = images.map(lambda x: tf.pad(x, ends))._replace(mean=mean)
    places = _places if window == stride else _overlapping_places
    return _largest(_each_place(images, lambda x: places(x, axis + 1, window, stride, num)))


def _places(images: tf.Tensor, axis: int, window: int, stride: int, num: Any) -> list[tf.Tensor]:
    """For every place in a window, what all windows have there: `[N, .., num, ..]`, without a strided slice."""
    shape = sizes(images)
    if tf.is_tensor(num) or num * window < shape[axis]:
        images = tf.slice(images, [0] * len(shape), [*shape[:axis], num * window, *shape[axis + 1 :]])
    return tf.unstack(tf.reshape(images, [*shape[:axis], num, window, *shape[axis + 1 :]]), num=window, axis=axis + 1)


def _overlapping_places(images: tf.Tensor, axis: int, window: int, stride: int, num: Any) -> list[tf.Tensor]:
    return [tf.gather(images, place + stride * tf.range(num), axis=axis) for place in range(window)]


@register_moments(GlobalMaxPool)
def global_max_pool(layer: GlobalMaxPool, moments: Moments) -> Moments:
    """The larger of all positions, two at a time; of those with the largest mean at once."""
    if moments.variance is None:
        return Moments(layer(moments.mean))
    shape = sizes(layer(moments.mean))
    lines = moments._replace(units=None).map(lambda x: _as_line(precision.widened(x), layer.rank))
    if current_options().max_pool == "clark":
        pooled = _largest(_each_place(lines, _positions))
    else:
        axis, best = lines.mean.shape.rank - 2, tf.argmax(lines.mean, axis=-2)
        first = tf.one_hot(best, tf.shape(lines.mean)[axis], axis=axis, dtype=lines.mean.dtype)
        pooled = lines.map(lambda x: tf.reduce_sum(x * first, axis=-2))
    return pooled.map(lambda x: tf.reshape(tf.cast(x, moments.mean.dtype), shape))


def _positions(lines: tf.Tensor) -> list[tf.Tensor]:
    if lines.shape[-2] is None:
        raise ValueError("Clark's maximum over all positions needs to know their number: give the inputs a size.")
    return tf.unstack(lines, axis=-2)


def _each_place(moments: Moments, places: Callable[[tf.Tensor], list[tf.Tensor]]) -> list[Moments]:
    mean, variance = places(moments.mean), places(moments.variance)
    shared = [None] * len(mean) if moments.shared is None else places(moments.shared)
    return [Moments(*parts) for parts in zip(mean, variance, shared, strict=True)]


def _largest(candidates: list[Moments]) -> Moments:
    return functools.reduce(_CHOICES[current_options().max_pool], candidates)


@register_moments(AveragePool)
def average_pool(layer: AveragePool, moments: Moments) -> Moments:
    """The mean of a window, and the variance of the mean."""
    count = _counts(layer, sizes(moments.mean)[-len(layer.window) - 1 : -1])
    return _averaged(layer, moments, count)


@register_moments(GlobalAveragePool)
def global_average_pool(layer: GlobalAveragePool, moments: Moments) -> Moments:
    """The mean of all positions, and the variance of the mean."""
    return _averaged(layer, moments, product_of(sizes(moments.mean)[-layer.rank - 1 : -1]))


def _averaged(layer: Any, moments: Moments, count: Any) -> Moments:
    """Own deviations average out, shared ones do not."""
    mean = layer(moments.mean)
    if moments.variance is None:
        return Moments(mean)
    own = layer(moments.own_variance) / tf.cast(count, mean.dtype)
    shared = tf.zeros([], mean.dtype) if moments.shared is None else tf.square(layer(moments.shared))
    return moments.deviating(mean, own + shared, layer)


def _counts(layer: AveragePool, lengths: list[Any]) -> Any:
    """Number of positions in every window, which at a border is smaller."""
    total: Any = 1.0
    amounts = Padding(layer.padding).amounts(lengths, layer.window, layer.strides)
    for n, w, s, (before, after) in zip(lengths, layer.window, layer.strides, amounts, strict=True):
        starts = tf.range((n + before + after - w) // s + 1) * s - before
        total = total[..., tf.newaxis] if tf.is_tensor(total) else total
        total = total * tf.cast(tf.minimum(starts + w, n) - tf.maximum(starts, 0), tf.float32)
    return total[..., tf.newaxis]


def _as_line(tensor: tf.Tensor, rank: int) -> tf.Tensor:
    *outer, channels = sizes(tensor)
    return tf.reshape(tensor, [*outer[:-rank], product_of(outer[-rank:]), channels])


def _both(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], a: Moments, b: Moments) -> Moments:
    shared = None if a.shared is None else function(a.shared, b.shared)
    return Moments(function(a.mean, b.mean), function(a.variance, b.variance), shared)

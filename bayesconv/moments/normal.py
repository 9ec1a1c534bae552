"""The standard normal distribution, and what it says of functions that bend at a point."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf

_FAR = 8.0  # deviations, beyond which a normal number is on one side of zero


class Transformed(NamedTuple):
    """Moments of `f(x)` for `x ~ N(m, v)`.

    Attributes:
      mean: `E f(x)`.
      variance: `Var f(x)`.
      gain: `E f'(x) = Cov(x, f(x)) / v`, the factor by which a small common deviation is passed on.
    """

    mean: Any
    variance: Any
    gain: Any


def cdf(z: tf.Tensor) -> tf.Tensor:
    """`Phi(z)`."""
    return 0.5 + 0.5 * tf.math.erf(z * math.sqrt(0.5))


def density(z: tf.Tensor) -> tf.Tensor:
    """`phi(z)`."""
    return math.sqrt(0.5 / math.pi) * tf.exp(-0.5 * tf.square(z))


def positive(variance: tf.Tensor) -> tf.Tensor:
    """A variance whose root may divide: zero becomes a number that no sum of ours notices."""
    return tf.maximum(variance, 1e-30)


def rectified(mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """Moments of `max(x, 0)`.

    With `z = m / s` and `r(z) = z Phi(z) + phi(z)` the mean is `s r(z)` and the variance `v (Phi(z) - r(z) r(-z))`. In
    this form nothing large cancels, whatever the ratio of mean and deviation.

    Args:
      mean: `m`.
      variance: `v`.

    Example:
      >>> [round(float(part), 4) for part in rectified(tf.constant(0.0), tf.constant(1.0))]
      [0.3989, 0.3408, 0.5]
    """
    inverse = tf.math.rsqrt(positive(variance))
    scale = variance * inverse
    z = tf.clip_by_value(mean * inverse, -_FAR, _FAR)
    above = cdf(z)
    lower = density(z) - z * (1.0 - above)  # r(-z)
    spread = variance * tf.maximum(above - lower * (lower + z), 0.0)
    return Transformed(tf.maximum(mean + scale * lower, 0.0), spread, above)

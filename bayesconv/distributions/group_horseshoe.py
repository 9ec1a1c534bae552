"""A horseshoe whose scale is shared by all weights of a filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.distributions.whole_weight import WholeWeight

_NUM_NODES = 200
_SMALLEST = 1e-37  # the density of a filter of zeros is infinite
_NEGLIGIBLE = 36.0  # nats below the peak of the integrand


class GroupHorseshoe(WholeWeight):
    """`w_f = t_f e_f` for every filter f, the last axis, with `t_f` half-Cauchy and `e_f` standard normals.

    The scales are integrated out: with `n` weights a filter and `R = |w_f|^2 / 2 scale^2`,
    `p(w_f) = (2 pi)^(-n/2) / (pi scale^n) integral_0^inf u^((n-1)/2) exp(-R u) / (1 + u) du`, by the trapezoidal rule
    in `log u`, exact to 1e-9 in float64. Every weight by itself is a horseshoe of the same scale.

    Args:
      shape: Shape of the kernel, batch dimensions first.
      scale: Scale of the half-Cauchy.
      batch_ndims: Number of batch dimensions.
      dtype: Floating-point type.
      name: Name.

    References:
      Louizos, Ullrich and Welling, Bayesian Compression for Deep Learning, NeurIPS 2017. arXiv:1705.08665

    Example:
      >>> round(float(GroupHorseshoe([1, 1], 1.0, dtype=tf.float64).log_prob([[1.0]])), 4)  # as Horseshoe(1.0)
      -2.1439
    """

    def __init__(
        self,
        shape: Sequence[int],
        scale: float,
        batch_ndims: int = 0,
        dtype: Any = tf.float32,
        name: str = "GroupHorseshoe",
    ) -> None:
        shape = tuple(shape)
        self.scale, self.group_size = float(scale), math.prod(shape[batch_ndims:-1])
        self._groups_shape = (math.prod(shape[:batch_ndims]), self.group_size, shape[-1])
        super().__init__(shape, dtype, {"scale": scale}, name)

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        of_scale, of_weight = random.split(seed)
        batch, _, filters = self._groups_shape
        angle = 0.5 * math.pi * random.uniform(tf.stack([n, batch, 1, filters]), of_scale, self.dtype)
        drawn = self.scale * tf.tan(angle) * self._as_groups(self._standard_normal(n, of_weight))
        return tf.reshape(drawn, tf.concat([[n], self.event_shape], axis=0))

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        squares = tf.reduce_sum(tf.square(self._as_groups(value) / self.scale), axis=-2)
        constant = -self.group_size * (0.5 * math.log(2.0 * math.pi) + math.log(self.scale)) - math.log(math.pi)
        integrals = log_integral(0.5 * squares, 0.5 * (self.group_size + 1))
        return tf.reduce_sum(constant + integrals, axis=[-2, -1])

    def _as_groups(self, value: tf.Tensor) -> tf.Tensor:
        leading = tf.shape(value)[: -self.event_shape.rank]
        return tf.reshape(value, tf.concat([leading, self._groups_shape], axis=0))


def log_integral(rate: tf.Tensor, power: float) -> tf.Tensor:
    """`log integral_0^inf u^(a - 1) exp(-R u) / (1 + u) du` for `R > 0` and `a >= 1`, with its gradient in `R`.

    Args:
      rate: `R`, of any shape.
      power: `a`.

    Example:
      >>> round(float(log_integral(tf.constant(1.0), 1.0)), 4)  # log(e E1(1))
      -0.5169
    """
    rate = tf.maximum(rate, tf.constant(_SMALLEST, rate.dtype))
    nodes, step = _nodes(tf.stop_gradient(rate), power)
    logs = power * nodes - rate * tf.exp(nodes) - tf.nn.softplus(nodes)
    return tf.reduce_logsumexp(logs, axis=0) + tf.math.log(step)


def _nodes(rate: tf.Tensor, power: float) -> tuple[tf.Tensor, tf.Tensor]:
    # The integrand in log u is log-concave, with its peak where R u^2 + (R + 1 - a) u - a = 0. A distance x from the
    # peak its logarithm is at least (a - s) (x - 1 + exp(-x)) lower to the left and (a - s) (exp(x) - 1 - x) to the
    # right, with s = u / (1 + u) at the peak; below u = 1 it falls by a - 1/2 at least, which counts for a = 1.
    slope = rate + 1.0 - power
    unit = tf.maximum(rate, 1.0)  # so that no square overflows
    root = unit * tf.sqrt(tf.square(slope / unit) + 4.0 * (rate / unit) * (power / unit))
    peak = tf.math.log(tf.where(slope > 0, 2.0 * power / (slope + root), (root - slope) / (2.0 * rate)))
    depth = _NEGLIGIBLE / (power - 1.0 + tf.sigmoid(-peak))
    left = (depth + tf.sqrt(tf.square(depth) + 8.0 * depth)) / 2.0
    left = tf.minimum(left, tf.maximum(peak, 0.0) + 1.25 * _NEGLIGIBLE)
    right = tf.math.log1p(depth + tf.sqrt(2.0 * depth))
    shares = tf.reshape(tf.linspace(tf.zeros([], rate.dtype), 1.0, _NUM_NODES), [-1] + [1] * rate.shape.rank)
    return peak - left + shares * (left + right), (left + right) / (_NUM_NODES - 1)

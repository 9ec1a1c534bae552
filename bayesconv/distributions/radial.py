"""Noise of uniform direction and normal length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import random
from bayesconv.distributions.joint import Joint
from bayesconv.distributions.traits import SIGN_SYMMETRIC, weight_traits

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)


class Radial(Joint):
    """`loc + scale * r g / |g|` with `g ~ N(0, I)` over the D elements of a kernel and one `r ~ N(0, 1)`.

    A normal in D dimensions has nearly all its mass at a distance of `sqrt(D)` scales from its mean; this one is near
    its mean as often as a normal in one dimension. An element has the variance `scale^2 / D`. The density of
    `z = (w - loc) / scale` is `2 phi(|z|) / (A_D |z|^(D-1))`, with the area `A_D = 2 pi^(D/2) / Gamma(D/2)`.

    Args:
      loc: Mean, of the weight's shape.
      scale: Scale, of the same shape.
      batch_ndims: How many leading dimensions of the shape count independent kernels.
      name: Name of the family.

    References:
      Farquhar et al., Radial Bayesian Neural Networks, AISTATS 2020. arXiv:1907.00865
    """

    def __init__(self, loc: Any, scale: Any, batch_ndims: int = 0, name: str = "Radial") -> None:
        super().__init__(loc.shape, batch_ndims, loc.dtype, name, {"loc": loc, "scale": scale})
        self.loc, self.scale = loc, scale

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        seed_direction, seed_length = random.split(seed)
        g = random.normal([n, self.num_kernels, self.size], seed_direction, self.dtype)
        r = random.normal([n, self.num_kernels, 1], seed_length, self.dtype)
        direction = g / tf.norm(g, axis=-1, keepdims=True)
        return self.rows_of(self.loc) + self.rows_of(self.scale) * direction * r

    def _mean(self) -> tf.Tensor:
        return tf.identity(self.loc)

    def _variance(self) -> tf.Tensor:
        return tf.square(self.scale) / self.size

    def _stddev(self) -> tf.Tensor:
        return self.scale / math.sqrt(self.size)

    def _log_prob(self, value: Any) -> tf.Tensor:
        z = self.rows_of((value - self.loc) / self.scale)
        square = tf.reduce_sum(tf.square(z), axis=-1)
        per_kernel = -0.5 * square - 0.5 * (self.size - 1) * tf.math.log(square) - self._log_area() + math.log(2.0)
        return tf.reduce_sum(per_kernel - _HALF_LOG_2_PI, axis=-1) - tf.reduce_sum(tf.math.log(self.scale))

    def _entropy(self) -> tf.Tensor:
        # E log|r| = -(gamma + log 2) / 2
        of_length = _HALF_LOG_2_PI - math.log(2.0) + 0.5 - 0.5 * (self.size - 1) * (np.euler_gamma + math.log(2.0))
        return tf.reduce_sum(tf.math.log(self.scale)) + self.num_kernels * (of_length + self._log_area())

    def _log_area(self) -> float:
        return math.log(2.0) + 0.5 * self.size * math.log(math.pi) - math.lgamma(0.5 * self.size)


weight_traits.register(Radial, lambda _: frozenset({SIGN_SYMMETRIC}))

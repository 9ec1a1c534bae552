"""Normals whose covariance has a diagonal and a few directions."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.distributions.joint import Joint


class LowRankNormal(Joint):
    """`N(loc, diag(scale^2) + U U^T)` over the elements of a kernel, with `U = [factors_1, .., factors_K]`.

    The determinant is `prod scale^2 |C|` with the K x K capacitance `C = I + U^T diag(scale^-2) U`, and the inverse
    follows from it by Woodbury's identity.

    Args:
      loc: Mean, of the weight's shape.
      scale: Standard deviation of what an element has to itself, of the same shape.
      factors: The directions, `[K, *shape]`.
      batch_ndims: How many leading dimensions of the shape count independent kernels.
      name: Name of the family.
    """

    def __init__(self, loc: Any, scale: Any, factors: Any, batch_ndims: int = 0, name: str = "LowRankNormal") -> None:
        super().__init__(loc.shape, batch_ndims, loc.dtype, name, {"loc": loc, "scale": scale, "factors": factors})
        self.loc, self.scale, self.factors = loc, scale, factors
        self._rank = int(factors.shape[0])

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        seed_own, seed_shared = random.split(seed)
        own = random.normal([n, self.num_kernels, self.size], seed_own, self.dtype)
        shared = random.normal([n, self._rank, self.num_kernels], seed_shared, self.dtype)
        directions = tf.einsum("nkb,kbd->nbd", shared, self.rows_of(self.factors))
        return self.rows_of(self.loc) + self.rows_of(self.scale) * own + directions

    def _mean(self) -> tf.Tensor:
        return tf.identity(self.loc)

    def _variance(self) -> tf.Tensor:
        return tf.square(self.scale) + tf.reduce_sum(tf.square(self.factors), axis=0)

    def _log_prob(self, value: Any) -> tf.Tensor:
        rows = self.rows_of((value - self.loc) / self.scale)
        deviation = tf.reshape(rows, [-1, self.num_kernels, self.size])
        projected = tf.einsum("kbd,nbd->nbk", self._relative_factors(), deviation)
        whitened = tf.einsum("bkl,nbl->nbk", self._inverse_cholesky(), tf.cast(projected, tf.float64))
        explained = tf.cast(tf.reduce_sum(tf.square(whitened), axis=[1, 2]), self.dtype)
        distance = tf.reshape(tf.reduce_sum(tf.square(deviation), axis=[1, 2]) - explained, tf.shape(rows)[:-2])
        return -0.5 * distance - 0.5 * math.log(2.0 * math.pi) * self._num_elements() - self._log_volume()

    def _entropy(self) -> tf.Tensor:
        return 0.5 * math.log(2.0 * math.pi * math.e) * self._num_elements() + self._log_volume()

    def _num_elements(self) -> int:
        return self.num_kernels * self.size

    def _log_volume(self) -> tf.Tensor:
        diagonal = tf.linalg.diag_part(self._cholesky())
        return tf.reduce_sum(tf.math.log(self.scale)) + tf.cast(tf.reduce_sum(tf.math.log(diagonal)), self.dtype)

    def _relative_factors(self) -> tf.Tensor:
        return self.rows_of(self.factors / self.scale)

    def _cholesky(self) -> tf.Tensor:
        # In float64: directions that are long relative to the scales make this little matrix ill-conditioned.
        factors = tf.cast(self._relative_factors(), tf.float64)
        capacitance = tf.einsum("kbd,lbd->bkl", factors, factors) + tf.eye(self._rank, dtype=tf.float64)
        return tf.linalg.cholesky(capacitance)

    def _inverse_cholesky(self) -> tf.Tensor:
        cholesky = self._cholesky()
        identity = tf.eye(self._rank, batch_shape=[self.num_kernels], dtype=tf.float64)
        return tf.linalg.triangular_solve(cholesky, identity)

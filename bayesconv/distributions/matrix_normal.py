"""Normals over matrices, whose rows and whose columns are correlated."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import random
from bayesconv.distributions.joint import Joint


class CovarianceFactor(NamedTuple):
    """The Cholesky factor `diag(scale) (I + N)` of a covariance, with N strictly lower triangular.

    Attributes:
      scale: `[*batch_shape, M]`, positive: the standard deviation of each given those before it.
      entries: `[*batch_shape, M (M - 1) / 2]`, the elements of N; None means none.
    """

    scale: Any
    entries: Any = None

    def cholesky(self) -> tf.Tensor:
        """The factor, `[B, M, M]`."""
        scale: Any = self._flat(self.scale)
        factor = tf.eye(scale.shape[-1], dtype=scale.dtype)
        if self.entries is not None:
            below = tfp.math.fill_triangular(self._flat(self.entries))
            factor += tf.pad(below, [[0, 0], [1, 0], [0, 1]])
        return scale[..., tf.newaxis] * factor

    @staticmethod
    def _flat(tensor: Any) -> tf.Tensor:
        tensor = tf.convert_to_tensor(tensor)
        return tf.reshape(tensor, [-1, tensor.shape[-1]])


class MatrixNormal(Joint):
    """`W = loc + L_A Z L_B^T` with standard normal Z.

    The covariance of rows is `A = L_A L_A^T`, that of columns `B = L_B L_B^T`. A kernel is the matrix of its last axis
    against all others. `Cov(W_ij, W_kl) = A_ik B_jl`.

    Args:
      loc: Mean, of the weight's shape.
      rows: Factor of A.
      columns: Factor of B.
      batch_ndims: How many leading dimensions of the shape count independent kernels.
      name: Name of the family.

    References:
      Louizos and Welling, Structured and Efficient Variational Deep Learning with Matrix Gaussian Posteriors, ICML
      2016. arXiv:1603.04733
    """

    def __init__(
        self,
        loc: Any,
        rows: CovarianceFactor,
        columns: CovarianceFactor,
        batch_ndims: int = 0,
        name: str = "MatrixNormal",
    ) -> None:
        super().__init__(loc.shape, batch_ndims, loc.dtype, name, {"loc": loc, "rows": rows, "columns": columns})
        self.loc, self.rows, self.columns = loc, rows, columns

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        noise = random.normal([n, self.num_kernels, *self.matrix_shape], seed, self.dtype)
        # Not matmul, whose broadcasting over draws has been seen to abort the process on a CPU.
        mixed = tf.einsum("bij,nbjk,blk->nbil", self.rows.cholesky(), noise, self.columns.cholesky())
        return self.rows_of(self.loc) + tf.reshape(mixed, [n, self.num_kernels, self.size])

    def _mean(self) -> tf.Tensor:
        return tf.identity(self.loc)

    def _variance(self) -> tf.Tensor:
        of_rows, of_columns = (tf.reduce_sum(tf.square(f.cholesky()), axis=-1) for f in (self.rows, self.columns))
        return self.weights_of(of_rows[:, :, tf.newaxis] * of_columns[:, tf.newaxis, :])

    def _log_prob(self, value: Any) -> tf.Tensor:
        flat = self.rows_of(value - self.loc)
        deviation = tf.reshape(flat, tf.concat([tf.shape(flat)[:-1], self.matrix_shape], axis=0))
        halfway = _solve(self.rows.cholesky(), deviation)
        noise = _solve(self.columns.cholesky(), tf.linalg.matrix_transpose(halfway))
        distance = tf.reduce_sum(tf.square(noise), axis=[-3, -2, -1])
        return -0.5 * distance - 0.5 * math.log(2.0 * math.pi) * self._num_elements() - self._log_volume()

    def _entropy(self) -> tf.Tensor:
        return 0.5 * math.log(2.0 * math.pi * math.e) * self._num_elements() + self._log_volume()

    def _num_elements(self) -> int:
        return self.num_kernels * self.size

    def _log_volume(self) -> tf.Tensor:
        num_rows, num_columns = self.matrix_shape
        of_rows, of_columns = (tf.reduce_sum(tf.math.log(f.scale)) for f in (self.rows, self.columns))
        return num_columns * of_rows + num_rows * of_columns


def _solve(cholesky: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    leading = tf.shape(right)[:-3]  # of the draws, which have the factor in common
    shape = tf.concat([leading, tf.shape(cholesky)], axis=0)
    return tf.linalg.triangular_solve(tf.broadcast_to(cholesky, shape), right)

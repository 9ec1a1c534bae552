"""A normal whose elements are correlated along the taps of a kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.distributions.whole_weight import WholeWeight


class CorrelatedNormal(WholeWeight):
    """Zero-mean normal of a kernel `[batch, taps, C_in, C_out]`, with a covariance over taps for each pair of channels.

    Args:
      shape: Shape of the kernel, batch dimensions first.
      covariance: `[T, T]` for the `T` taps in row-major order.
      batch_ndims: Number of batch dimensions.
      dtype: Floating-point type.
      name: Name.
      **described: What the covariance was made of, for summaries.

    Raises:
      ValueError: If the covariance has another size than the taps, or is not positive definite.

    Example:
      >>> prior = CorrelatedNormal([2, 1, 1], [[1.0, 0.5], [0.5, 1.0]], dtype=tf.float64)
      >>> round(float(prior.log_prob([[[1.0]], [[1.0]]])), 4)
      -2.3607
    """

    def __init__(
        self,
        shape: Sequence[int],
        covariance: Any,
        batch_ndims: int = 0,
        dtype: Any = tf.float32,
        name: str = "CorrelatedNormal",
        **described: Any,
    ) -> None:
        shape = tuple(shape)
        covariance = np.asarray(covariance, np.float64)
        num_taps = math.prod(shape[batch_ndims:-2])
        self._columns_shape = (math.prod(shape[:batch_ndims]), num_taps, math.prod(shape[-2:]))
        self._factor = _cholesky(covariance, num_taps)
        self._whitening = np.linalg.inv(self._factor)
        super().__init__(shape, dtype, described, name)

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        columns = self._as_columns(self._standard_normal(n, seed))
        drawn = self._along_taps(self._factor, columns)
        return tf.reshape(drawn, tf.concat([[n], self.event_shape], axis=0))

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        return -0.5 * self.squared_distance(value) - self._half_log_determinant()

    def squared_distance(self, value: tf.Tensor) -> tf.Tensor:
        """`w' P w`, the squared Mahalanobis distance of a weight from zero, with the precision matrix `P`."""
        white = self._along_taps(self._whitening, self._as_columns(value))
        return tf.reduce_sum(tf.square(white), axis=[-3, -2, -1])

    def cross_entropy(self, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """`-E log p(w)` of independent elements with that mean and variance, of the weight's shape."""
        diagonal = tf.constant(np.sum(np.square(self._whitening), axis=0)[:, np.newaxis], self.dtype)
        trace = tf.reduce_sum(diagonal * self._as_columns(variance))
        return 0.5 * (trace + self.squared_distance(mean)) + self._half_log_determinant()

    def _mean(self) -> tf.Tensor:
        return tf.zeros(self.event_shape, self.dtype)

    def _variance(self) -> tf.Tensor:
        per_tap = np.sum(np.square(self._factor), axis=1)[:, np.newaxis]
        return tf.reshape(tf.constant(np.broadcast_to(per_tap, self._columns_shape), self.dtype), self.event_shape)

    def _half_log_determinant(self) -> float:
        batch, num_taps, num_channels = self._columns_shape
        per_channel = np.sum(np.log(np.diagonal(self._factor))) + 0.5 * num_taps * math.log(2.0 * math.pi)
        return float(batch * num_channels * per_channel)

    def _as_columns(self, value: tf.Tensor) -> tf.Tensor:
        leading = tf.shape(value)[: -self.event_shape.rank]
        return tf.reshape(value, tf.concat([leading, self._columns_shape], axis=0))

    def _along_taps(self, matrix: np.ndarray, columns: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matmul(tf.constant(matrix, self.dtype), columns)


def _cholesky(covariance: np.ndarray, num_taps: int) -> np.ndarray:
    if covariance.shape != (num_taps, num_taps):
        raise ValueError(
            f"The covariance of a kernel with {num_taps} taps is a [{num_taps}, {num_taps}] matrix. "
            f"Received shape {list(covariance.shape)}."
        )
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "The covariance over taps must be positive definite; a larger jitter makes it so. Received one with the "
            f"eigenvalues {np.linalg.eigvalsh(covariance)}."
        ) from error

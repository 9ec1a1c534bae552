"""The base of distributions of whole weights, whose elements depend on one another."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.distributions.whole_weight import WholeWeight


class Joint(WholeWeight):
    """A whole weight that is one kernel, or a batch of kernels that are independent of one another.

    Inside, a weight is `[B, D]`: B kernels of D elements each. A subclass draws such rows; if it has a density, it
    defines `_log_prob`, and `_entropy` where it is known.

    Args:
      shape: Shape of the weight, batch dimensions first.
      batch_ndims: How many leading dimensions count kernels.
      dtype: Floating-point type.
      name: Name of the family, for messages and summaries.
      parameters: What the distribution was made of.
    """

    def __init__(
        self, shape: Sequence[int], batch_ndims: int, dtype: tf.DType, name: str, parameters: Mapping[str, Any]
    ) -> None:
        super().__init__(shape, dtype, parameters, name)
        self._sizes = tuple(int(size) for size in shape)
        self._batch_ndims = batch_ndims

    @abc.abstractmethod
    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        """`[n, B, D]`: n draws of every kernel."""

    @property
    def num_kernels(self) -> int:
        """Number of independent kernels B."""
        return math.prod(self._sizes[: self._batch_ndims])

    @property
    def size(self) -> int:
        """Number of elements D of a kernel."""
        return math.prod(self._sizes[self._batch_ndims :])

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """Rows and columns of a kernel as a matrix: all its axes but the last, and the last."""
        return self.size // self._sizes[-1], self._sizes[-1]

    def rows_of(self, tensor: Any) -> tf.Tensor:
        """`[.., B, D]` from `[.., *shape]`."""
        tensor = tf.convert_to_tensor(tensor)
        leading = tf.shape(tensor)[: tensor.shape.rank - len(self._sizes)]
        return tf.reshape(tensor, tf.concat([leading, [self.num_kernels, self.size]], axis=0))

    def weights_of(self, rows: tf.Tensor, num_leading: int = 0) -> tf.Tensor:
        """`[.., *shape]` from rows, whatever their axes after the leading ones."""
        return tf.reshape(rows, tf.concat([tf.shape(rows)[:num_leading], self._sizes], axis=0))

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        return self.weights_of(self._draw_rows(n, seed), num_leading=1)

    def _stddev(self) -> tf.Tensor:
        return tf.sqrt(self._variance())

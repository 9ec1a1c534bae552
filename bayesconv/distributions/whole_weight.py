"""The base of distributions of whole weights whose elements depend on one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from bayesconv import random


class WholeWeight(tfd.Distribution):
    """One distribution whose event is a weight; a subclass adds `_log_prob` and `_sample_n`.

    Args:
      shape: Shape of the weight.
      dtype: Its floating-point type.
      parameters: What the subclass was called with.
      name: Name.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, parameters: Mapping[str, Any], name: str) -> None:
        self._weight_shape = tf.TensorShape(shape)
        super().__init__(
            dtype=tf.as_dtype(dtype),
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={key: value for key, value in parameters.items() if key not in ("self", "__class__")},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
        return {}

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape(self) -> tf.TensorShape:
        return self._weight_shape

    def _standard_normal(self, n: Any, seed: Any) -> tf.Tensor:
        sizes: Any = self._weight_shape.as_list()
        return random.normal(tf.concat([[n], tf.constant(sizes, tf.int32)], axis=0), seed, self.dtype)

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        """Over the axes of the weight."""
        return tf.reduce_sum(values, axis=list(range(-self._weight_shape.rank, 0)))

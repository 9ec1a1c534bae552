"""The log-uniform density, which is no distribution."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd


class LogUniform(tfd.Distribution):
    """`p(w)` proportional to `1 / |w|`: every order of magnitude of a weight is as likely, and so is either sign.

    The integral over all weights is infinite, so there is no constant, no moment and no sample: `log_prob` is
    `-log |w|`, and a KL from it is known up to a constant. It regularizes; it is no belief.

    Args:
      dtype: Floating-point type.
      name: Name.

    References:
      Kingma et al., Variational Dropout and the Local Reparameterization Trick, NeurIPS 2015. arXiv:1506.02557

    Example:
      >>> round(float(LogUniform().log_prob(0.5)), 4)  # log 2
      0.6931
    """

    def __init__(self, dtype: Any = tf.float32, name: str = "LogUniform") -> None:
        super().__init__(
            dtype=tf.as_dtype(dtype),
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"dtype": dtype, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
        return {}

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        return -tf.math.log(tf.maximum(tf.abs(value), tf.constant(_SMALLEST, value.dtype)))

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        raise NotImplementedError(
            "The log-uniform prior is improper: its density 1 / |w| has no finite integral, so nothing can be drawn "
            "from it. Choose a proper prior with heavy tails, such as 'student_t' or 'horseshoe'."
        )


_SMALLEST = 1e-37  # a weight of exactly zero has no finite density

"""Zero-mean normals whose one variance for a weight is not fixed: it is inferred, or the mean is another's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from bayesconv import random
from bayesconv.distributions.whole_weight import WholeWeight


class InverseGammaNormal(WholeWeight):
    """`w ~ N(0, v I)` with one `v ~ InverseGamma(concentration, rate)` for the whole weight.

    `log_prob` is that of the weight with `v` integrated out, a multivariate Student's t of `2 a` degrees of freedom:
    `p(w) = Gamma(a + W/2) / Gamma(a) b^a (2 pi)^(-W/2) (b + |w|^2 / 2)^-(a + W/2)`.

    Args:
      shape: Shape of the weight, `W` elements.
      concentration: `a`.
      rate: `b`.
      dtype: Floating-point type.
      name: Name.

    Example:
      >>> student = InverseGammaNormal([1], concentration=0.5, rate=0.5, dtype=tf.float64)
      >>> round(float(student.log_prob([1.0])), 4)  # a Cauchy: -log(2 pi)
      -1.8379
    """

    def __init__(
        self,
        shape: Sequence[int],
        concentration: float,
        rate: float,
        dtype: Any = tf.float32,
        name: str = "InverseGammaNormal",
    ) -> None:
        self.concentration, self.rate, self.size = float(concentration), float(rate), math.prod(shape)
        super().__init__(shape, dtype, {"concentration": concentration, "rate": rate}, name)

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        power = self.concentration + self.size / 2.0
        constant = math.lgamma(power) - math.lgamma(self.concentration) - self.size / 2.0 * math.log(2.0 * math.pi)
        constant += self.concentration * math.log(self.rate)
        return constant - power * tf.math.log(self.rate + 0.5 * self._sum(tf.square(value)))

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        of_variance, of_weight = random.split(seed)
        variance = self.of_variance().sample(n, seed=of_variance)
        shape = tf.concat([[n], tf.ones([self.event_shape.rank], tf.int32)], axis=0)
        return tf.sqrt(tf.reshape(variance, shape)) * self._standard_normal(n, of_weight)

    def of_variance(self) -> tfd.Distribution:
        """The distribution of the variance."""
        return tfd.InverseGamma(*(tf.constant(value, self.dtype) for value in (self.concentration, self.rate)))

    def best_variance(self, square: tf.Tensor) -> tf.Tensor:
        """`(S + 2 b) / (W + 2 a + 2)`, the variance that suits weights whose expected sum of squares is `S`."""
        return (square + 2.0 * self.rate) / (self.size + 2.0 * self.concentration + 2.0)

    def _mean(self) -> tf.Tensor:
        return tf.zeros(self.event_shape, self.dtype)


class TiedMeanNormal(WholeWeight):
    """`N(loc, scale^2 I)` with the location of whichever posterior it is compared with.

    It has no density of its own, only a KL from a posterior, and no samples.

    Args:
      shape: Shape of the weight.
      scale: Standard deviation.
      dtype: Floating-point type.
      name: Name.

    Example:
      >>> TiedMeanNormal([3, 2], 0.1).event_shape
      TensorShape([3, 2])
    """

    def __init__(
        self, shape: Sequence[int], scale: float, dtype: Any = tf.float32, name: str = "TiedMeanNormal"
    ) -> None:
        self.scale, self.size = float(scale), math.prod(shape)
        super().__init__(shape, dtype, {"scale": scale}, name)

    def cross_entropy(self, variance: tf.Tensor) -> tf.Tensor:
        """`-E log p(w)` of a posterior with that variance."""
        squares = self._sum(variance) / (2.0 * self.scale**2)
        return squares + self.size * (math.log(self.scale) + 0.5 * math.log(2.0 * math.pi))

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        raise NotImplementedError(
            "The prior 'tied_mean' takes its mean from the posterior, so it has no draws of its own. Choose a prior "
            "with a mean, such as 'normal'."
        )

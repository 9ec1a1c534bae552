"""Kernels of which whole input channels are dropped."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.distributions.joint import Joint


class FilterwiseDropout(Joint):
    """`w = loc o m_c / (1 - rate)`, with one `m_c ~ Bernoulli(1 - rate)` for every input channel.

    The axes of a kernel are its taps, input channels and output channels. It has no density. The rate is fixed, so
    that a draw moves with `loc`: it counts as reparameterized.

    Args:
      loc: Mean, of the kernel's shape.
      rate: Probability that a channel is dropped.
      batch_ndims: How many leading dimensions of the shape count independent kernels.
      name: Name of the family.

    References:
      Gal and Ghahramani, Bayesian Convolutional Neural Networks with Bernoulli Approximate Variational Inference, 2016.
      arXiv:1506.02158
    """

    def __init__(self, loc: Any, rate: float, batch_ndims: int = 0, name: str = "FilterwiseDropout") -> None:
        super().__init__(loc.shape, batch_ndims, loc.dtype, name, {"loc": loc, "rate": rate})
        self.loc, self.rate = loc, rate

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        channels = self.loc.shape[-2:].as_list()
        u = 0.5 + 0.5 * random.uniform([n, self.num_kernels, channels[0]], seed, self.dtype)  # in (0, 1]
        mask = tf.cast(u > self.rate, self.dtype) / (1.0 - self.rate)
        num_taps = self.size // (channels[0] * channels[1])
        everywhere = tf.repeat(tf.tile(mask, [1, 1, num_taps]), channels[1], axis=-1)
        return self.rows_of(self.loc) * everywhere

    def _mean(self) -> tf.Tensor:
        return tf.identity(self.loc)

    def _variance(self) -> tf.Tensor:
        return tf.square(self.loc) * (self.rate / (1.0 - self.rate))

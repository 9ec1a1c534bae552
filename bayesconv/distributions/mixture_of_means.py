"""Mixtures over whole weights."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.distributions.joint import Joint


class MixtureOfMeans(Joint):
    """`1/K sum_k prod_i N(w_i; loc_ki, scale_i^2)`: K kernels that differ in their means, each as probable.

    A draw picks a component and moves with its parameters. Since the probabilities are fixed, the gradient of an
    expectation is the mean over components of such pathwise gradients, so draws count as reparameterized.

    Args:
      loc: Means of the components, `[K, *shape]`.
      scale: Standard deviation of an element in every component, of the weight's shape.
      batch_ndims: How many leading dimensions of the shape count independent kernels; each picks a component.
      name: Name of the family.
    """

    def __init__(self, loc: Any, scale: Any, batch_ndims: int = 0, name: str = "MixtureOfMeans") -> None:
        super().__init__(scale.shape, batch_ndims, loc.dtype, name, {"loc": loc, "scale": scale})
        self.loc, self.scale = loc, scale

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        seed_component, seed_noise = random.split(seed)
        chosen = one_of(self.loc.shape[0], [n, self.num_kernels], seed_component, self.dtype)
        noise = random.normal([n, self.num_kernels, self.size], seed_noise, self.dtype)
        return tf.einsum("nbk,kbd->nbd", chosen, self.rows_of(self.loc)) + self.rows_of(self.scale) * noise

    def _mean(self) -> tf.Tensor:
        return tf.reduce_mean(self.loc, axis=0)

    def _variance(self) -> tf.Tensor:
        return tf.square(self.scale) + tf.math.reduce_variance(self.loc, axis=0)

    def _log_prob(self, value: Any) -> tf.Tensor:
        value = tf.expand_dims(value, -1 - self.event_shape.rank)
        distances = tf.reduce_sum(tf.square(self.rows_of((value - self.loc) / self.scale)), axis=-1)  # [.., K, B]
        per_kernel = tf.reduce_logsumexp(-0.5 * distances, axis=-2) - math.log(self.loc.shape[0])
        constant = 0.5 * math.log(2.0 * math.pi) * self.num_kernels * self.size
        return tf.reduce_sum(per_kernel, axis=-1) - tf.reduce_sum(tf.math.log(self.scale)) - constant


def one_of(num: int, shape: Any, seed: Any, dtype: tf.DType) -> tf.Tensor:
    """`[*shape, num]`: rows that are zero but for a 1 at a place drawn uniformly."""
    u = 0.5 + 0.5 * random.uniform(shape, seed)  # in (0, 1]
    return tf.one_hot(tf.minimum(tf.cast(num * u, tf.int32), num - 1), num, dtype=dtype)

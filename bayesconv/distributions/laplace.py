"""Laplace of single weights."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from bayesconv import random


class Laplace(tfd.Laplace):
    """`tfd.Laplace` that draws by `bayesconv.random`: a random sign times an exponential, `-log u`."""

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        loc, scale = tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.scale)
        shape = tf.concat([[n], self._batch_shape_tensor(loc=loc, scale=scale)], axis=0)
        seed_magnitude, seed_sign = random.split(seed)
        u = 0.5 + 0.5 * random.uniform(shape, seed_magnitude, loc.dtype)  # in (0, 1]
        return loc - scale * tf.math.log(u) * random.signs(shape, seed_sign, loc.dtype)

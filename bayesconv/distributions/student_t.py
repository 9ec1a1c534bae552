"""Student's t of single weights."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from bayesconv import random


class StudentT(tfd.StudentT):
    """`tfd.StudentT` that draws by `bayesconv.random` and Bailey's polar method, exact for every df.

    `t = sqrt(df (u^(-2 / df) - 1)) cos(2 pi v)` with two uniforms; location and scale are reparameterized, df is fixed.

    References:
      Bailey, Polar Generation of Random Variates with the t-Distribution, Mathematics of Computation 62, 1994.
    """

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        df, loc, scale = (tf.convert_to_tensor(value) for value in (self.df, self.loc, self.scale))
        shape = tf.concat([[n], self._batch_shape_tensor(df=df, loc=loc, scale=scale)], axis=0)
        seed_radius, seed_angle = random.split(seed)
        u = 0.5 + 0.5 * random.uniform(shape, seed_radius, loc.dtype)  # in (0, 1]
        radius = tf.sqrt(df * tf.math.expm1(-2.0 / df * tf.math.log(u)))
        return loc + scale * radius * tf.cos(math.pi * random.uniform(shape, seed_angle, loc.dtype))

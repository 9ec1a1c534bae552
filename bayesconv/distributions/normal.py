"""Normals of single weights, and whole weights of independent elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util as tfp_util

from bayesconv import random


class Normal(tfd.Normal):
    """`tfd.Normal` that draws by `bayesconv.random`, so that a seed means the same numbers eagerly and under XLA."""

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        loc, scale = tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.scale)
        shape = tf.concat([[n], self._batch_shape_tensor(loc=loc, scale=scale)], axis=0)
        return loc + scale * random.normal(shape, seed, loc.dtype)


def independent(distribution: tfd.Distribution) -> tfd.Distribution:
    """One distribution whose event is the whole weight, from a batch of scalar ones."""
    return tfd.Independent(distribution, reinterpreted_batch_ndims=distribution.batch_shape.rank)


def mean_field_normal(loc: tf.Tensor, scale: tf.Tensor, name: str) -> tfd.Distribution:
    """An independent normal for every weight, with variables `name/loc` and `name/untransformed_scale`.

    The scale is the exponential of its variable: positive wherever an optimizer takes it, and a step of the optimizer
    changes it by the same share whether it is large or small.

    Args:
      loc: Initial location, of the weight's shape.
      scale: Initial scale, of the weight's shape.
      name: Prefix of the variables' names.
    """
    scale_variable = tfp_util.TransformedVariable(scale, tfb.Exp(), name=f"{name}/untransformed_scale")
    return independent(Normal(tf.Variable(loc, name=f"{name}/loc"), scale_variable))


def identically_distributed(distribution: tfd.Distribution, shape: Sequence[int]) -> tfd.Distribution:
    """One distribution whose event is the whole weight, from that of a single element."""
    return tfd.Sample(distribution, tuple(shape))


def normal_mixture(scales: Sequence[float], probs: Sequence[float], dtype: tf.DType) -> tfd.Distribution:
    """A zero-mean mixture of normals for a single element."""
    kind = dtype.as_numpy_dtype
    components = Normal(np.zeros(len(scales), kind), np.asarray(scales, kind))
    return tfd.MixtureSameFamily(tfd.Categorical(probs=np.asarray(probs, kind)), components)


def elementwise(distribution: tfd.Distribution) -> tfd.Distribution | None:
    """The distribution of single elements if they are independent, with a batch shape that broadcasts to the weight's.

    Example:
      >>> import tensorflow_probability as tfp
      >>> elementwise(tfp.distributions.Sample(tfp.distributions.Laplace(0., 1.), [3, 3])).name
      'Laplace'
    """
    if isinstance(distribution, (tfd.Independent, tfd.Sample)):
        inner = distribution.distribution
        return inner if inner.event_shape.rank == 0 else None
    return distribution if distribution.event_shape.rank == 0 else None

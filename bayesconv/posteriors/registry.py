"""The registry of posteriors, and what several of them share."""

from __future__ import annotations

import math

import tensorflow as tf

from bayesconv import initializers, random
from bayesconv.registry import Registry
from bayesconv.weights import WeightSpec

REGISTRY = Registry("posterior", num_positional=1)
register = REGISTRY.register


def initial_location(spec: WeightSpec, scale: float) -> tf.Tensor:
    """Initial location of a weight of that initial scale: the initializer's, or He normal less the scale's share."""
    if spec.initializer is not None:
        return initializers.initial_value(spec.initializer, spec.shape, spec.dtype, spec.batch_ndims, spec.seed)
    stddev = math.sqrt(max(spec.he_stddev**2 - scale**2, 0.0))
    return tf.cast(stddev, spec.dtype) * random.normal(spec.shape, spec.seed, spec.dtype)

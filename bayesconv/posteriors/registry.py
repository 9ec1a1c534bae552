"""The registry of posteriors, and what several of them share."""

from __future__ import annotations

import math
import numbers

import numpy as np
import tensorflow as tf

from bayesconv import initializers, random
from bayesconv.registry import Registry
from bayesconv.weights import WeightSpec

REGISTRY = Registry("posterior", num_positional=1)
register = REGISTRY.register


def starting_scale(spec: WeightSpec, initial_scale: float | None, initial_scale_ratio: float) -> float:
    """Initial standard deviation of a weight: as given, or relative to `sqrt(2 / fan_in)`.

    Raises:
      ValueError: If it is not a positive, finite number.
    """
    factor, unit = (initial_scale_ratio, spec.he_stddev) if initial_scale is None else (initial_scale, 1.0)
    if not (isinstance(factor, numbers.Real) and 0 < factor < math.inf):
        raise ValueError(
            f"A posterior starts with a positive scale. Received initial_scale={initial_scale}, "
            f"initial_scale_ratio={initial_scale_ratio}: give one finite number for all weights."
        )
    return factor * unit


def initial_location(spec: WeightSpec, scale: float) -> tf.Tensor:
    """Initial location of a weight of that initial scale: the initializer's, or He normal less the scale's share."""
    if spec.initializer is not None:
        return initializers.initial_value(spec.initializer, spec.shape, spec.dtype, spec.batch_ndims, spec.seed)
    stddev = math.sqrt(max(spec.he_stddev**2 - scale**2, 0.0))
    return tf.cast(stddev, spec.dtype) * random.normal(spec.shape, spec.seed, spec.dtype)


def noisy_location(spec: WeightSpec, relative_variance: float) -> tf.Tensor:
    """Initial location of a weight whose variance is `relative_variance` times its location's square."""
    share = relative_variance / (1.0 + relative_variance)
    return initial_location(spec, math.sqrt(share) * spec.he_stddev)


def location_variable(spec: WeightSpec, scale: float) -> tf.Variable:
    """The variable `name/loc` of a weight of that initial scale."""
    return tf.Variable(initial_location(spec, scale), name=f"{spec.name}/loc")


def filled(shape: tuple[int, ...], value: float, spec: WeightSpec) -> tf.Tensor:
    """A tensor of that shape and of the weight's type."""
    return tf.fill(shape, tf.cast(value, spec.dtype))


def batch_shape(spec: WeightSpec) -> tuple[int, ...]:
    """How many kernels a weight is made of."""
    return spec.shape[: spec.batch_ndims]


def matrix_shape(spec: WeightSpec) -> tuple[int, int]:
    """Rows and columns of a kernel as a matrix: all its axes but the last, and the last; a bias is one row."""
    columns = spec.shape[-1]
    return math.prod(spec.shape[spec.batch_ndims :]) // columns, columns


def check_count(what: str, value: int) -> None:
    """Raises a ValueError unless a number of parts is a positive integer."""
    if not (isinstance(value, (int, np.integer)) and value > 0):
        raise ValueError(f"{what} must be a positive integer. Received {value!r}.")


def check_rate(posterior: str, rate: float) -> None:
    """Raises a ValueError unless a rate of dropout is inside of (0, 1)."""
    if not 0 < rate < 1:
        raise ValueError(
            f"The rate of {posterior} is a probability in (0, 1). Received {rate!r}. "
            "Without dropout, use posterior='deterministic'."
        )

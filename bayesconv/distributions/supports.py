"""Where distributions of weights live: on all real numbers, on a part of them, or on single points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from bayesconv.distributions.normal import SPREAD

_POINTS = (tfd.Deterministic, tfd.VectorDeterministic)
_NEAR, _FAR = (-10.0, -1.0, -1e-3, 1e-3, 1.0, 10.0), (-1e12, 1e12)


def family(distribution: Any) -> str:
    """Name of what a distribution is made of, for messages."""
    return type(_innermost(distribution)).__name__


def is_point(distribution: Any) -> bool:
    """Whether nothing about the weight is random, so that there is no density.

    Example:
      >>> is_point(tfd.Sample(tfd.Deterministic(0.0), [3]))
      True
    """
    return any(isinstance(part, _POINTS) for part in _parts(distribution))


def has_differential_entropy(distribution: Any) -> bool:
    """Whether `entropy` is that of a density over all of the weight; of masses on points it is another quantity."""
    parts = tuple(_parts(distribution))
    is_masked = any(isinstance(part, (*_POINTS, tfd.Masked)) for part in parts)
    return not is_masked and distribution.reparameterization_type == tfd.FULLY_REPARAMETERIZED


def why_not_covered(q: Any, p: Any) -> str | None:
    """Why a prior gives no finite divergence from a posterior, or None if nothing is known against it.

    It may be discrete, of masked elements, or without a density where the posterior has one.

    Example:
      >>> why_not_covered(tfd.Normal(0.0, 1.0), tfd.Exponential(1.0))
      'Exponential has no density at -1e+12'
      >>> why_not_covered(tfd.LogNormal(0.0, 1.0), tfd.Exponential(1.0))
    """
    if any(isinstance(part, tfd.Masked) for part in _parts(p)):
        return "Masked has no density where it is masked"
    if is_point(p):
        return f"{family(p)} is a point"
    reasons = [_why_not_inside(q, element) for element in _components(_innermost(p))]
    return None if None in reasons else reasons[0]


def _why_not_inside(q: Any, p: Any) -> str | None:
    element = _innermost(p)
    if element.event_shape.rank != 0:
        return None
    try:
        bijector = element.experimental_default_event_space_bijector()
    except NotImplementedError:  # of a family of your own; what it says of single values is all there is
        return _why_not_probable(element)
    if bijector is None:
        return f"{family(p)} is discrete"
    if isinstance(bijector, tfb.Identity):
        return None  # as the loop would find, slowly
    for value in _values(q, element.dtype):
        if not _is_finite(bijector.inverse, value, element.dtype):
            return f"{family(p)} has no density at {value:g}"
    return None


def _why_not_probable(element: Any) -> str | None:
    if not element.dtype.is_floating:
        return f"{family(element)} is discrete"
    if not any(hasattr(element, name) for name in ("_log_prob", "_prob")):
        return None
    for value in _NEAR:
        if not _is_finite(element.log_prob, value, element.dtype):
            return f"the log-density of {family(element)} at {value:g} is not finite"
    return None


def _values(q: Any, dtype: tf.DType) -> Iterator[float]:
    """Values from all over the posterior's support."""
    element, bijector = _innermost(q), None
    if element.event_shape.rank == 0 and not is_point(q):
        try:
            bijector = element.experimental_default_event_space_bijector()
        except NotImplementedError:
            bijector = None
    if bijector is None or isinstance(bijector, tfb.Identity):
        yield from (*_FAR, *_NEAR)
        return
    inside = bijector.forward(tf.reshape(tf.constant(_NEAR, dtype), [-1, *[1] * element.batch_shape.rank]))
    static = tf.get_static_value(inside)
    yield from () if static is None else np.ravel(static)[:: max(1, np.size(static) // 64)].tolist()


def _is_finite(function: Callable[[tf.Tensor], tf.Tensor], value: float, dtype: tf.DType) -> bool:
    try:
        result = tf.get_static_value(function(tf.constant(value, dtype)))
    except tf.errors.InvalidArgumentError:  # of a distribution that validates its arguments
        return False
    return result is None or bool(np.isfinite(result).all())


def _parts(distribution: Any) -> Iterator[Any]:
    """A distribution, the one that it is made of, and so on."""
    while isinstance(distribution, tfd.Distribution):
        yield distribution
        distribution = getattr(distribution, "distribution", None)


def _components(element: Any) -> tuple[Any, ...]:
    """Of a mixture; its density is positive where one of theirs is."""
    if isinstance(element, tfd.MixtureSameFamily):
        return (element.components_distribution,)
    return tuple(element.components) if isinstance(element, tfd.Mixture) else (element,)


def _innermost(distribution: Any) -> Any:
    while isinstance(distribution, SPREAD):
        distribution = distribution.distribution
    return distribution

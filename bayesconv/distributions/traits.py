"""What may be done with a distribution of weights: traits that estimators ask for."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from bayesconv.distributions.normal import SPREAD, elementwise

SIGN_SYMMETRIC = "sign_symmetric"
INDEPENDENT_NORMAL = "independent_normal"


@functools.singledispatch
def element_traits(distribution: tfd.Distribution) -> frozenset[str]:
    """What holds of a scalar distribution; register a type of your own to let estimators use it.

    `"sign_symmetric"`: it is symmetric about its mean, so a deviation's sign may be flipped.
    `"independent_normal"`: it is normal, so a weighted sum is normal too.
    """
    return frozenset()


element_traits.register(tfd.Normal, lambda _: frozenset({SIGN_SYMMETRIC, INDEPENDENT_NORMAL}))
element_traits.register(tfd.Laplace, lambda _: frozenset({SIGN_SYMMETRIC}))


@element_traits.register(tfd.StudentT)
def _student_t_traits(distribution: tfd.StudentT) -> frozenset[str]:
    df = tf.get_static_value(tf.convert_to_tensor(distribution.df))
    has_mean = df is not None and bool((df > 1).all())
    return frozenset({SIGN_SYMMETRIC}) if has_mean else frozenset()


@functools.singledispatch
def weight_traits(distribution: tfd.Distribution) -> frozenset[str]:
    """What holds of a distribution of whole weights whose elements are not independent; register types of your own."""
    return frozenset()


def traits(distribution: tfd.Distribution) -> frozenset[str]:
    """What holds of a weight's distribution: its elements' traits if these are independent, else its own."""
    elements = elementwise(distribution)
    return weight_traits(distribution) if elements is None else element_traits(elements)


def has_density(distribution: tfd.Distribution) -> bool:
    """Whether `log_prob` is defined; it is not where weights are confined to fewer dimensions than they have.

    Example:
      >>> has_density(tfd.Sample(tfd.Normal(0.0, 1.0), [3]))
      True
    """
    if isinstance(distribution, SPREAD):
        return has_density(distribution.distribution)
    return any(hasattr(distribution, name) for name in ("_log_prob", "_prob"))


def has_mean(distribution: tfd.Distribution) -> bool:
    """Whether the mean is known and, where its value is, finite.

    Example:
      >>> has_mean(tfd.Cauchy(0.0, 1.0))
      False
    """
    elements = elementwise(distribution)
    if isinstance(elements, tfd.Normal) and isinstance(elements.loc, tf.Variable):
        return True
    try:
        static = tf.get_static_value(distribution.mean())
    except NotImplementedError:
        return False
    return static is None or bool(np.isfinite(static).all())

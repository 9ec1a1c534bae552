"""Means and variances behind activations: functions of one normal number, in closed form or by quadrature."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from bayesconv import precision
from bayesconv.moments.normal import Transformed, cdf, density, positive, rectified

Activation = Callable[..., Any]
ActivationRule = Callable[..., Transformed]
NUM_POINTS = 16  # of Gauss-Hermite quadrature
_RULES: dict[Activation, ActivationRule] = {}


def register_activation(function: Activation, rule: ActivationRule | None = None) -> Activation:
    """Makes the moments of a function known that acts on every element alone.

    Args:
      function: The function; keyword arguments bound by `functools.partial` go to the rule.
      rule: `rule(mean, variance) -> (mean, variance, gain)` for a normal element, with the gain `E f'(x)`; None for
        quadrature, which evaluates the function 16 times.

    Returns:
      The function, so that this is a decorator too.

    Example:
      >>> import bayesconv as bc
      >>> @bc.moments.register_activation
      ... def cube(x):
      ...     return x**3
      >>> [round(float(part), 3) for part in transformed(cube, tf.constant(0.0), tf.constant(1.0))]
      [0.0, 15.0, 3.0]
    """
    _RULES[function] = quadrature(function) if rule is None else rule
    return function


def has_moments(function: Activation) -> bool:
    """Whether there is a rule for a function."""
    return _unbound(function)[0] in _RULES


def transformed(function: Activation, mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """Moments behind a registered function, computed in float32 at least and given back in the type of the mean."""
    unbound, keywords = _unbound(function)
    wide = _RULES[unbound](precision.widened(mean), precision.widened(variance), **keywords)
    return Transformed(*(tf.cast(part, mean.dtype) for part in wide))


def _unbound(function: Any) -> tuple[Any, dict[str, Any]]:
    """The function that has a rule, or the innermost, and the options that partial applications of it bound."""
    keywords: dict[str, Any] = {}
    while function not in _RULES and isinstance(function, functools.partial) and not function.args:
        keywords, function = {**function.keywords, **keywords}, function.func
    return function, keywords


def quadrature(function: Activation, num_points: int = NUM_POINTS) -> ActivationRule:
    """The rule of a function by Gauss-Hermite quadrature, exact for polynomials of a degree below `num_points`.

    Args:
      function: The function of an element.
      num_points: Number of evaluations.
    """
    nodes, weights = (part.tolist() for part in np.polynomial.hermite_e.hermegauss(num_points))
    weights = [weight / math.fsum(weights) for weight in weights]

    def average(values: list[tf.Tensor]) -> tf.Tensor:
        return tf.add_n([weight * value for value, weight in zip(values, weights, strict=True)])

    def rule(mean: tf.Tensor, variance: tf.Tensor, **keywords: Any) -> Transformed:
        scale = tf.sqrt(positive(variance))
        values = [function(mean + node * scale, **keywords) for node in nodes]
        centre = average(values)
        deviations = [value - centre for value in values]
        slope = average([node * deviation for node, deviation in zip(nodes, deviations, strict=True)]) / scale
        return Transformed(centre, average([tf.square(deviation) for deviation in deviations]), slope)

    return rule


def identity(mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """The number itself."""
    return Transformed(mean, variance, tf.ones_like(mean))


def relu(mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """`max(x, 0)`, exactly."""
    return rectified(mean, variance)


def leaky_relu(mean: tf.Tensor, variance: tf.Tensor, alpha: float = 0.2) -> Transformed:
    """`a x + (1 - a) max(x, 0)`, exactly: `Cov(x, max(x, 0)) = v Phi(m / s)`."""
    rest, above = 1.0 - alpha, rectified(mean, variance)
    spread = alpha**2 * variance + rest**2 * above.variance + 2.0 * alpha * rest * variance * above.gain
    return Transformed(alpha * mean + rest * above.mean, spread, alpha + rest * above.gain)


def elu(mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """`x` above zero and `exp(x) - 1` below, exactly."""
    return _exponential_below(mean, variance, 1.0)


def selu(mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """`1.0507 x` above zero and `1.0507 * 1.6733 (exp(x) - 1)` below, exactly."""
    unit, scale = _exponential_below(mean, variance, 1.6732632423543772), 1.0507009873554805
    return Transformed(scale * unit.mean, scale**2 * unit.variance, scale * unit.gain)


def _exponential_below(mean: tf.Tensor, variance: tf.Tensor, alpha: float) -> Transformed:
    """`x` above zero, `a (exp(x) - 1)` below: `E[exp(k x); x < 0] = exp(k m + k^2 v / 2) Phi(-(m + k v) / s)`.

    In float64, since a small variance is a difference of moments of order 1.
    """
    m, v = tf.cast(mean, tf.float64), positive(tf.cast(variance, tf.float64))
    scale, above = tf.sqrt(v), rectified(m, v)

    def below(k: int) -> tf.Tensor:
        log_probability = tfd.Normal(tf.zeros([], m.dtype), 1.0).log_cdf(-(m + k * v) / scale)
        return tf.exp(k * m + 0.5 * k**2 * v + log_probability)

    left = alpha * (below(1) - below(0))
    square = alpha**2 * (below(2) - 2.0 * below(1) + below(0))
    spread = above.variance + square - left * (left + 2.0 * above.mean)
    return _narrowed(Transformed(above.mean + left, spread, above.gain + alpha * below(1)), mean)


def relu6(mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """`r - q` with `r = max(x, 0)` and `q = max(x - 6, 0)`, exactly: `r q = q^2 + 6 q`. In float64, like `elu`."""
    m, v = tf.cast(mean, tf.float64), tf.cast(variance, tf.float64)
    r, q = rectified(m, v), rectified(m - 6.0, v)
    covariance = q.variance + q.mean * (q.mean + 6.0 - r.mean)
    return _narrowed(Transformed(r.mean - q.mean, r.variance + q.variance - 2.0 * covariance, r.gain - q.gain), mean)


def absolute(mean: tf.Tensor, variance: tf.Tensor) -> Transformed:
    """`|x|`, exactly: a leaky ReLU of slope -1."""
    return leaky_relu(mean, variance, alpha=-1.0)


def _narrowed(wide: Transformed, like: tf.Tensor) -> Transformed:
    above_zero = wide._replace(variance=tf.maximum(wide.variance, 0.0))
    return Transformed(*(tf.cast(part, like.dtype) for part in above_zero))


def gelu(mean: tf.Tensor, variance: tf.Tensor, approximate: bool = False) -> Transformed:
    """`x Phi(x)`: the mean `m Phi(t) + v phi(t) / sqrt(1 + v)` with `t = m / sqrt(1 + v)`; the rest by quadrature."""
    by_points = _gelu_by_points(mean, variance, approximate=approximate)
    if approximate:
        return by_points
    root = tf.sqrt(1.0 + variance)
    return by_points._replace(mean=mean * cdf(mean / root) + variance / root * density(mean / root))


_gelu_by_points = quadrature(tf.nn.gelu)
_MONOTONE = (
    tf.identity, tf.nn.relu, tf.nn.leaky_relu, tf.nn.elu, tf.nn.selu, tf.nn.relu6, tf.nn.softplus, tf.nn.softsign,
    tf.tanh, tf.sigmoid, tf.math.log_sigmoid, tf.exp, tf.math.expm1, tf.sinh, tf.math.erf,
)  # fmt: skip
_CLOSED: dict[Activation, ActivationRule] = {
    tf.identity: identity,
    tf.nn.relu: relu,
    tf.nn.leaky_relu: leaky_relu,
    tf.nn.elu: elu,
    tf.nn.selu: selu,
    tf.nn.relu6: relu6,
    tf.abs: absolute,
    tf.nn.gelu: gelu,
}
for _function in (*_MONOTONE, *_CLOSED, tf.nn.silu, tf.sin, tf.cos, tf.square):
    register_activation(_function, _CLOSED.get(_function))


def is_monotone(function: Any) -> bool:
    """Whether a function is known never to fall, so that it may change places with a maximum."""
    unbound, keywords = _unbound(function)
    return any(unbound is known for known in _MONOTONE) and keywords.get("alpha", 0.0) >= 0.0

"""Means and variances on their way through a model, and the rules by which layers pass them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import tensorflow as tf

from bayesconv.layers import Layer
from bayesconv.moments.activations import has_moments, transformed
from bayesconv.moments.units import Units
from bayesconv.registry import name_of


class Moments(NamedTuple):
    """What is known of activations whose weights are random, element by element.

    Attributes:
      mean: `[N, ..]`.
      variance: `[N, ..]`, or None where the activations are known, as inputs are.
      shared: `[N, ..]`, a part of the standard deviation, with a sign: an element deviates by `shared * e + own`, where
        all positions of a channel have the same `e`, of variance 1. None where positions count as independent.
      covariance: `[N, K, K]` of the elements of the last axis, or None where these count as independent.
      units: What the channels share, or None; a rule may leave it and `shared` out.
    """

    mean: Any
    variance: Any = None
    shared: Any = None
    covariance: Any = None
    units: Units | None = None

    @property
    def own_variance(self) -> Any:
        """The variance of what positions do not share; zeros where the activations are known."""
        if self.variance is None:
            return tf.zeros_like(self.mean)
        return self.variance if self.shared is None else tf.maximum(self.variance - tf.square(self.shared), 0.0)

    def map(self, function: Callable[[tf.Tensor], tf.Tensor]) -> Moments:
        """The same function, such as a cast or a reshape, of every part but the covariance."""
        variance = None if self.variance is None else function(self.variance)
        return self.deviating(function(self.mean), variance, function)

    def deviating(self, mean: Any, variance: Any, function: Callable[[tf.Tensor], tf.Tensor]) -> Moments:
        """A new mean and variance, and a linear function of the deviations that are shared."""
        shared = None if self.shared is None else function(self.shared)
        units = None if self.units is None else self.units._replace(deviation=function(self.units.deviation))
        return Moments(mean, variance, shared, units=units)


Rule = Callable[[Any, Moments], Moments]
RuleType = TypeVar("RuleType", bound=Callable[..., Moments])
_RULES: dict[type[Layer], Rule] = {}


def register_moments(*layer_types: type[Layer]) -> Callable[[RuleType], RuleType]:
    """Decorator that makes a function the rule of layers of a type: `rule(layer, moments) -> Moments`.

    Types derived from it share the rule, unless they override one of its methods; a later rule replaces an earlier one.

    Args:
      *layer_types: Subclasses of `Layer`.

    Raises:
      TypeError: If one is no subclass of `Layer`.

    Example:
      >>> import bayesconv as bc
      >>> class Twice(bc.Layer):
      ...     def forward(self, inputs, *, is_training, seed):
      ...         return 2.0 * inputs
      >>> @bc.moments.register_moments(Twice)
      ... def twice(layer, moments):
      ...     return bc.moments.Moments(2.0 * moments.mean, 4.0 * moments.variance)
      >>> model = bc.Sequential([bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout), Twice()])
      >>> bc.moments.propagate(model, tf.ones([5, 3])).variance.shape
      TensorShape([5, 2])
    """
    for layer_type in layer_types:
        if not (isinstance(layer_type, type) and issubclass(layer_type, Layer)):
            raise TypeError(f"register_moments registers rules for subclasses of Layer. Received {layer_type!r}.")

    def add(rule: RuleType) -> RuleType:
        _RULES.update(dict.fromkeys(layer_types, rule))
        return rule

    return add


def apply_rule(member: Callable[..., Any] | None, moments: Moments) -> Moments:
    """The moments behind a layer or a function; rules of layers made of layers call it on their members.

    Args:
      member: A layer, or a function of every element alone; None passes the moments on.
      moments: What goes in.

    Raises:
      TypeError: If there is no rule for it.
    """
    if member is None:
        return moments
    if isinstance(member, Layer):
        rule = rule_of(member)
        if rule is None:
            raise TypeError(_missing_layer(member))
        return rule(member, moments)
    if moments.variance is None:  # whatever the function is
        return Moments(member(moments.mean))
    if not has_moments(member):
        raise TypeError(_missing_function(member))
    mean, variance, gain = transformed(member, moments.mean, moments.variance)
    return moments.deviating(mean, variance, lambda deviation: gain * deviation)


def rule_of(member: Any) -> Rule | None:
    """The rule of a layer, its type's own or inherited; None if there is none, or for a function."""
    return _found(type(member)) if isinstance(member, Layer) else None


def _found(layer_type: type) -> Rule | None:
    for depth, base in enumerate(layer_type.__mro__):
        if base in _RULES:
            is_changed = any(_overrides(derived, base) for derived in layer_type.__mro__[:depth])
            return None if is_changed else _RULES[base]
    return None


def _overrides(derived: type, base: type) -> bool:
    """Whether a class computes something else than its base, of which a rule of the base knows nothing."""
    methods = {name for name, value in vars(derived).items() if callable(value) and not name.startswith("__")}
    return any(hasattr(base, name) for name in methods)


def _missing_layer(layer: Layer) -> str:
    kind = type(layer).__name__
    return (
        f"There is no rule for the moments of `{layer.name}`, a {kind}, so nothing is known of how it passes on means "
        "and variances. Predict by sampling, or register a rule:\n"
        f"    @bayesconv.moments.register_moments({kind})\n"
        "    def rule(layer, moments):\n"
        "        return bayesconv.moments.Moments(mean=.., variance=..)  # of moments.mean and moments.variance"
    )


def _missing_function(function: Any) -> str:
    name = name_of(function)
    return (
        f"There is no rule for the moments of the function {name}. Predict by sampling; or, if it acts on every "
        "element alone, register it, and its moments are found by quadrature:\n"
        f"    bayesconv.moments.register_activation({name})\n"
        "Another function may become a layer with a rule of its own: see bayesconv.moments.register_moments."
    )

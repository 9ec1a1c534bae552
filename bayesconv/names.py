"""What a saved model may name: layer classes and functions, by names that were registered and never by import path."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

from bayesconv import divergences, estimators, kernel_bias, layers, overrides, posteriors, priors
from bayesconv.layers import Layer
from bayesconv.registry import Registry

Function = TypeVar("Function", bound=Callable[..., Any])
LayerType = TypeVar("LayerType", bound=type[Layer])

layer_types = Registry("layer")
functions = Registry("function")

# Every kind of part that a description may name, by the word that it stands under there.
KINDS: dict[str, Any] = {
    "layer": layer_types,
    "function": functions,
    "posterior": posteriors,
    "prior": priors,
    "estimator": estimators,
    "divergence": divergences,
}

_OF_TENSORFLOW = {
    "tf": "identity reduce_max reduce_mean reduce_sum stop_gradient",
    "tf.math": """abs cos erf exp expm1 log log1p log_sigmoid maximum minimum negative reciprocal rsqrt sigmoid sign sin
        sinh softplus sqrt square tan tanh""",
    "tf.nn": "crelu elu gelu l2_normalize leaky_relu log_softmax relu relu6 selu silu softmax softsign",
}


def register_layer(name: str, *, force: bool = False) -> Callable[[LayerType], LayerType]:
    """Decorator that lets saved models hold layers of a class.

    Such a layer is built again by calling the class with the arguments that it was built with.

    Args:
      name: What files call the class; keep it when the class moves or changes its name.
      force: Replace an earlier class of that name, as re-running a notebook cell does.

    Raises:
      TypeError: If it is no subclass of `Layer`.
      ValueError: If the name is taken and `force` is False.

    Example:
      >>> import bayesconv as bc
      >>> @bc.register_layer("readme_scale", force=True)
      ... class Scale(bc.Layer):
      ...     def __init__(self, factor, name=None):
      ...         super().__init__(name=name)
      ...         self.factor = factor
      ...     def forward(self, inputs, *, is_training, seed):
      ...         return self.factor * inputs
      >>> path = bc.save_model(Scale(3.0), "scale.npz")
      >>> float(bc.load_model(path)(2.0))
      6.0
    """

    def add(layer_type: LayerType) -> LayerType:
        if not (inspect.isclass(layer_type) and issubclass(layer_type, Layer)):
            raise TypeError(f"register_layer registers subclasses of bayesconv.Layer. Received {layer_type!r}.")
        layer_types.register(name, force=force)(layer_type)
        return layer_type

    return add


def register_function(name: str, *, force: bool = False) -> Callable[[Function], Function]:
    """Decorator that lets saved models name a function: an activation, a member of a `Sequential`, a factory.

    Files hold the name and never the code, so register it before loading, too.

    Args:
      name: What files call the function.
      force: Replace an earlier function of that name, as re-running a notebook cell does.

    Raises:
      ValueError: If the name is taken and `force` is False.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> @bc.register_function("readme_swish", force=True)
      ... def swish(x):
      ...     return x * tf.sigmoid(x)
      >>> path = bc.save_model(bc.Sequential([bc.Affine(2, 3), swish]), "model.npz")
      >>> bc.load_model(path)[1] is swish
      True
    """
    return functions.register(name, force=force)


def name_in(kind: str, part: Any) -> str | None:
    """The name under which a part is registered, or None."""
    registry = KINDS[kind]
    return next((name for name in registry.names() if registry.get(name) is part), None)


def _register_our_own() -> None:
    for name in layers.__all__:
        member = getattr(layers, name)
        if inspect.isclass(member) and issubclass(member, Layer):
            register_layer(name)(member)
    for name, factory in (*vars(kernel_bias).items(), *vars(overrides).items()):
        if name.startswith("make_kernel_bias"):
            functions.register(name)(factory)
    for module, names in _OF_TENSORFLOW.items():
        home = functools.reduce(getattr, module.split(".")[1:], tf)
        for name in names.split():
            functions.register(f"{module}.{name}")(getattr(home, name))


_register_our_own()

"""The architecture of a model as JSON, and back: layers by the names of their classes and the arguments they got.

Numbers, strings, lists and mappings stand for themselves. Whatever else there is stands in an object with a key that
begins with `$`: `{"$layer": "Affine", "arguments": {...}}`, `{"$function": "tf.nn.relu"}`, `{"$prior": "laplace"}`,
`{"$partial": <function>, "options": {...}}`, `{"$dtype": "float32"}`, `{"$array": [...], "dtype": ...}`,
`{"$float": "inf"}`, and `{"$same_as": "layers/0"}` for a layer that occurred before. Initializers are left out: the
weights come with the description.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import names
from bayesconv.layers import Layer, construction
from bayesconv.registry import innermost, name_of

_FUNCTIONS = [kind for kind in names.KINDS if kind != "layer"]
_INITIALIZER = re.compile(r"init_\w+_fn|\w+_initializer")


def is_initializer(parameter: str) -> bool:
    """Whether a parameter of that name takes initial values.

    Example:
      >>> is_initializer("init_kernel_fn"), is_initializer("activation_fn")
      (True, False)
    """
    return _INITIALIZER.fullmatch(parameter) is not None


def describe(model: Layer) -> dict[str, Any]:
    """What JSON can hold of a model, without its weights.

    Raises:
      ValueError: If the model holds a function or an object that has no registered name; it says where.

    Example:
      >>> import bayesconv as bc
      >>> describe(bc.Affine(4, 3, name="head"))
      {'$layer': 'Affine', 'arguments': {'input_size': 4, 'output_size': 3, 'name': 'head'}}
    """
    return _Describer().layer(model, ())


class _Describer:
    """One description; it knows which layers occurred before."""

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}

    def layer(self, layer: Layer, path: tuple[str, ...]) -> dict[str, Any]:
        if id(layer) in self._paths:
            return {"$same_as": self._paths[id(layer)]}
        self._paths[id(layer)] = "/".join(path)
        name = names.name_in("layer", type(layer))
        if name is None:
            raise _refusal(
                path,
                f"the layer `{layer.name}` of the class {type(layer).__name__}",
                "Register the class, @bayesconv.register_layer('a_name'), before saving and before loading.",
            )
        return {"$layer": name, "arguments": self.mapping(_kept(construction.arguments_of(layer)), path)}

    def mapping(self, mapping: Mapping[Any, Any], path: tuple[str, ...]) -> dict[str, Any]:
        for key in mapping:
            if not isinstance(key, str) or key.startswith("$"):
                raise _refusal(path, f"a mapping with the key {key!r}", "Use strings that do not begin with '$'.")
        return {key: self.value(member, (*path, key)) for key, member in mapping.items()}

    def value(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, Layer):
            return self.layer(value, path)
        if isinstance(value, np.generic):
            return self.value(value.item(), path)
        if isinstance(value, float) and not math.isfinite(value):
            return {"$float": str(value)}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, tuple)):
            return [self.value(member, (*path, str(index))) for index, member in enumerate(value)]
        if isinstance(value, Mapping):
            return self.mapping(value, path)
        return self._object(value, path)

    def _object(self, value: Any, path: tuple[str, ...]) -> dict[str, Any]:
        if isinstance(value, (tf.DType, np.dtype)) or (
            isinstance(value, type) and issubclass(value, (float, np.generic))
        ):
            dtype: Any = value  # a NumPy type will do, which the stubs do not know
            return {"$dtype": tf.as_dtype(dtype).name}
        if isinstance(value, np.ndarray) or (tf.is_tensor(value) and not isinstance(value, tf.Variable)):
            array = np.asarray(value)
            return {"$array": self.value(array.tolist(), path), "dtype": tf.as_dtype(array.dtype).name}
        if (named := _named(value)) is not None:
            return named
        if isinstance(value, functools.partial) and not value.args:
            return self._partial(value, path)
        raise _refusal(path, *_what_and_way_out(value))

    def _partial(self, value: functools.partial[Any], path: tuple[str, ...]) -> dict[str, Any]:
        """A partial application; of another one as one of the function itself, where that has a name."""
        function: Any = value.func
        options = dict(value.keywords)
        while isinstance(function, functools.partial) and not function.args and _named(innermost(function)):
            function, options = function.func, {**function.keywords, **options}
        return {"$partial": self.value(function, path), "options": self.mapping(_kept(options), path)}


def _named(value: Any) -> dict[str, Any] | None:
    known = ((kind, names.name_in(kind, value)) for kind in _FUNCTIONS)
    return next(({f"${kind}": name} for kind, name in known if name is not None), None)


def _kept(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if not is_initializer(key)}


def _what_and_way_out(value: Any) -> tuple[str, str]:
    if isinstance(value, functools.partial):
        return f"the positional options of {name_of(value)}", "Bind them by keyword."
    if callable(value) and not isinstance(value, tf.Module):
        return (
            f"the function {name_of(value)}",
            "Register it, @bayesconv.register_function('a_name'), before saving and before loading; a lambda needs a "
            "name first.",
        )
    return (
        f"{value!r} of type {type(value).__name__}",
        "Choose it by a registered name, or make it in a bayesconv.Layer of your own that is registered with "
        "@bayesconv.register_layer('a_name').",
    )


def _refusal(path: tuple[str, ...], what: str, way_out: str) -> ValueError:
    place = f"at `{'/'.join(path)}`" if path else "at its top"
    return ValueError(
        f"A saved model holds names and never code. Received a model with {what} {place}. {way_out} Its weights alone "
        "can always be saved with model.save(path)."
    )

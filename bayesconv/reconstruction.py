"""Models from descriptions, also from those that a stranger wrote: names are looked up, and sizes have a limit."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import names
from bayesconv.descriptions import is_initializer
from bayesconv.layers import Layer, construction

_ALWAYS_ALLOWED = 2**24  # elements, 64 MiB in float32: what a description may ask for whatever its file holds
_FLOATS = ("inf", "-inf", "nan")


def build(description: Any, num_elements: int) -> Layer:
    """Builds what `describe` described; its weights are zeros.

    Args:
      description: What JSON gave.
      num_elements: Number of elements of the weights that come with the description. No more are made room for,
        unless they are few.

    Raises:
      ValueError: If the description names what is not registered, or is none.

    Example:
      >>> build({"$layer": "Affine", "arguments": {"input_size": 4, "output_size": 3}}, num_elements=15).kernel.shape
      TensorShape([4, 3])
    """
    builder = _Builder(max(num_elements, _ALWAYS_ALLOWED))
    try:
        with builder.limited():
            model = builder.value(description, ())
    except RecursionError as error:
        raise ValueError("The description of the model is nested too deeply.") from error
    if not isinstance(model, Layer):
        raise ValueError(f"The description of a model is that of a layer. Received {_short(description)}.")
    return model


class _Builder:
    """One model; it knows the layers that are there already, and how much they may hold."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._layers: dict[str, Layer] = {}
        self._readers: dict[str, tuple[set[str], Callable[..., Any]]] = {
            "$layer": ({"arguments"}, self._layer),
            "$same_as": (set(), self._same_layer),
            "$partial": ({"options"}, self._partial),
            "$dtype": (set(), _dtype),
            "$array": ({"dtype"}, self._array),
            "$float": (set(), _float),
            **{f"${kind}": (set(), self._named(kind)) for kind in names.KINDS if kind != "layer"},
        }

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """Counts the elements of the variables that are made in the block."""

        def count(next_creator: Callable[..., tf.Variable], **kwargs: Any) -> tf.Variable:
            variable = next_creator(**kwargs)
            self._used += int(variable.shape.num_elements())
            self._check_size(self._used)
            return variable

        with tf.variable_creator_scope(count):
            yield

    def value(self, item: Any, path: tuple[str, ...]) -> Any:
        if isinstance(item, list):
            return tuple(self.value(member, (*path, str(index))) for index, member in enumerate(item))
        if isinstance(item, dict):
            return self._tagged(item, path) if any(key.startswith("$") for key in item) else self._mapping(item, path)
        return item

    def _mapping(self, item: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        return {key: self.value(member, (*path, key)) for key, member in item.items()}

    def _tagged(self, item: dict[str, Any], path: tuple[str, ...]) -> Any:
        tag = next((key for key in item if key in self._readers), None)
        others, read = self._readers.get(tag, (None, None)) if tag is not None else (None, None)
        if tag is None or read is None or set(item) != {tag} | (others or set()):
            raise ValueError(
                f"What a description holds is one of {sorted(self._readers)} with its own keys. "
                f"Received {_short(item)} {_at(path)}."
            )
        return read(item[tag], path, **{key: item[key] for key in others or ()})

    def _layer(self, name: Any, path: tuple[str, ...], arguments: Any) -> Layer:
        layer_type = _found("layer", name, path)
        if not isinstance(arguments, dict):
            raise ValueError(f"The arguments of a layer are a mapping. Received {_short(arguments)} {_at(path)}.")
        given = self._mapping(arguments, path)
        if layer_type.__module__.startswith("bayesconv."):
            self._check_numbers(given)
        blanks = {key: self._blank for key in _initializers(layer_type)}
        try:
            layer = construction.construct(layer_type, {**given, **blanks})
        except Exception as error:  # whatever its constructor makes of a stranger's arguments
            raise ValueError(f"No {name} can be built {_at(path)}: {error}") from error
        self._layers["/".join(path)] = layer
        return layer

    def _check_numbers(self, arguments: dict[str, Any]) -> None:
        """Refuses a size that no initializer will be asked about, as that of a normalization."""
        for key, value in arguments.items():
            for number in tf.nest.flatten(value):
                if isinstance(number, int) and "seed" not in key:
                    self._check_size(abs(number))

    def _same_layer(self, place: Any, path: tuple[str, ...]) -> Layer:
        if not isinstance(place, str) or place not in self._layers:
            raise ValueError(f"A layer can be the same as an earlier one only. Received {place!r} {_at(path)}.")
        return self._layers[place]

    def _partial(self, function: Any, path: tuple[str, ...], options: Any) -> Any:
        bound = self.value(function, path)
        if not callable(bound) or not isinstance(options, dict):
            raise ValueError(f"A partial has a function and options. Received {_short(function)} {_at(path)}.")
        return functools.partial(bound, **self._mapping(options, path))

    def _named(self, kind: str) -> Callable[[Any, tuple[str, ...]], Any]:
        return lambda name, path: _found(kind, name, path)

    def _array(self, values: Any, path: tuple[str, ...], dtype: Any) -> np.ndarray:
        kind = _dtype(dtype, path)
        try:
            if kind.is_floating or kind.is_integer or kind.is_bool:
                return np.asarray(self.value(values, path), kind.as_numpy_dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"There is no array of {kind.name} {_at(path)}: {error}.") from error
        raise ValueError(f"An array holds numbers. Received one of {kind.name} {_at(path)}.")

    def _blank(self, shape: Any, dtype: Any = tf.float32, batch_ndims: int = 0) -> tf.Tensor:
        """An initializer, for weights that are about to be loaded."""
        self._check_size(math.prod(int(size) for size in shape))
        return tf.zeros(shape, dtype)

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise ValueError(
                f"The description asks for {size:,} elements, and its file holds far fewer: there is room for at most "
                f"{self._limit:,}."
            )


def _initializers(layer_type: Any) -> list[str]:
    """Parameters that take initial values, but for such that are another name of one."""
    parameters = construction.signature_of(layer_type).parameters.values()
    named = [parameter for parameter in parameters if is_initializer(parameter.name)]
    return [p.name for p in named if p.name.startswith("init_") or p.default is p.empty]


def _found(kind: str, name: Any, path: tuple[str, ...]) -> Any:
    if not isinstance(name, str):
        raise ValueError(f"A {kind} has a name. Received {_short(name)} {_at(path)}.")
    try:
        return names.KINDS[kind].get(name)
    except ValueError as error:
        raise ValueError(
            f"{error} The file names it {_at(path)}: import the module that registers it before loading."
        ) from error


def _dtype(name: Any, path: tuple[str, ...]) -> tf.DType:
    try:
        return tf.as_dtype(str(name))
    except TypeError as error:
        raise ValueError(f"There is no dtype {_short(name)} {_at(path)}.") from error


def _float(value: Any, path: tuple[str, ...]) -> float:
    if value not in _FLOATS:
        raise ValueError(f"A $float is one of {list(_FLOATS)}. Received {_short(value)} {_at(path)}.")
    return float(value)


def _at(path: tuple[str, ...]) -> str:
    return f"at `{'/'.join(path)}`" if path else "at its top"


def _short(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 60 else f"{text[:57]}..."

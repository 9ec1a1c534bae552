"""What a layer was built with, kept so that a description of it can be written without code for every class."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_KEY = "_arguments"


@dataclasses.dataclass(eq=False)
class Arguments:
    """Arguments of a call; an object of no kind that `tf.Module` looks into, so that nothing in it is tracked twice."""

    positional: tuple[Any, ...]
    named: Mapping[str, Any]


def recording(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that keeps what it was called with on the instance, unless a subclass' did so before."""

    @functools.wraps(init)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        if _KEY not in self.__dict__:
            args = tuple(_repeatable(value) for value in args)
            kwargs = {key: _repeatable(value) for key, value in kwargs.items()}
            copies = tuple(map(_snapshot, args)), {key: _snapshot(value) for key, value in kwargs.items()}
            self.__dict__[_KEY] = Arguments(*copies)  # past tf.Module's tracking of attributes
        init(self, *args, **kwargs)

    return construct


def arguments_of(layer: Any) -> dict[str, Any]:
    """What a layer was built with, by the names of its constructor's parameters."""
    kept = layer.__dict__[_KEY]
    return dict(signature_of(type(layer)).bind(*kept.positional, **kept.named).arguments)


def construct(layer_type: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Builds a layer from what `arguments_of` gave.

    Raises:
      TypeError: If an argument is none of the constructor's.
    """
    signature = signature_of(layer_type)
    if unknown := sorted(set(arguments) - set(signature.parameters)):
        raise TypeError(f"The constructor has no parameters {unknown}; it has {list(signature.parameters)}.")
    bound = inspect.BoundArguments(signature, dict(arguments))  # type: ignore[arg-type]
    return layer_type(*bound.args, **bound.kwargs)


def signature_of(layer_type: Any) -> inspect.Signature:
    """The signature of a class' constructor without `self`."""
    signature = inspect.signature(layer_type.__init__)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _repeatable(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterator) else value


def _snapshot(value: Any) -> Any:
    """Containers as they are now, whatever the caller does to them later; what they hold is not copied."""
    if type(value) in (list, tuple):
        return tuple(_snapshot(member) for member in value)
    if type(value) is dict:
        return {key: _snapshot(member) for key, member in value.items()}
    return value

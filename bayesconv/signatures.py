"""Calls to users' factories of weights, in whichever order of arguments they were written for.

TensorFlow Probability changed the order between its releases, so arguments go by keyword where the names are
known. The signature is read once; nothing is learnt by calling and catching errors.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from bayesconv import initializers
from bayesconv.registry import name_of
from bayesconv.weights import KernelBias, fan_in_of

_ALIASES = {
    "init_kernel_fn": ("init_kernel_fn", "kernel_initializer"),
    "init_bias_fn": ("init_bias_fn", "bias_initializer"),
}
_OLD_ORDER = ("dtype", "init_kernel_fn", "init_bias_fn", "kernel_name", "bias_name")
_NEW_ORDER = (
    "init_kernel_fn", "init_bias_fn", "kernel_batch_ndims", "bias_batch_ndims", "dtype", "kernel_name", "bias_name",
)  # fmt: skip
_INITIALIZERS = {"init_kernel_fn": initializers.glorot_uniform, "init_bias_fn": initializers.zeros}
_KINDS = inspect.Parameter


def is_factory(function: Callable[..., Any]) -> bool:
    """Whether a function takes shapes, as a factory does, rather than a pair of `WeightSpec` and options of its own.

    Example:
      >>> is_factory(lambda kernel_shape, bias_shape: None), is_factory(lambda specs, scale=0.3: None)
      (True, False)
    """
    second = _positional(function)[1:2]
    return any(p.default is _KINDS.empty or p.name == "bias_shape" for p in second)


_asked: ContextVar[tuple[tuple[int, ...], int | None] | None] = ContextVar("bayesconv_asked", default=None)


@contextlib.contextmanager
def _asking(kernel_shape: Any, fan_in: int | None) -> Iterator[None]:
    token = _asked.set((tuple(kernel_shape), fan_in))
    try:
        yield
    finally:
        _asked.reset(token)


def asked_fan_in(kernel_shape: tuple[int, ...], batch_ndims: int) -> int:
    """Inputs per output of a kernel: those of the layer that asks for one of that shape, else read off the shape.

    So the number gets through functions around a factory that do not know of it.
    """
    shape, fan_in = _asked.get() or (None, None)
    return fan_in_of(kernel_shape, batch_ndims) if fan_in is None or shape != kernel_shape else fan_in


def call_factory(function: Callable[..., Any], shapes: tuple[Any, Any], options: Mapping[str, Any]) -> Any:
    """Calls a factory of weights.

    Args:
      function: Takes `(kernel_shape, bias_shape, ...)` and then, by their names or in the order of TFP 0.10 or of
        TFP 0.11 and later, some of the options.
      shapes: Shapes of kernel and bias.
      options: Values by the names that `make_kernel_bias` uses; and `fan_in`, `layer_name` and `layer_kind`, which only
        a factory gets that names them: see `asked_fan_in`. A None is left out where the factory has a default; where it
        has none, an initializer of None is Glorot uniform or zeros.

    Returns:
      What the factory returned.

    Raises:
      TypeError: If the factory's parameters are neither known by name nor in a known order.
    """
    with _asking(shapes[0], options.get("fan_in")):
        return _called(function, shapes, options)


def _called(function: Callable[..., Any], shapes: tuple[Any, Any], options: Mapping[str, Any]) -> Any:
    parameters = inspect.signature(function).parameters
    if len(_positional(function)) < 2 and not any(p.kind is _KINDS.VAR_POSITIONAL for p in parameters.values()):
        raise _unlike_a_factory(function, "which takes fewer than two arguments by position")
    by_name = {name: p for name, p in parameters.items() if p.kind is not _KINDS.POSITIONAL_ONLY}
    accepted = {alias: key for key in options for alias in _ALIASES.get(key, (key,)) if alias in by_name}
    unknown = [p for p in _positional(function)[2:] if p.name not in accepted and p.default is _KINDS.empty]
    if not unknown:
        return function(
            *shapes, **_without_defaults(parameters, accepted, options), **_rest(by_name, accepted, options)
        )
    return function(*shapes, *(_required(key, options[key]) for key in _order_of(function, unknown)))


def call_with_specs(function: Callable[..., Any], specs: KernelBias) -> Any:
    """Calls a factory of weights with what a pair of `WeightSpec` says."""
    kernel, bias = specs.kernel, specs.bias
    options = {
        "init_kernel_fn": kernel.initializer,
        "init_bias_fn": None if bias is None else bias.initializer,
        "kernel_batch_ndims": kernel.batch_ndims,
        "bias_batch_ndims": 0 if bias is None else bias.batch_ndims,
        "dtype": kernel.dtype,
        "kernel_name": kernel.name,
        "bias_name": "bias" if bias is None else bias.name,
        "fan_in": kernel.fan_in,
    }
    return call_factory(function, (kernel.shape, None if bias is None else bias.shape), options)


def _order_of(function: Callable[..., Any], unknown: list[inspect.Parameter]) -> tuple[str, ...]:
    count = len(_positional(function)) - 2
    for order in (_OLD_ORDER, _NEW_ORDER):
        if count == len(order):
            return order
    raise _unlike_a_factory(function, f"whose {[p.name for p in unknown]} are none of them")


def _unlike_a_factory(function: Callable[..., Any], what: str) -> TypeError:
    return TypeError(
        "A factory of weights takes (kernel_shape, bias_shape, init_kernel_fn, init_bias_fn, kernel_batch_ndims, "
        "bias_batch_ndims, dtype, kernel_name, bias_name), some of these by name, or the older order (kernel_shape, "
        "bias_shape, dtype, kernel_initializer, bias_initializer, kernel_name, bias_name). Received "
        f"{name_of(function)}{inspect.signature(function)}, {what}."
    )


def _without_defaults(
    parameters: Mapping[str, inspect.Parameter], accepted: Mapping[str, str], options: Mapping[str, Any]
) -> dict[str, Any]:
    chosen = {alias: options[key] for alias, key in accepted.items()}
    required = {alias for alias in chosen if parameters[alias].default is _KINDS.empty}
    return {
        alias: _required(accepted[alias], value) if alias in required else value
        for alias, value in chosen.items()
        if value is not None or alias in required
    }


def _required(key: str, value: Any) -> Any:
    # A factory that asks for an initializer calls it: TFP's layers never left it without one.
    return _INITIALIZERS[key]() if value is None and key in _INITIALIZERS else value


def _rest(
    by_name: Mapping[str, inspect.Parameter], accepted: Mapping[str, str], options: Mapping[str, Any]
) -> dict[str, Any]:
    """What a `**kwargs` gets: TFP's options, since it may be handed on to a factory that knows no `fan_in`."""
    if not any(p.kind is _KINDS.VAR_KEYWORD for p in by_name.values()):
        return {}
    unnamed = set(_NEW_ORDER) - set(accepted.values())
    return {key: value for key, value in options.items() if key in unnamed and value is not None}


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    kinds = (_KINDS.POSITIONAL_ONLY, _KINDS.POSITIONAL_OR_KEYWORD)
    return [p for p in inspect.signature(function).parameters.values() if p.kind in kinds]

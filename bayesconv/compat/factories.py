"""TFP's factories of weights: joint distributions, and every name and order of arguments that TFP had."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bayesconv import kernel_bias
from bayesconv.compat.joint import as_joint
from bayesconv.weights import as_kernel_bias

_NEW_ORDER = (
    "init_kernel_fn",
    "init_bias_fn",
    "kernel_batch_ndims",
    "bias_batch_ndims",
    "dtype",
    "kernel_name",
    "bias_name",
)
_OLD_ORDER = ("dtype", "init_kernel_fn", "init_bias_fn", "kernel_name", "bias_name")
_NAMES = {"kernel_initializer": "init_kernel_fn", "bias_initializer": "init_bias_fn"}


def _in_any_order(make: Callable[..., Any], parse: Callable[[Any], Any]) -> Callable[..., Any]:
    def factory(kernel_shape: Any, bias_shape: Any, *args: Any, **kwargs: Any) -> Any:
        order = _OLD_ORDER if args and _is_dtype(args[0]) else _NEW_ORDER
        if len(args) > len(order):
            raise TypeError(
                f"A factory of weights takes {order} after the shapes. Received {len(args)} more arguments."
            )
        named = {_NAMES.get(name, name): value for name, value in kwargs.items()}
        return parse(make(kernel_shape, bias_shape, **dict(zip(order, args, strict=False)), **named))

    return factory


def _is_dtype(value: Any) -> bool:
    return isinstance(value, (tf.DType, str, type))


def _named(name: str, parse: Callable[[Any], Any], doc: str) -> Callable[..., Any]:
    factory = _in_any_order(getattr(kernel_bias, name), parse)
    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = doc
    factory.__signature__ = inspect.signature(getattr(kernel_bias, name))  # type: ignore[attr-defined]
    return factory


make_kernel_bias = _named("make_kernel_bias", as_kernel_bias, "A kernel and a bias as variables.")
make_kernel_bias_posterior_mvn_diag = _named(
    "make_kernel_bias_posterior_mvn_diag", as_joint, "The joint distribution of independent normals for every weight."
)
make_kernel_bias_prior_spike_and_slab = _named(
    "make_kernel_bias_prior_spike_and_slab",
    as_joint,
    "The joint distribution of even mixtures of N(0, 1) and N(0, 2000^2).",
)

"""A model's weights and choices as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv.layers.base import Layer
from bayesconv.layers.linear import Linear
from bayesconv.registry import name_of

_HEADER = ("layer", "kind", "kernel", "weights", "posterior", "estimator", "prior", "KL")


def summarize(model: Layer) -> str:
    """One line for every linear layer, with the four choices, and the total number of variables' elements."""
    layers = [layer for layer in (model, *model.submodules) if isinstance(layer, Linear)]
    rows = [_HEADER, *(_row(layer) for layer in layers)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    total = sum(int(tf.size(variable)) for variable in model.trainable_variables)
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, f"{total:,} trainable numbers in {len(model.trainable_variables)} variables"])


def _row(layer: Linear) -> tuple[str, ...]:
    shape = "x".join(map(str, layer.kernel_shape))
    weights = math.prod(layer.kernel_shape) + (0 if layer.bias is None else _bias_size(layer))
    return (layer.name, type(layer).__name__, shape, f"{weights:,}", *_choices(layer))


def _bias_size(layer: Linear) -> int:
    shape = layer.bias.shape if layer.posterior is None else layer.bias.event_shape
    return math.prod(shape.as_list())


def _choices(layer: Linear) -> Sequence[str]:
    if layer.posterior is None:
        return ("point", "-", "-", "-")
    return (
        _family(layer.posterior.kernel),
        name_of(layer.estimator),
        _with_parameters(layer.prior.kernel),
        _penalty(layer),
    )


def _penalty(layer: Linear) -> str:
    weight = "" if layer.penalty_weight == 1.0 else f" x {layer.penalty_weight:g}"
    return f"{layer.divergence.name}{weight}"


def _family(distribution: object) -> str:
    inner = getattr(distribution, "distribution", distribution)
    return str(getattr(inner, "name", type(inner).__name__))


def _with_parameters(distribution: Any) -> str:
    """The family, and those of its parameters that are one number for the weight; a location of zero is left out."""
    inner = getattr(distribution, "distribution", distribution)
    numbers = {key: _as_number(value) for key, value in inner.parameters.items()}
    shown = [f"{k}={v:.3g}" for k, v in numbers.items() if v is not None and (k, v) != ("loc", 0.0)]
    return _family(distribution) + (f"({', '.join(shown)})" if shown else "")


def _as_number(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    is_number = hasattr(value, "shape") and tuple(value.shape) == () and tf.as_dtype(value.dtype).is_floating
    return float(tf.convert_to_tensor(value)) if is_number else None

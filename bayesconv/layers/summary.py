"""A model's weights and choices as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
        _family(layer.prior.kernel),
        layer.divergence.name,
    )


def _family(distribution: object) -> str:
    inner = getattr(distribution, "distribution", distribution)
    return str(getattr(inner, "name", type(inner).__name__))

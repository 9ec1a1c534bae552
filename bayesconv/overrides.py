"""Choices layer by layer: a default for all, and overrides for the layers that a pattern matches.

An override is a mapping `{match, estimator, posterior, prior, divergence, penalty_weight}` with at least one choice.
`match` is a pattern of the layer's name, as of file names (`conv*`, `block[12]_*`), or a mapping of patterns,
`{name: ..., kind: ...}`, where the kind is the layer's class, such as `Affine`. All overrides that match a layer apply,
choice by choice, later ones over earlier ones; a choice is replaced whole, with its options.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import tensorflow as tf

from bayesconv import kernel_bias
from bayesconv.layers.linear import Linear
from bayesconv.registry import Identifier, unknown_name_message
from bayesconv.weights import Initializer

CHOICES = ("estimator", "posterior", "prior", "divergence", "penalty_weight")
PATTERNS = ("name", "kind")
POINT_WEIGHTS = (kernel_bias.DETERMINISTIC, {"name": kernel_bias.DETERMINISTIC})


def make_kernel_bias_by_layer(
    kernel_shape: Sequence[int],
    bias_shape: Sequence[int] | None,
    init_kernel_fn: Initializer | None = None,
    init_bias_fn: Initializer | None = None,
    kernel_batch_ndims: int = 0,
    bias_batch_ndims: int = 0,
    dtype: Any = tf.float32,
    kernel_name: str = "kernel",
    bias_name: str = "bias",
    *,
    overrides: Sequence[Mapping[str, Any]] = (),
    estimator: Identifier = "automatic",
    posterior: Identifier = "mean_field_normal",
    prior: Identifier = "normal",
    divergence: Identifier = "best_effort",
    penalty_weight: float = 1.0,
    fan_in: int | None = None,
    layer_name: str | None = None,
    layer_kind: str | None = None,
) -> Any:
    """Weights as the layer's name or class has them; `posterior="deterministic"` is point weights.

    Args:
      kernel_shape: Shape of the kernel, batch dimensions first.
      bias_shape: Shape of the bias; None for no bias.
      init_kernel_fn: Initializer of the kernel, or of its location.
      init_bias_fn: The same for the bias.
      kernel_batch_ndims: Number of leading batch dimensions of the kernel.
      bias_batch_ndims: The same for the bias.
      dtype: Floating-point type.
      kernel_name: Prefix of the names of the kernel's variables.
      bias_name: The same for the bias.
      overrides: Mappings of `match` and choices; later ones win. `check` says which match no layer.
      estimator: The choice for layers that no override gives another.
      posterior: The same.
      prior: The same.
      divergence: The same.
      penalty_weight: The same.
      fan_in: Inputs per output; layers pass it.
      layer_name: The layer's name; layers pass it.
      layer_kind: The layer's class; layers pass it.

    Returns:
      What `make_kernel_bias` or `make_kernel_bias_variational` gives.

    Raises:
      ValueError: If an override has unknown keys or no choice, the layer's name did not arrive, or the choices do not
        fit together.

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> overrides = [{"match": "conv*", "prior": "laplace"}, {"match": "head", "posterior": "deterministic"}]
      >>> factory = functools.partial(bc.make_kernel_bias_by_layer, overrides=overrides)
      >>> model = bc.models.lenet5([28, 28, 1], 10, factory)
      >>> bc.overrides.check(model, overrides)
      >>> model[0].prior.kernel.distribution.name, model[-1].posterior
      ('Laplace', None)
    """
    common = {
        "estimator": estimator,
        "posterior": posterior,
        "prior": prior,
        "divergence": divergence,
        "penalty_weight": penalty_weight,
    }
    chosen = common | choices_of(overrides, layer_name, layer_kind)
    if chosen["posterior"] in POINT_WEIGHTS:
        _check_effects(overrides, str(layer_name), str(layer_kind))
    factory: Any = kernel_bias.factory(**chosen)
    if factory is not kernel_bias.make_kernel_bias:
        factory = functools.partial(factory, fan_in=fan_in)
    shapes = kernel_shape, bias_shape
    init_fns = init_kernel_fn, init_bias_fn
    return factory(*shapes, *init_fns, kernel_batch_ndims, bias_batch_ndims, dtype, kernel_name, bias_name)


def choices_of(
    overrides: Sequence[Mapping[str, Any]], layer_name: str | None, layer_kind: str | None
) -> dict[str, Any]:
    """What the overrides choose for a layer of that name and class.

    Example:
      >>> overrides = [{"match": "*", "prior": "laplace", "estimator": "flipout"}, {"match": "head", "prior": "normal"}]
      >>> choices_of(overrides, "head", "Affine")
      {'prior': 'normal', 'estimator': 'flipout'}
    """
    chosen: dict[str, Any] = {}
    for override in as_list(overrides):
        patterns = _patterns(override)
        if layer_name is None or layer_kind is None:
            raise ValueError(
                "A choice by layer needs the layer's name and class, which layers pass as layer_name and layer_kind. "
                f"Received {layer_name!r} and {layer_kind!r}; a function around make_kernel_bias_by_layer must have "
                "both as parameters and hand them on."
            )
        if _matches(patterns, layer_name, layer_kind):
            chosen |= {key: override[key] for key in override if key != "match"}
    return chosen


def as_list(overrides: Any) -> list[Mapping[str, Any]]:
    """Overrides as a list; a ValueError if they are none, as a single mapping is not."""
    if isinstance(overrides, (str, Mapping)) or not all(isinstance(override, Mapping) for override in overrides):
        raise ValueError(
            f"`overrides` is a list of mappings. Received {overrides!r}: write [{{'match': 'head', 'prior': ...}}]."
        )
    return list(overrides)


def _check_effects(overrides: Sequence[Mapping[str, Any]], layer_name: str, layer_kind: str) -> None:
    """Raises a ValueError if an override gives a layer of point weights a choice after it has been made one."""
    idle = None
    for override in overrides:
        if _matches(_patterns(override), layer_name, layer_kind):
            idle = None if "posterior" in override else (idle or override)
    if idle is not None:
        raise ValueError(
            f"Point weights take no other choice, and `{layer_name}` has them. Received {dict(idle)}, which changes "
            "nothing there: add a posterior, such as 'mean_field_normal', or match other layers."
        )


def check(model: Any, overrides: Sequence[Mapping[str, Any]]) -> None:
    """Raises a ValueError if an override matches no layer of a model.

    Args:
      model: A layer, built.
      overrides: What `make_kernel_bias_by_layer` was given.
    """
    if missed := unmatched(model, overrides):
        raise ValueError(next(iter(missed.values())))


def unmatched(model: Any, overrides: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The overrides that match no layer of a model: their places in the sequence, and what is to be said of each."""
    layers = [(m.name, type(m).__name__) for m in (model, *model.submodules) if isinstance(m, Linear)]
    listed = ", ".join(f"{name} ({kind})" for name, kind in dict.fromkeys(layers)) or "none with weights"
    return {
        i: f"An override must match a layer of the model. Received {override['match']!r}; its layers are {listed}."
        for i, override in enumerate(as_list(overrides))
        if not any(_matches(_patterns(override), *layer) for layer in layers)
    }


def _matches(patterns: Mapping[str, str], layer_name: str, layer_kind: str) -> bool:
    return fnmatchcase(layer_name, patterns.get("name", "*")) and fnmatchcase(layer_kind, patterns.get("kind", "*"))


def _patterns(override: Mapping[str, Any]) -> Mapping[str, str]:
    """The patterns of an override, which is checked."""
    for key in override:
        if key not in ("match", *CHOICES):
            raise ValueError(unknown_name_message("key of an override", key, ("match", *CHOICES)))
    if "match" not in override or len(override) < 2:
        raise ValueError(
            f"An override has `match` and at least one of {', '.join(CHOICES)}. Received {dict(override)}."
        )
    if override.get("posterior") in POINT_WEIGHTS and len(override) > 2:
        raise ValueError(f"Point weights take no other choice. Received {dict(override)}; leave posterior or the rest.")
    match = override["match"]
    patterns = {"name": match} if isinstance(match, str) else match
    is_valid = isinstance(patterns, Mapping) and patterns and all(isinstance(p, str) for p in patterns.values())
    if not is_valid or set(patterns) - set(PATTERNS):
        raise ValueError(
            "`match` is a pattern of the layer's name, such as 'conv*', or a mapping of patterns "
            f"{{name: ..., kind: ...}}. Received {match!r}."
        )
    return patterns

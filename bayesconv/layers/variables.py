"""Variables by path, and assigning them all or none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf


def named_variables(root: tf.Module, layer_type: type[tf.Module]) -> dict[str, tf.Variable]:
    """The variables of a module by path: where the layer that owns them stands, and their own name.

    A path holds public names only, so that a file written today is read by a version that keeps things elsewhere.

    Args:
      root: The module.
      layer_type: The type whose places in the module make up the path.

    Returns:
      A mapping such as `{"layers/0/kernel/loc": variable}`; a shared variable stands under its first path.
    """
    found: dict[str, tf.Variable] = {}
    seen: set[int] = set()
    for path, layer in _layers(root, layer_type):
        inner = {id(v) for child in layer.submodules if isinstance(child, layer_type) for v in child.variables}
        for variable in layer.variables:
            if id(variable) not in inner and id(variable) not in seen:
                seen.add(id(variable))
                found[_free(found, "/".join([*path, variable.name.removesuffix(":0")]))] = variable
    return found


def _layers(root: tf.Module, layer_type: type[tf.Module]) -> list[tuple[list[str], tf.Module]]:
    found: list[tuple[tuple[Any, ...], Any]] = [((), root)]
    _walk(root, (), {id(root)}, found)
    layers = [(path, module) for path, module in found if isinstance(module, layer_type)]
    return [([str(part).lstrip("_") for part in path], layer) for path, layer in layers]


def _walk(module: Any, path: tuple[Any, ...], seen: set[int], found: list[tuple[tuple[Any, ...], Any]]) -> None:
    # TensorFlow's own walk with paths visits a module as often as there are paths to it.
    for inner_path, inner in module._flatten(recursive=False, predicate=_is_module, with_path=True):
        if id(inner) not in seen:
            seen.add(id(inner))
            found.append(((*path, *inner_path), inner))
            _walk(inner, (*path, *inner_path), seen, found)


def _is_module(value: Any) -> bool:
    return isinstance(value, tf.Module)


def _free(taken: Mapping[str, tf.Variable], path: str) -> str:
    candidates = [path] + [f"{path}_{i}" for i in range(1, len(taken) + 1)]
    return next(candidate for candidate in candidates if candidate not in taken)


def values(variables: Mapping[str, tf.Variable]) -> dict[str, np.ndarray]:
    """The values of variables as arrays."""
    return {path: variable.numpy() for path, variable in variables.items()}


def assign(
    variables: Mapping[str, tf.Variable], arrays: Mapping[str, np.ndarray], *, source: str | os.PathLike[str]
) -> None:
    """Assigns every variable, after checking that the arrays fit.

    Args:
      variables: By path.
      arrays: By path.
      source: Where the arrays come from, for messages.

    Raises:
      ValueError: If a path is missing or unexpected, a shape or dtype differs, or a number is not finite; no variable
        has changed then.
    """
    problems = [f"missing {path}" for path in variables if path not in arrays]
    problems += [f"unexpected {path}" for path in arrays if path not in variables]
    problems += [
        f"{path} is {arrays[path].dtype.name}{list(arrays[path].shape)}, expected {v.dtype.name}{v.shape.as_list()}"
        for path, v in variables.items()
        if path in arrays and (arrays[path].shape != tuple(v.shape) or arrays[path].dtype != v.dtype.as_numpy_dtype)
    ]
    if problems:
        raise ValueError(
            f"The weights in {os.fspath(source)} do not fit this model: {_first(problems)}. Build the model with the "
            "same architecture, posterior and dtype as the one that was saved."
        )
    floating = [path for path, variable in variables.items() if variable.dtype.is_floating]
    spoilt = [path for path in floating if not np.isfinite(arrays[path]).all()]
    if spoilt:
        raise ValueError(
            f"The weights in {os.fspath(source)} must be finite. {_first(spoilt)} holds NaN or infinite numbers: take "
            "another checkpoint, or train again."
        )
    for path, variable in variables.items():
        variable.assign(arrays[path])


def _first(texts: list[str]) -> str:
    return "; ".join(texts[:5]) + (f"; and {len(texts) - 5} more" if len(texts) > 5 else "")

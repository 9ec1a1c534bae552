"""A pass for single inputs, beside the one for batches: each is the faster on its own ground."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import random
from bayesconv.compilation import compiled
from bayesconv.descriptions import is_initializer
from bayesconv.layers import Layer
from bayesconv.layers.construction import arguments_of
from bayesconv.registry import innermost

ROUNDS, SECONDS = 5, 1.0  # of timing, at most
TOLERANCE = 1e-4  # relative to the largest output: far above rounding, far below a mistake

Run = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]


def treats_examples_alone(model: Layer) -> bool:
    """Whether nothing but layers of this library and functions of TensorFlow and this library see the examples.

    What users write may look at the other examples of a batch, or count on there being one.
    """
    layers = [layer for layer in (model, *model.submodules) if isinstance(layer, Layer)]
    return all(_is_ours(type(layer), "bayesconv.") and all(map(_is_plain, _functions(layer))) for layer in layers)


def _functions(layer: Layer) -> list[Any]:
    given = arguments_of(layer).items()
    arguments = {key: value for key, value in given if not (key == "make_kernel_bias_fn" or is_initializer(key))}
    return [value for value in tf.nest.flatten(arguments) if callable(value) and not isinstance(value, Layer)]


def _is_plain(function: Any) -> bool:
    return isinstance(function, (tf.DType, type)) or _is_ours(innermost(function), "bayesconv.", "tensorflow.")


def _is_ours(value: Any, *packages: str) -> bool:
    return str(getattr(value, "__module__", "")).startswith(packages)


def faster(of_batches: Run, of_one: Run, spec: tf.TensorSpec) -> Run:
    """`of_batches`, except that a single input goes to `of_one` where that is faster and says the same.

    Which is faster depends on the processor, TensorFlow's kernels for it and the size of the images, so both are tried,
    here and now, on random numbers. They differ if a function looks across its batch, as `tf.math.l2_normalize` does
    without an axis.

    Args:
      of_batches: Compiled, from `[N, ..]` to tensors, the fourth of which are outputs.
      of_one: The same for N = 1.
      spec: Of the inputs.
    """
    x = random.normal([1, *spec.shape[1:]], 0, spec.dtype)
    expected, found = _outputs(of_batches, x), _outputs(of_one, x)
    if not _agree(expected, found) or _seconds(of_one, x) > _seconds(of_batches, x):
        return of_batches

    def run(inputs: tf.Tensor) -> Any:
        return tf.cond(tf.shape(inputs)[0] == 1, lambda: of_one(inputs), lambda: of_batches(inputs))

    return compiled(run, [spec])


def _outputs(run: Run, x: tf.Tensor) -> np.ndarray | None:
    try:
        return np.asarray(run(x)[3], np.float64)
    except Exception:  # the loop says it again where it matters, and needs no random numbers
        return None


def _agree(expected: np.ndarray | None, found: np.ndarray | None) -> bool:
    """Whether outputs `[S, N, .., K]` are the same, each kind relative to its largest; not if they are all zero."""
    if expected is None or found is None or expected.shape != found.shape or not expected.any():
        return False
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return False
    largest = np.abs(expected).max(axis=tuple(range(expected.ndim - 1)))
    return bool((np.abs(found - expected) <= TOLERANCE * largest + 1e-6 * largest.max()).all())


def _seconds(run: Run, x: tf.Tensor) -> float:
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < SECONDS:
        began = time.perf_counter()
        run(x)[3].numpy()
        taken.append(time.perf_counter() - began)
    return min(taken)

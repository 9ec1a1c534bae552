"""A pass for single inputs, beside the one for batches: each is the faster on its own ground."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import random
from bayesconv.compilation import compiled

ROUNDS, SECONDS = 5, 1.0  # of timing, at most
TOLERANCE = 1e-4  # relative to the largest output: far above rounding, far below a mistake

Run = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]


def faster(of_batches: Run, of_one: Run, spec: tf.TensorSpec) -> Run:
    """`of_batches`, except that a single input goes to `of_one` where that is faster and says the same.

    Which is faster depends on the processor, TensorFlow's kernels for it and the size of the images, so both are tried,
    here and now, on random numbers. They differ, or `of_one` fails, if a layer of the user's own looks across its batch
    or calls another one with something else than its examples.

    Args:
      of_batches: Compiled, from `[N, ..]` to tensors, the fourth of which are outputs.
      of_one: The same for N = 1.
      spec: Of the inputs.
    """
    x = random.normal([1, *spec.shape[1:]], 0, spec.dtype)
    expected, found = of_batches(x)[3].numpy(), _outputs(of_one, x)
    if found is None or not _agree(expected, found) or _seconds(of_one, x) > _seconds(of_batches, x):
        return of_batches

    def run(inputs: tf.Tensor) -> Any:
        return tf.cond(tf.shape(inputs)[0] == 1, lambda: of_one(inputs), lambda: of_batches(inputs))

    return compiled(run, [spec])


def _outputs(run: Run, x: tf.Tensor) -> np.ndarray | None:
    try:
        return np.asarray(run(x)[3])
    except (ValueError, TypeError, tf.errors.OpError):
        return None


def _agree(expected: np.ndarray, found: np.ndarray) -> bool:
    return expected.shape == found.shape and bool(np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max())


def _seconds(run: Run, x: tf.Tensor) -> float:
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < SECONDS:
        began = time.perf_counter()
        run(x)[3].numpy()
        taken.append(time.perf_counter() - began)
    return min(taken)

"""How the library compiles: one trace for all batch sizes, plain TensorFlow operations, no AutoGraph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def compiled(function: Callable[..., Any], signature: Sequence[Any]) -> Callable[..., Any]:
    """A function compiled for the given specifications, traced once.

    It is never compiled by XLA, which makes convolutions several times slower on CPU.

    Args:
      function: A function or a method.
      signature: One `tf.TensorSpec`, or a structure of them, for every argument.
    """
    # TensorFlow counts traces by a function's code and would warn of many models in one process; a partial has none.
    return tf.function(functools.partial(function), signature, autograph=False)

"""Parameters that are computed of several variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import util as tfp_util


def derived(function: Callable[..., tf.Tensor], *variables: tf.Variable, shape: Sequence[int]) -> Any:
    """`function(*variables)`, of that shape, computed anew wherever it is used, so that gradients reach the variables.

    Example:
      >>> a, b = tf.Variable([1.0, 2.0]), tf.Variable(3.0)
      >>> derived(tf.multiply, a, b, shape=[2]).numpy().tolist()
      [3.0, 6.0]
    """
    first, *others = variables
    return tfp_util.DeferredTensor(
        first, lambda value: function(value, *others), dtype=first.dtype, shape=tuple(shape), also_track=others or None
    )

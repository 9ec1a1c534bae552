"""Functions that are traced once and then called, so that a network with many layers is traced in less time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def traced(function: Callable[..., Any], specs: Sequence[tf.TensorSpec]) -> Callable[..., Any]:
    """A function of tensors as one operation, whatever it is made of; keep what is returned.

    It belongs to no graph and no device: it runs where it is called.

    Args:
      function: Pure, of tensors alone.
      specs: One for every argument.

    Example:
      >>> twice = traced(lambda x: x + x, [tf.TensorSpec([])])
      >>> float(twice(tf.constant(2.0)))
      4.0
    """
    with tf.init_scope(), tf.device(None):
        return tf.function(function, list(specs), autograph=False).get_concrete_function()


def with_own_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """`tf.custom_gradient` for a function of tensors alone, without keeping the graphs alive that it is called in.

    TensorFlow registers such a gradient for good, and with it all that it remembers, which is the graph. So in graphs
    the function is an operation that is traced once for the types and shapes of its arguments, in a graph of its own.

    Args:
      function: Gives a value and the function from the upstream gradient to those of the arguments.

    Example:
      >>> clipped = with_own_gradient(lambda x: (x, lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)))
      >>> slope = tf.function(lambda x: tf.gradients(5.0 * clipped(x), x)[0], autograph=False)
      >>> float(slope(tf.constant(2.0)))
      1.0
    """
    own = tf.custom_gradient(function)

    @functools.cache  # for good, as TensorFlow keeps its gradient
    def of(*specs: tf.TensorSpec) -> Callable[..., Any]:
        return traced(own, specs)

    @functools.wraps(function)
    def call(*tensors: tf.Tensor) -> Any:
        if tf.executing_eagerly():
            return own(*tensors)
        return of(*(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors))(*tensors)

    return call

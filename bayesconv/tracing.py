"""Functions that are traced once and then called, so that a network with many layers is traced in less time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
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


def as_one_operation(function: Callable[..., Any], *, any_shape: Sequence[int] = ()) -> Callable[..., Any]:
    """A function of tensors that in graphs is one operation, traced once for the types and shapes of its arguments.

    Args:
      function: Pure, of tensors alone. It is kept for good, with what it remembers.
      any_shape: The numbers of the arguments for whose shapes one trace serves all.

    Example:
      >>> twice = as_one_operation(lambda x: x + x)
      >>> float(twice(tf.constant(2.0)))
      4.0
    """

    @functools.cache
    def of(*specs: tf.TensorSpec) -> Callable[..., Any]:
        return traced(function, specs)

    @tf.autograph.experimental.do_not_convert
    def call(*tensors: tf.Tensor) -> Any:
        if tf.executing_eagerly():
            return function(*tensors)
        shapes: Iterator[Any] = (None if i in any_shape else tensor.shape for i, tensor in enumerate(tensors))
        return of(*(tf.TensorSpec(shape, x.dtype) for shape, x in zip(shapes, tensors, strict=True)))(*tensors)

    return call


def with_own_gradient(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`tf.custom_gradient` for a function of tensors alone, without keeping the graphs alive that it is called in.

    TensorFlow registers such a gradient for good, and with it all that it remembers, which is the graph. So in graphs
    the function is one operation, traced in a graph of its own.

    Args:
      function: Gives a value and the function from the upstream gradient to those of the arguments.
      **options: Of `as_one_operation`.

    Example:
      >>> clipped = with_own_gradient(lambda x: (x, lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)))
      >>> slope = tf.function(lambda x: tf.gradients(5.0 * clipped(x), x)[0], autograph=False)
      >>> float(slope(tf.constant(2.0)))
      1.0
    """
    return as_one_operation(tf.custom_gradient(function), **options)

"""TFP's functions of shapes, for members of a `Sequential`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def flatten_rightmost(ndims: int = 3) -> Callable[[Any], tf.Tensor]:
    """A function that joins the last `ndims` axes; leading axes, however many, stay.

    Example:
      >>> flatten_rightmost(ndims=3)(tf.zeros([2, 4, 4, 3])).shape
      TensorShape([2, 48])
    """
    return functools.partial(flattened, ndims=ndims)


def flattened(x: Any, ndims: int) -> tf.Tensor:
    """The tensor with its last `ndims` axes joined; a ValueError if it has fewer."""
    x = tf.convert_to_tensor(x)
    kept = x.shape.rank - ndims
    if kept < 0:
        raise ValueError(f"flatten_rightmost({ndims}) needs {ndims} axes. Received shape {x.shape}.")
    flat = tf.reshape(x, tf.concat([tf.shape(x)[:kept], [-1]], axis=0))
    return tf.ensure_shape(flat, [*x.shape[:kept], x.shape[kept:].num_elements()])


def expand_dims(axis: int | Sequence[int], name: str | None = None) -> Callable[[Any], tf.Tensor]:
    """A function that inserts axes of size 1.

    Args:
      axis: Where, counted in the input: 0 is before its first axis, -1 after its last.
      name: Name of the scope.

    Example:
      >>> expand_dims([0, -1, -1])(tf.zeros([2, 3])).shape
      TensorShape([1, 2, 3, 1, 1])
    """
    return functools.partial(expanded, axes=tuple(int(a) for a in np.ravel(axis)), name=name)


def expanded(x: Any, axes: Sequence[int], name: str | None = None) -> tf.Tensor:
    """The tensor with axes of size 1 inserted."""
    with tf.name_scope(name or "expand_dims"):
        x = tf.convert_to_tensor(x)
        places = sorted(a if a >= 0 else x.shape.rank + 1 + a for a in axes)
        for count, place in enumerate(places):
            x = tf.expand_dims(x, place + count)
        return x


def batchify_op(op: Callable[..., tf.Tensor], op_min_input_ndims: int, x: tf.Tensor, *other_op_args: Any) -> tf.Tensor:
    """Applies an operation that takes one leading axis to an input with any number of them.

    Args:
      op: The operation, of `[N, ..]`.
      op_min_input_ndims: Number of axes of one example.
      x: The input.
      *other_op_args: What else the operation takes.

    Example:
      >>> batchify_op(tf.nn.conv2d, 3, tf.zeros([5, 2, 8, 8, 1]), tf.zeros([3, 3, 1, 4]), 1, "VALID").shape
      TensorShape([5, 2, 6, 6, 4])
    """
    if x.shape.rank == op_min_input_ndims + 1:
        return op(x, *other_op_args)
    kept = x.shape.rank - op_min_input_ndims
    y = op(tf.reshape(x, tf.concat([[-1], tf.shape(x)[kept:]], axis=0)), *other_op_args)
    outputs = tf.reshape(y, tf.concat([tf.shape(x)[:kept], tf.shape(y)[1:]], axis=0))
    return tf.ensure_shape(outputs, [*x.shape[:kept], *y.shape[1:]])


def trace(name: str | None = None) -> Callable[[Any], Any]:
    """A function that writes shape and dtype of its input to the standard output, and passes it on.

    Example:
      >>> y = trace("features")(tf.zeros([2, 3]))
      --- TRACE:  name:features    shape:[2, 3]            dtype:float32
    """
    label = "" if name is None else f"name:{name:10}  "

    def show(x: Any) -> Any:
        if hasattr(x, "dtype") and hasattr(x, "shape"):
            sys.stdout.write(f"--- TRACE:  {label}shape:{list(x.shape)!s:16}  dtype:{tf.as_dtype(x.dtype).name}\n")
        else:
            sys.stdout.write(f"--- TRACE:  {label}value:{x}\n")
        sys.stdout.flush()
        return x

    return show

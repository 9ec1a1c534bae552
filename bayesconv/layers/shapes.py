"""Sizes of tensors, known or not."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def sizes(tensor: tf.Tensor) -> list[Any]:
    """Sizes of all axes, ints where they are known and scalar tensors where not."""
    return [tf.shape(tensor)[i] if size is None else size for i, size in enumerate(tensor.shape)]


def static_sizes(tensor: tf.Tensor) -> list[int]:
    """Sizes of all axes of a tensor whose shape is known, as that of a kernel is."""
    known: Any = tensor.shape.as_list()
    return list(known)


def check_floating(name: str, inputs: tf.Tensor) -> None:
    """Raises a ValueError that names the layer unless the inputs are floating-point numbers."""
    if not inputs.dtype.is_floating:
        raise ValueError(
            f"`{name}` takes floating-point numbers. Received {inputs.dtype.name}: cast and scale images first, for "
            "example tf.cast(x, tf.float32) / 255."
        )


def join_last(tensor: tf.Tensor, axis: int) -> tf.Tensor:
    """Makes one of an axis and all after it."""
    return tf.reshape(tensor, [*sizes(tensor)[:axis], tensor.shape[axis:].num_elements()])


def split_last(tensor: tf.Tensor, parts: list[int]) -> tf.Tensor:
    """Makes several of the last axis."""
    return tf.reshape(tensor, [*sizes(tensor)[:-1], *parts])


def at_least_zero(value: Any) -> Any:
    """The larger of a size and 0, an int or a scalar tensor as it is."""
    return tf.maximum(value, 0) if tf.is_tensor(value) else max(value, 0)

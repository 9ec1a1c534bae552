"""Layers that only arrange numbers: flattening and reshaping."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.layers.arguments import check_positive
from bayesconv.layers.base import Layer
from bayesconv.layers.shapes import sizes


def product_of(factors: Sequence[Any]) -> Any:
    """The product of sizes: a number if all are numbers, else a scalar tensor."""
    known = math.prod(size for size in factors if not tf.is_tensor(size))
    unknown = [size for size in factors if tf.is_tensor(size)]
    return known * tf.reduce_prod(tf.stack(unknown)) if unknown else known


class Flatten(Layer):
    """Joins all axes but the first, or the last few: `[N, a, b, ..]` to `[N, a b ..]`.

    Args:
      ndims: How many of the last axes are joined; None joins all but the first.
      name: Name.

    Input shape:
      `[N, a, b, ..]`, or with `ndims` `[.., a, b, ..]`.

    Output shape:
      `[N, a b ..]`, or `[.., a b ..]`.

    Raises:
      ValueError: If `ndims` is no positive int, or the inputs have fewer axes.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.Flatten()(tf.zeros([2, 3, 4])).shape
      TensorShape([2, 12])
      >>> bc.Flatten(ndims=2)(tf.zeros([5, 2, 3, 4])).shape
      TensorShape([5, 2, 12])
    """

    def __init__(self, ndims: int | None = None, name: str | None = None) -> None:
        super().__init__(name=name)
        if ndims is not None:
            check_positive(ndims=ndims)
        self._ndims = ndims

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Reshapes the inputs."""
        inputs = tf.convert_to_tensor(inputs)
        all_sizes = sizes(inputs)
        kept = 1 if self._ndims is None else len(all_sizes) - self._ndims
        if len(all_sizes) < 1 or kept < 0:
            raise ValueError(
                f"`{self.name}` joins {'all axes but the first' if self._ndims is None else f'{self._ndims} axes'}. "
                f"Received inputs of shape {inputs.shape}."
            )
        return tf.reshape(inputs, [*all_sizes[:kept], product_of(all_sizes[kept:])])


class Reshape(Layer):
    """Gives every example another shape; the first axis stays.

    Args:
      shape: Shape of an example; one size may be -1 and follows from the others.
      name: Name.

    Input shape:
      `[N, ..]`.

    Output shape:
      `[N, *shape]`.

    Raises:
      ValueError: If the shape has a size that is none, more than one -1, or another number of elements than an example.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.Reshape([-1, 2, 2])(tf.zeros([5, 12])).shape
      TensorShape([5, 3, 2, 2])
    """

    def __init__(self, shape: Sequence[int], name: str | None = None) -> None:
        super().__init__(name=name)
        shape = tuple(shape)
        if not all(isinstance(size, numbers.Integral) and size >= -1 for size in shape) or shape.count(-1) > 1:
            raise ValueError(f"`shape` is a sequence of ints >= 0, of which one may be -1. Received {shape!r}.")
        self._shape = tuple(int(size) for size in shape)

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Reshapes the inputs."""
        inputs = tf.convert_to_tensor(inputs)
        batch, *example = sizes(inputs)
        count, given = product_of(example), math.prod(size for size in self._shape if size != -1)
        if isinstance(count, int):  # else TensorFlow checks when the sizes are known
            self._check(inputs.shape, count, given)
        # TensorFlow cannot tell the -1 of an empty batch.
        return tf.reshape(inputs, [batch, *(count // max(given, 1) if size == -1 else size for size in self._shape)])

    def _check(self, shape: tf.TensorShape, count: int, given: int) -> None:
        fits = given > 0 and count % given == 0 if -1 in self._shape else count == given
        if not fits:
            raise ValueError(
                f"`{self.name}` gives examples the shape {self._shape}, which must hold all their {count} elements. "
                f"Received inputs of shape {shape}."
            )

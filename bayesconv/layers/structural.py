"""Layers without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.layers.base import Layer
from bayesconv.layers.convolution import per_axis, validated_padding


class Flatten(Layer):
    """Joins all axes but the first: `[N, a, b, ..]` to `[N, a b ..]`.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.Flatten()(tf.zeros([2, 3, 4])).shape
      TensorShape([2, 12])
    """

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Reshapes the inputs; their last axes must be known."""
        inputs = tf.convert_to_tensor(inputs)
        return tf.reshape(inputs, [tf.shape(inputs)[0], inputs.shape[1:].num_elements()])


class _Pool(Layer):
    """Base of the poolings over windows."""

    _kind = "MAX"

    def __init__(
        self,
        window: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str = "VALID",
        rank: int = 2,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._window = per_axis("window", window, rank)
        self._strides = self._window if strides is None else per_axis("strides", strides, rank)
        self._padding = validated_padding(padding)

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Pools every window."""
        return tf.nn.pool(inputs, self._window, self._kind, strides=self._strides, padding=self._padding)


class MaxPool(_Pool):
    """Largest value of each window.

    Args:
      window: Size of the window, an int or one per spatial axis.
      strides: Distance of the windows; by default their size.
      padding: `"VALID"` or `"SAME"`.
      rank: Number of spatial axes.
      name: Name.

    Input shape:
      `[N, spatial.., C]`.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.MaxPool(2)(tf.reshape(tf.range(4.0), [1, 2, 2, 1])).numpy().ravel().tolist()
      [3.0]
    """


class AveragePool(_Pool):
    """Mean of each window; the arguments are those of `MaxPool`.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.AveragePool(2)(tf.reshape(tf.range(4.0), [1, 2, 2, 1])).numpy().ravel().tolist()
      [1.5]
    """

    _kind = "AVG"

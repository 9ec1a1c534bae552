"""Layers without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.layers.arguments import per_axis
from bayesconv.layers.base import Layer
from bayesconv.layers.convolution import validated_padding


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


def _sizes(tensor: tf.Tensor) -> list[Any]:
    """Sizes of all axes, numbers where they are known and scalar tensors where not."""
    return [tf.shape(tensor)[i] if size is None else size for i, size in enumerate(tensor.shape)]


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
        inputs = tf.convert_to_tensor(inputs)
        if self._kind == "MAX" and len(self._window) == 3 and inputs.dtype == tf.float64:
            return self._max_in_two_steps(inputs)
        return self._pool(inputs, slice(None))

    def _pool(self, inputs: tf.Tensor, axes: slice) -> tf.Tensor:
        window, strides = self._window[axes], self._strides[axes]
        return tf.nn.pool(inputs, window, self._kind, strides=strides, padding=self._padding)

    def _max_in_two_steps(self, inputs: tf.Tensor) -> tf.Tensor:
        # TensorFlow has no 3-D max pooling in float64; a maximum may be taken axis by axis.
        _, depth, _, _, channels = _sizes(inputs)
        planes = self._pool(tf.reshape(inputs, [-1, *_sizes(inputs)[2:]]), slice(1, None))
        _, height, width, _ = _sizes(planes)
        lines = self._pool(tf.reshape(planes, [-1, depth, height * width * channels]), slice(1))
        return tf.reshape(lines, [-1, _sizes(lines)[1], height, width, channels])


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

"""Pooling over windows and over all positions, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.layers.arguments import check_rank, per_axis
from bayesconv.layers.base import Layer
from bayesconv.layers.padding import validated_padding
from bayesconv.layers.shapes import check_floating, sizes
from bayesconv.layers.structural import product_of

_IN_THREE_DIMENSIONS = (tf.float32, tf.bfloat16)  # TensorFlow's CPU kernels pool other types in a plane only


def check_axes(name: str, inputs: tf.Tensor, rank: int) -> None:
    """Raises a ValueError unless there are batch axes, `rank` spatial axes and channels of floating-point numbers."""
    check_floating(name, inputs)
    if inputs.shape.rank is None or inputs.shape.rank < rank + 2:
        axes = ["N..", *"DHW"[3 - rank :], "C"]
        raise ValueError(
            f"`{name}` takes inputs of shape [{', '.join(axes)}], channels last. Received shape {inputs.shape}. A "
            "single example needs a batch axis, and `rank` is the number of spatial axes."
        )


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
        check_rank(rank)
        super().__init__(name=name)
        self._window = per_axis("window", window, rank)
        self._strides = self._window if strides is None else per_axis("strides", strides, rank)
        self._padding = validated_padding(padding)
        if any(stride > size for stride, size in zip(self._strides, self._window, strict=True)):
            raise ValueError(
                "`strides` greater than `window` would leave positions out, which TensorFlow does not do. Received "
                f"strides={self._strides}, window={self._window}: slice the inputs, or pool larger windows."
            )

    @property
    def window(self) -> tuple[int, ...]:
        """Size of the window, by spatial axis."""
        return tuple(self._window)

    @property
    def strides(self) -> tuple[int, ...]:
        """Distance of the windows, by spatial axis."""
        return tuple(self._strides)

    @property
    def padding(self) -> str:
        """VALID or SAME."""
        return self._padding

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Pools every window."""
        inputs, rank = tf.convert_to_tensor(inputs), len(self._window)
        check_axes(self.name, inputs, rank)
        *batch, _ = sizes(inputs)
        batch = batch[:-rank]
        if len(batch) > 1:
            inputs = tf.reshape(inputs, [product_of(batch), *sizes(inputs)[-rank - 1 :]])
        in_steps = rank == 3 and inputs.dtype not in _IN_THREE_DIMENSIONS
        outputs = self._pool_in_two_steps(inputs) if in_steps else self._pool(inputs, slice(None))
        return outputs if len(batch) == 1 else tf.reshape(outputs, [*batch, *sizes(outputs)[1:]])

    def _pool(self, inputs: tf.Tensor, axes: slice) -> tf.Tensor:
        window, strides = self._window[axes], self._strides[axes]
        return tf.nn.pool(inputs, window, self._kind, strides=strides, padding=self._padding)

    def _pool_in_two_steps(self, inputs: tf.Tensor) -> tf.Tensor:
        # A maximum may be taken axis by axis, and so may a mean: a window holds a box of positions even at a border.
        batch, depth, height, width, channels = sizes(inputs)
        planes = tf.reshape(inputs, [product_of([batch, depth]), height, width, channels])
        planes = self._pool(planes, slice(1, None))
        _, height, width, _ = sizes(planes)
        lines = tf.reshape(planes, [batch, depth, product_of([height, width, channels])])
        lines = self._pool(lines, slice(1))
        return tf.reshape(lines, [batch, sizes(lines)[1], height, width, channels])


class MaxPool(_Pool):
    """Largest value of each window.

    Args:
      window: Size of the window, an int or one per spatial axis.
      strides: Distance of the windows, by default their size and never more.
      padding: `"VALID"` or `"SAME"`, in any case; what is beyond the border is never the largest.
      rank: Number of spatial axes: 1, 2 or 3.
      name: Name.

    Input shape:
      `[N.., spatial.., C]`, with one batch axis or more.

    Output shape:
      `[N.., spatial.., C]`.

    Raises:
      ValueError: If an argument is out of range, or the inputs have too few axes.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.MaxPool(2)(tf.reshape(tf.range(4.0), [1, 2, 2, 1])).numpy().ravel().tolist()
      [3.0]
    """


class AveragePool(_Pool):
    """Mean of each window; what is beyond the border does not count. The arguments are those of `MaxPool`.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.AveragePool(2)(tf.reshape(tf.range(4.0), [1, 2, 2, 1])).numpy().ravel().tolist()
      [1.5]
    """

    _kind = "AVG"


class _GlobalPool(Layer):
    """Base of the poolings over all positions."""

    def __init__(self, rank: int = 2, keepdims: bool = False, name: str | None = None) -> None:
        check_rank(rank)
        super().__init__(name=name)
        self._rank, self._keepdims = rank, keepdims

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return self._rank

    @property
    def keepdims(self) -> bool:
        """Whether the spatial axes stay, with size 1."""
        return self._keepdims

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Pools all positions."""
        inputs = tf.convert_to_tensor(inputs)
        check_axes(self.name, inputs, self._rank)
        return self._reduce(inputs, list(range(-self._rank - 1, -1)))

    def _reduce(self, inputs: tf.Tensor, axes: list[int]) -> tf.Tensor:
        return tf.reduce_max(inputs, axes, keepdims=self._keepdims)


class GlobalMaxPool(_GlobalPool):
    """Largest value of each channel.

    Args:
      rank: Number of spatial axes: 1, 2 or 3.
      keepdims: Whether the spatial axes stay, with size 1.
      name: Name.

    Input shape:
      `[N.., spatial.., C]`.

    Output shape:
      `[N.., C]`.

    Raises:
      ValueError: If the rank is out of range, or the inputs have too few axes.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.GlobalMaxPool()(tf.reshape(tf.range(8.0), [1, 2, 2, 2])).numpy().tolist()
      [[6.0, 7.0]]
    """


class GlobalAveragePool(_GlobalPool):
    """Mean of each channel; the arguments are those of `GlobalMaxPool`. Half precision is summed in float32.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.GlobalAveragePool()(tf.reshape(tf.range(8.0), [1, 2, 2, 2])).numpy().tolist()
      [[3.0, 4.0]]
    """

    def _reduce(self, inputs: tf.Tensor, axes: list[int]) -> tf.Tensor:
        wide = tf.cast(inputs, tf.float32) if inputs.dtype.size < 4 else inputs
        return tf.cast(tf.reduce_mean(wide, axes, keepdims=self._keepdims), inputs.dtype)

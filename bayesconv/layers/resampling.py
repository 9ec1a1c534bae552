"""Upsampling by whole factors, axis by axis, channels last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.layers.arguments import check_rank, per_axis
from bayesconv.layers.base import Layer
from bayesconv.layers.pooling import check_axes
from bayesconv.layers.shapes import sizes
from bayesconv.layers.structural import product_of
from bayesconv.registry import unknown_name_message


class Upsample(Layer):
    """Makes every spatial axis longer by a whole factor.

    Positions are the middles of cells, as in `tf.image.resize`: output `i` of factor `f` lies at `(i + 1/2) / f - 1/2`,
    and beyond the first and the last input the signal is constant.

    Args:
      factor: How much longer, an int or one per spatial axis.
      method: `"nearest"` repeats values; `"linear"` interpolates along every axis, and `"bilinear"` is its other name.
      rank: Number of spatial axes: 1, 2 or 3.
      name: Name.

    Input shape:
      `[N.., spatial.., C]`, with one batch axis or more.

    Output shape:
      `[N.., factor spatial.., C]`.

    Raises:
      ValueError: If an argument is out of range, or the inputs have too few axes.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> x = tf.constant([[[0.0], [4.0]]])
      >>> bc.Upsample(2, rank=1)(x).numpy().ravel().tolist()
      [0.0, 0.0, 4.0, 4.0]
      >>> bc.Upsample(2, "linear", rank=1)(x).numpy().ravel().tolist()
      [0.0, 1.0, 3.0, 4.0]
    """

    def __init__(
        self,
        factor: int | Sequence[int] = 2,
        method: str = "nearest",
        rank: int = 2,
        name: str | None = None,
    ) -> None:
        check_rank(rank)
        if method not in _METHODS:
            raise ValueError(unknown_name_message("value of `method`", method, _METHODS))
        super().__init__(name=name)
        self._factors, self._phases = per_axis("factor", factor, rank), _METHODS[method]

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Lengthens one axis after the other."""
        outputs, rank = tf.convert_to_tensor(inputs), len(self._factors)
        check_axes(self.name, outputs, rank)
        for axis, factor in enumerate(self._factors, outputs.shape.rank - rank - 1):
            if factor > 1:
                outputs = _interleaved(self._phases(outputs, axis, factor), axis)
        return outputs


def _nearest(inputs: tf.Tensor, axis: int, factor: int) -> list[tf.Tensor]:
    return [inputs] * factor


def _linear(inputs: tf.Tensor, axis: int, factor: int) -> list[tf.Tensor]:
    """The outputs by their place in a cell, from its value and its neighbours': y = x + |t| (neighbour - x)."""
    before, after = _neighbours(inputs, axis)
    offsets = [(phase + 0.5) / factor - 0.5 for phase in range(factor)]
    return [inputs + abs(t) * ((after if t > 0 else before) - inputs) for t in offsets]


def _neighbours(inputs: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The value before and after every position of an axis; its ends are their own neighbours."""

    def part(*bounds: int | None) -> tf.Tensor:
        return inputs[(slice(None),) * axis + (slice(*bounds),)]

    before = tf.concat([part(0, 1), part(0, -1)], axis)
    return before, tf.concat([part(1, None), part(-1, None)], axis)


def _interleaved(phases: list[tf.Tensor], axis: int) -> tf.Tensor:
    longer = sizes(phases[0])
    longer[axis] = product_of([longer[axis], len(phases)])
    return tf.reshape(tf.stack(phases, axis + 1), longer)


_METHODS: dict[str, Callable[[tf.Tensor, int, int], list[tf.Tensor]]] = {
    "nearest": _nearest,
    "linear": _linear,
    "bilinear": _linear,
}

"""Numbers of channels against whole tensors, in as few passes over the latter as TensorFlow allows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.tracing import with_own_gradient

_LONG = 64


def along_rows(channels: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """Numbers `[C]` or `[.., 1, C]`, laid out to be broadcast against a tensor `[.., W, C]`.

    TensorFlow broadcasts along short rows slowly, and slower still sums a gradient back: for few channels the numbers
    are repeated for each pixel of a row.

    Example:
      >>> along_rows(tf.constant([1.0, 2.0]), tf.zeros([4, 5, 3, 2])).numpy().tolist()
      [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    """
    channels = tf.convert_to_tensor(channels)
    width, num = tensor.shape[-2:]
    if len(tensor.shape) <= 3 or width is None or num is None or num >= _LONG:
        return channels
    if channels.shape.rank > 1 and channels.shape[-2] != 1:
        return channels
    rows = channels[tf.newaxis] if channels.shape.rank == 1 else channels
    return tf.tile(rows, [*[1] * (rows.shape.rank - 2), width, 1])


def mean_square(tensor: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Mean of squares over some axes, which stay with size 1.

    TensorFlow's own gradient spreads the upstream one over the tensor before it multiplies, and that twice.

    Example:
      >>> mean_square(tf.constant([[3.0], [4.0]]), [0]).numpy().tolist()
      [[12.5]]
    """
    return _mean_square_over(tuple(axes))(tensor)


@functools.cache
def _mean_square_over(axes: tuple[int, ...]) -> Callable[[tf.Tensor], tf.Tensor]:
    def of(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        count = _count(x, axes)
        mean = tf.reduce_mean(tf.square(x), axes, keepdims=True)
        return mean, lambda upstream: x * along_rows(2.0 * upstream / count, x)

    return with_own_gradient(of)


def _count(tensor: tf.Tensor, axes: Sequence[int]) -> Any:
    known = [tensor.shape[axis] for axis in axes]
    if None not in known:
        return float(math.prod(map(int, known)))  # type: ignore[arg-type]
    return tf.cast(tf.reduce_prod([tf.shape(tensor)[axis] for axis in axes]), tensor.dtype)

"""Batches that hold as many examples as what is done with them needs."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def at_least(inputs: tf.Tensor, count: int) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Examples `[N, ..]`, with zeros up to `count` of them if N is smaller, and a function that cuts these off again.

    Pad and slice copy nothing where there is nothing to do.

    Args:
      inputs: `[N, ..]`; N may be unknown.
      count: Number of examples.

    Returns:
      The examples, and a function of whatever is made of them, `[max(N, count), ..]`, that gives `[N, ..]`.

    Example:
      >>> examples, restored = at_least(tf.zeros([0, 3]), 1)
      >>> examples.shape, restored(2.0 * examples).shape
      (TensorShape([1, 3]), TensorShape([0, 3]))
    """
    known = inputs.shape[0]
    if known is not None and known >= count:
        return inputs, lambda outputs: outputs
    num, rank = tf.shape(inputs)[0], len(inputs.shape)
    # Stacked, not scattered: XLA must see that the amounts are constants.
    missing = tf.concat([[[0, tf.maximum(count - num, 0)]], tf.zeros([rank - 1, 2], tf.int32)], axis=0)
    # A tensor of zeros makes it a PadV2: oneDNN fuses a Pad with the convolution after it, and such a convolution gives
    # an empty batch the shape of the inputs.
    examples = tf.pad(inputs, missing, constant_values=tf.zeros([], inputs.dtype))
    examples.set_shape(tf.TensorShape([count if known is not None else None]).concatenate(inputs.shape[1:]))

    def restored(outputs: tf.Tensor) -> tf.Tensor:
        rank = len(outputs.shape)
        sliced = tf.slice(outputs, [0] * rank, tf.concat([[num], [-1] * (rank - 1)], axis=0))
        sliced.set_shape(inputs.shape[:1].concatenate(outputs.shape[1:]))
        return sliced

    return examples, restored

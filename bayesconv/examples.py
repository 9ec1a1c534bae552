"""Batches that hold as many examples as what is done with them needs."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator

import tensorflow as tf

from bayesconv.tracing import as_one_operation

_HAS_SOME: contextvars.ContextVar[bool] = contextvars.ContextVar("_HAS_SOME", default=False)


@contextlib.contextmanager
def never_empty() -> Iterator[None]:
    """In the block no batch is empty: layers do without what is for those, which is a third of a network's operations.

    Example:
      >>> with never_empty():
      ...     handed_on = tf.function(lambda x: at_least(x, 1)[0] is x, [tf.TensorSpec([None, 2])])
      ...     bool(handed_on(tf.ones([3, 2])))
      True
    """
    with _set(True):
        yield


def maybe_empty() -> contextlib.AbstractContextManager[None]:
    """In the block, within one of `never_empty`, batches may be empty after all."""
    return _set(False)


def batches_within(layer: object) -> contextlib.AbstractContextManager[None]:
    """In the block of a layer of one's own, batches may be empty after all: it may send some members no example."""
    return contextlib.nullcontext() if type(layer).__module__.startswith("bayesconv.") else maybe_empty()


@contextlib.contextmanager
def _set(has_some: bool) -> Iterator[None]:
    token = _HAS_SOME.set(has_some)
    try:
        yield
    finally:
        _HAS_SOME.reset(token)


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
    if (known is not None and known >= count) or (known is None and count == 1 and _HAS_SOME.get()):
        return inputs, lambda outputs: outputs
    examples, num = _padding(count)(inputs)

    def restored(outputs: tf.Tensor) -> tf.Tensor:
        cut = _cut(outputs, num)
        cut.set_shape(inputs.shape[:1].concatenate(outputs.shape[1:]))
        return cut

    return examples, restored


@functools.cache
def _padding(count: int) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    def of(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        num, rank = tf.shape(inputs)[0], len(inputs.shape)
        # Stacked, not scattered: XLA must see that the amounts are constants.
        missing = tf.concat([[[0, tf.maximum(count - num, 0)]], tf.zeros([rank - 1, 2], tf.int32)], axis=0)
        # A tensor of zeros makes it a PadV2: oneDNN fuses a Pad with the convolution after it, and such a convolution
        # gives an empty batch the shape of the inputs.
        examples = tf.pad(inputs, missing, constant_values=tf.zeros([], inputs.dtype))
        known = count if inputs.shape[0] is not None else None
        examples.set_shape(tf.TensorShape([known]).concatenate(inputs.shape[1:]))
        return examples, num

    return as_one_operation(of)


@as_one_operation
def _cut(outputs: tf.Tensor, num: tf.Tensor) -> tf.Tensor:
    rank = len(outputs.shape)
    return tf.slice(outputs, [0] * rank, tf.concat([[num], [-1] * (rank - 1)], axis=0))

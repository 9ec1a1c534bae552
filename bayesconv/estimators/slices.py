"""The batch in slices, each of which meets a kernel of its own: one ordinary application of the operator for each."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.estimators.base import LinearOp
from bayesconv.examples import at_least
from bayesconv.tracing import as_one_operation
from bayesconv.weights import KernelBias, map_kernel_bias


def apply_by_slice(linear_op: LinearOp, inputs: tf.Tensor, kernels: Sequence[KernelBias]) -> tf.Tensor:
    """Outputs of a batch whose slices, as equal as can be, meet one kernel each, in order.

    Where there are fewer examples than kernels each example is a slice, and the last kernels meet none.

    Args:
      linear_op: The layer's operator.
      inputs: `[N, ..]`; N may be unknown, and is not 0.
      kernels: The weights of each slice.
    """
    slices, restored = sliced_batch(inputs, len(kernels))
    parts = [linear_op(part, weights) for part, weights in zip(slices, kernels[: len(slices)], strict=True)]
    return restored(tf.concat(parts, axis=0))


def sliced_batch(inputs: tf.Tensor, count: int) -> tuple[list[tf.Tensor], Callable[[tf.Tensor], tf.Tensor]]:
    """Slices of `[N, ..]`, none of them empty, and a function that cuts off examples that N < count made necessary.

    Slice g of G begins at example `g N // G`. Fewer than `count` slices are given where N is known to be smaller.

    Example:
      >>> [part.shape[0] for part in sliced_batch(tf.zeros([11, 2]), 4)[0]]
      [2, 3, 3, 3]
    """
    known = inputs.shape[0]
    if known is not None:
        return _split(inputs, known, min(count, known)), lambda outputs: outputs
    padded, restored = at_least(inputs, count)
    return _split(padded, tf.shape(padded)[0], count), restored


def _split(inputs: tf.Tensor, num: Any, count: int) -> list[tf.Tensor]:
    # Not inputs[a:b]: the gradient of a strided slice costs more than the convolution.
    return tf.split(inputs, _sizes(num, count) if isinstance(num, int) else _sizes_of(count)(num), num=count)


def _sizes(num: Any, count: int) -> list[Any]:
    bounds = [g * num // count for g in range(count + 1)]
    return [end - start for start, end in itertools.pairwise(bounds)]


@functools.cache
def _sizes_of(count: int) -> Callable[[tf.Tensor], tf.Tensor]:
    return as_one_operation(lambda num: tf.stack(_sizes(num, count)))


def unstacked(weights: KernelBias) -> list[KernelBias]:
    """The draws that stand along a first axis, one by one."""
    members = map_kernel_bias(tf.unstack, weights)
    return [KernelBias(*draw) for draw in zip(*(m for m in members if m is not None), strict=True)]


def check_count(estimator: str, option: str, count: Any) -> None:
    """Raises a ValueError unless a number of slices is a positive int."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(
            f"{estimator} divides the batch in {option} >= 1 parts. Received {option}={count!r}; with 1 all examples "
            "share a kernel, and 8 is the default."
        )

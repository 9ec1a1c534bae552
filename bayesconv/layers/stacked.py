"""One pass for several draws at once: their kernels are a batch of kernels, each with examples of its own."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import tensorflow as tf

from bayesconv.layers.shapes import sizes
from bayesconv.weights import KernelBias


def apply_to_stacks(linear_op: Any, inputs: tf.Tensor, weights: KernelBias, num: int) -> tf.Tensor:
    """Outputs for S stacks of examples, each of which meets the weights of one draw.

    It is a single operation in place of S, which is faster where an example is too little work for one.

    Args:
      linear_op: An operator that `takes_batches` of kernels.
      inputs: `[S N, ..]`, stack after stack.
      weights: S draws along a first axis.
      num: S.

    Returns:
      `[S N, ..]`.
    """
    batched = dataclasses.replace(linear_op, batch_shape=(num, *linear_op.batch_shape))
    stacks = tf.reshape(inputs, [num, -1, *sizes(inputs)[1:]])
    place = stacks.shape.rank - 1 - batched.batch_ndims  # of a batch of kernels: before what it is a batch of
    outputs = batched(_moved(stacks, 0, place), weights)
    ordered = _moved(outputs, outputs.shape.rank - 1 - batched.batch_ndims, 0)
    return tf.reshape(ordered, [-1, *sizes(ordered)[2:]])


def _moved(tensor: tf.Tensor, source: int, target: int) -> tf.Tensor:
    others = [axis for axis in range(tensor.shape.rank) if axis != source]
    return tf.transpose(tensor, list(itertools.chain(others[:target], [source], others[target:])))

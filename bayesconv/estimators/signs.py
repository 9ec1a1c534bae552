"""Signs of the weights of each slice of a batch."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy import linalg

from bayesconv import random
from bayesconv.tracing import as_one_operation
from bayesconv.weights import KernelBias


def independent_signs(weights: KernelBias, batch_ndims: int, num: int, seed: tf.Tensor) -> KernelBias:
    """Random signs: for the kernel the product of one for every tap and input and one for every output.

    Any two weights of a kernel then have independent signs, as if every weight drew its own.

    Args:
      weights: Whose shapes and types the signs have.
      batch_ndims: Number of batch dimensions of the kernel.
      num: Number of slices G.
      seed: Seed.

    Returns:
      The signs, with a first axis of G.
    """
    seed_in, seed_out, seed_bias = random.split(seed, 3)
    shape_in, shape_out = _factors(weights.kernel.shape.as_list(), batch_ndims)
    dtype, bias = weights.kernel.dtype, weights.bias
    kernel = random.signs([num, *shape_in], seed_in, dtype) * random.signs([num, *shape_out], seed_out, dtype)
    if bias is None:
        return KernelBias(kernel)
    return KernelBias(kernel, random.signs([num, *bias.shape], seed_bias, dtype))


def balanced_signs(weights: KernelBias, batch_ndims: int, num: int, seed: tf.Tensor) -> KernelBias:
    """Random signs that add up to zero over the slices, for every weight.

    A weight's signs are one of the G - 1 rows of a Hadamard matrix that are not constant: for the kernel row
    `a_i + b_o mod G - 1`, with random `a_i` for every tap and input and `b_o` for every output, so that any two
    weights have independent rows. Two slices' signs of a weight have the expected product `-1 / (G - 1)`.

    Args:
      weights: Whose shapes and types the signs have.
      batch_ndims: Number of batch dimensions of the kernel.
      num: Number of slices G, a power of 2 above 1.
      seed: Seed.

    Returns:
      The signs, with a first axis of G.
    """
    seed_in, seed_out, seed_bias = random.split(seed, 3)
    shape_in, shape_out = _factors(weights.kernel.shape.as_list(), batch_ndims)
    rows, dtype, bias = linalg.hadamard(num)[1:], weights.kernel.dtype, weights.bias
    table = rows[np.add.outer(np.arange(num - 1), np.arange(num - 1)) % (num - 1)].transpose(2, 0, 1)  # [G, a, b]
    by_input = tf.gather(tf.constant(table, dtype), _codes(shape_in[:-1], num - 1, seed_in), axis=1)
    by_output = tf.one_hot(_codes(shape_out[:-2] + shape_out[-1:], num - 1, seed_out), num - 1, dtype=dtype)
    kernel = tf.matmul(by_input, by_output, transpose_b=True)
    if bias is None:
        return KernelBias(kernel)
    bias_signs = tf.gather(tf.constant(rows.T, dtype), _codes(bias.shape.as_list(), num - 1, seed_bias), axis=1)
    return KernelBias(kernel, bias_signs)


def _factors(shape: list[int], batch_ndims: int) -> tuple[list[int], list[int]]:
    """Shapes of two factors of a kernel: of all axes but the outputs', and of the batch and the outputs."""
    taps = [1] * (len(shape) - batch_ndims - 1)
    return [*shape[:-1], 1], [*shape[:batch_ndims], *taps, shape[-1]]


def _codes(shape: list[int], num: int, seed: tf.Tensor) -> tf.Tensor:
    """Random integers from 0 to num - 1."""
    return tf.reshape(_codes_below(num)(seed, tf.constant(math.prod(shape))), shape)


@functools.cache
def _codes_below(num: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    def of(seed: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        share = (random.uniform([size], seed) + 1.0) / 2.0
        return tf.minimum(tf.cast(num * share, tf.int32), num - 1)

    return as_one_operation(of)

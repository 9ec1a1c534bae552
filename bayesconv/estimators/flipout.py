"""Flipout: signs for every example and channel, with one draw or several."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.estimators.base import (
    Draw,
    Estimate,
    LinearOp,
    StochasticPass,
    register,
    require_reparameterized,
    require_trait,
)
from bayesconv.estimators.slices import apply_by_slice, check_count, unstacked
from bayesconv.rows import along_rows
from bayesconv.tracing import as_one_operation
from bayesconv.weights import KernelBias, map_kernel_bias


@register("flipout")
def flipout(linear_op: LinearOp, posterior: KernelBias) -> StochasticPass:
    """One draw of the weights, whose deviation from the mean gets signs of its own for every example and channel.

    `y_n = f(x_n, mean) + r_n f(x_n s_n, w - mean)` with random signs `s_n` of shape `[N, 1.., C_in]` and `r_n` of
    shape `[N, 1.., C_out]`. The signs do not vary over space, so a single kernel explains all positions of an
    example. Two applications of the operator; noise decorrelates between examples.

    Raises:
      ValueError: If the posterior's deviations may not be sign-flipped.

    References:
      Wen et al., Flipout: Efficient Pseudo-Independent Weight Perturbations on Mini-Batches, ICLR 2018.
      arXiv:1803.04386
    """
    require_reparameterized(posterior, "flipout")
    require_trait(
        posterior, distributions.SIGN_SYMMETRIC, "flipout", "independent weights, each symmetric about its mean"
    )

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), map_kernel_bias(lambda d: d.mean(), posterior)
        seed_in, seed_out = random.split(seed)
        batch_shape = weights.kernel.shape[: linear_op.batch_ndims]
        inputs_flipped = flipped(inputs, example_signs(inputs, batch_shape, seed_in))
        deviation = linear_op(inputs_flipped, map_kernel_bias(tf.subtract, weights, mean))
        signs_out = example_signs(deviation, batch_shape, seed_out)
        return Estimate(linear_op(inputs, mean) + flipped(deviation, signs_out), weights)

    return stochastic_pass


@register("grouped_flipout")
def grouped_flipout(linear_op: LinearOp, posterior: KernelBias, *, num_groups: int = 8) -> StochasticPass:
    """Flipout with several draws, one for each slice of the batch.

    `y_n = f(x_n, mean) + r_n f(x_n s_n, w_g - mean)` for the examples n of slice g. Under flipout all examples share
    the magnitudes of the deviations, so the variance of the scales' gradients has a floor that a larger batch does
    not lower; G draws lower it G times. `extra_result` has a leading axis of G.

    Args:
      linear_op: The layer's operator.
      posterior: The distributions of kernel and bias.
      num_groups: Number of slices G, each with a draw of its own.

    Raises:
      ValueError: If `num_groups` is out of range, or the posterior's deviations may not be sign-flipped.

    References:
      Wen et al., Flipout, ICLR 2018. arXiv:1803.04386, Theorem 2 for the floor.
    """
    require_reparameterized(posterior, "grouped_flipout")
    check_count("grouped_flipout", "num_groups", num_groups)
    require_trait(
        posterior,
        distributions.SIGN_SYMMETRIC,
        "grouped_flipout",
        "independent weights, each symmetric about its mean",
        "{'name': 'sliced', 'draws': 'independent'}",
    )

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(num_groups), map_kernel_bias(lambda d: d.mean(), posterior)
        seed_in, seed_out = random.split(seed)
        batch_shape = weights.kernel.shape[1 : 1 + linear_op.batch_ndims]
        inputs_flipped = flipped(inputs, example_signs(inputs, batch_shape, seed_in))
        deviations = unstacked(map_kernel_bias(tf.subtract, weights, mean))
        deviation = apply_by_slice(linear_op, inputs_flipped, deviations)
        signs_out = example_signs(deviation, batch_shape, seed_out)
        return Estimate(linear_op(inputs, mean) + flipped(deviation, signs_out), weights)

    return stochastic_pass


def example_signs(tensor: tf.Tensor, batch_shape: tf.TensorShape, seed: tf.Tensor) -> tf.Tensor:
    """Signs `[N, 1.., (B..,) C]` for a tensor `[N, .., (B..,) C]`."""
    # The batch shape is the kernel's: where the inputs broadcast along it, every kernel still gets signs of its own.
    ones = [1] * (tensor.shape.rank - 2 - batch_shape.rank)
    inner: list[Any] = [*ones, *batch_shape.as_list(), tensor.shape[-1]]
    if tensor.shape[0] is not None:
        return random.signs([tensor.shape[0], *inner], seed, tensor.dtype)
    signs = random.signs(tf.concat([tf.shape(tensor)[:1], inner], axis=0), seed, tensor.dtype)
    signs.set_shape([None, *inner])
    return signs


@as_one_operation
def flipped(tensor: tf.Tensor, signs: tf.Tensor) -> tf.Tensor:
    """A tensor `[N, .., W, C]` times signs `[N, 1.., 1, C]`."""
    return tensor * along_rows(signs, tensor)

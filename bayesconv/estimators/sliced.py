"""Sliced: the batch in a few slices, each with a kernel of its own, at about the price of one convolution."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from bayesconv import distributions
from bayesconv.estimators.base import (
    Draw,
    Estimate,
    LinearOp,
    StochasticPass,
    register,
    require_reparameterized,
    require_trait,
)
from bayesconv.estimators.signs import balanced_signs, independent_signs
from bayesconv.estimators.slices import apply_by_slice, check_count, unstacked
from bayesconv.registry import unknown_name_message
from bayesconv.weights import KernelBias, map_kernel_bias

SIGNS = {"flipped": independent_signs, "balanced": balanced_signs}
DRAWS = (*SIGNS, "independent")


@register("sliced")
def sliced(
    linear_op: LinearOp, posterior: KernelBias, *, num_slices: int = 8, draws: str = "flipped"
) -> StochasticPass:
    """The batch in slices, each with a kernel of its own: one draw with signs for every slice, or fresh draws.

    `y_n = f(x_n, mean + t_g o (w - mean))` for the examples n of slice g, with random signs `t_g` of the shape of the
    weights. It is the small kernel that is flipped and not the activations, so the operator is applied once to every
    example, and each slice is one ordinary convolution. Noise decorrelates between slices; the examples of a slice
    share theirs.

    Args:
      linear_op: The layer's operator.
      posterior: The distributions of kernel and bias.
      num_slices: Number of slices G, of N / G examples each; with fewer examples than that, one each.
      draws: `"flipped"`, one draw with independent signs for every slice; `"balanced"`, one draw with signs that add
        up to zero over the slices, so that what is odd in the deviation cancels as far as slices agree; or
        `"independent"`, a draw for every slice, which needs no symmetry, and gives `extra_result` a leading axis of G.

    Raises:
      ValueError: If an option is out of range, or the posterior's deviations may not be sign-flipped.

    References:
      Wen et al., Flipout, ICLR 2018. arXiv:1803.04386 (signs for every example instead of every slice)

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> layer = bc.Convolution(3, 8, 5, make_kernel_bias_fn=bc.make_kernel_bias_sliced)
      >>> layer(tf.ones([64, 9, 9, 3])).shape
      TensorShape([64, 5, 5, 8])
    """
    require_reparameterized(posterior, "sliced")
    check_count("sliced", "num_slices", num_slices)
    _check_draws(draws, num_slices)
    if draws == "independent":
        return _independent(linear_op, num_slices)
    require_trait(
        posterior,
        distributions.SIGN_SYMMETRIC,
        "sliced",
        "independent weights, each symmetric about its mean",
        "{'name': 'sliced', 'draws': 'independent'}",
    )
    return _flipped(linear_op, posterior, num_slices, SIGNS[draws])


def _check_draws(draws: str, num_slices: int) -> None:
    if draws not in DRAWS:
        raise ValueError(unknown_name_message("value of `draws` of the estimator 'sliced'", draws, DRAWS))
    if draws == "balanced" and (num_slices < 2 or num_slices & (num_slices - 1)):
        raise ValueError(
            "sliced with draws='balanced' needs a number of slices that is a power of 2, such as 4 or 8. "
            f"Received num_slices={num_slices}; draws='flipped' takes any."
        )


def _independent(linear_op: LinearOp, num_slices: int) -> StochasticPass:
    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        weights = draw(num_slices)
        return Estimate(apply_by_slice(linear_op, inputs, unstacked(weights)), weights)

    return stochastic_pass


def _flipped(
    linear_op: LinearOp, posterior: KernelBias, num_slices: int, signs_of: Callable[..., KernelBias]
) -> StochasticPass:
    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), map_kernel_bias(lambda d: d.mean(), posterior)
        deviation = map_kernel_bias(tf.subtract, weights, mean)
        signs = signs_of(deviation, linear_op.batch_ndims, num_slices, seed)
        kernels = map_kernel_bias(lambda m, s, d: m + s * d, mean, signs, deviation)  # of all slices at once
        return Estimate(apply_by_slice(linear_op, inputs, unstacked(kernels)), weights)

    return stochastic_pass

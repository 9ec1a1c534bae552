"""Normal weights with a few directions in which they vary together."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.posteriors.registry import check_count, filled, location_variable, register, starting_scale
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

_SHARED = 0.1  # share of the initial variance that the directions have


@register("low_rank_normal")
def low_rank_normal(
    specs: KernelBias, *, rank: int = 2, initial_scale: float | None = None, initial_scale_ratio: float = 0.25
) -> KernelBias:
    """Normal with covariance `diag(scale^2) + U U^T` over all elements of a kernel, and the same for the bias.

    `U` has `rank` columns, the directions in which weights vary together. They begin with random signs and a tenth of
    every weight's variance. Weights are not independent, so flipout does not apply.

    Args:
      specs: What is known of the kernel and the bias.
      rank: Number of directions, at most the number of elements.
      initial_scale: Initial standard deviation of every weight.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the rank is not a positive integer, or the initial scale not positive.

    References:
      Ong et al., Gaussian Variational Approximation with a Factor Covariance Structure, Journal of Computational and
      Graphical Statistics 2018. arXiv:1701.03208

    Example:
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((3, 3, 16, 32), tf.float32, 144, seed=0)
      >>> low_rank_normal(KernelBias(spec), rank=4).kernel.factors.shape
      TensorShape([4, 3, 3, 16, 32])
    """
    check_count("The rank of a low-rank normal", rank)

    def one(spec: WeightSpec) -> Any:
        scale = starting_scale(spec, initial_scale, initial_scale_ratio)
        directions = min(rank, math.prod(spec.shape[spec.batch_ndims :]))
        signs = random.signs((directions, *spec.shape), random.fold_in(random.as_seed(spec.seed), 1), spec.dtype)
        own = filled(spec.shape, math.sqrt(1.0 - _SHARED) * scale, spec)
        return distributions.LowRankNormal(
            location_variable(spec, scale),
            distributions.positive_variable(own, f"{spec.name}/untransformed_scale"),
            tf.Variable(signs * math.sqrt(_SHARED / directions) * scale, name=f"{spec.name}/factors"),
            spec.batch_ndims,
        )

    return map_kernel_bias(one, specs)

"""Point-estimated kernels with random factors of their channels."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.posteriors.registry import (
    batch_shape,
    check_count,
    filled,
    initial_location,
    noisy_location,
    register,
)
from bayesconv.weights import KernelBias, WeightSpec


@register("rank_1")
def rank_1(
    specs: KernelBias, *, num_components: int = 1, initial_scale: float = 0.1, random_signs: bool = False
) -> KernelBias:
    """Rank-1: `w = loc o (r s^T)` with a normal factor for every input channel and every output channel.

    `loc` and the bias are point estimates without a penalty. The posterior has no density in the space of weights, so
    its prior must be `"rank_1"` too, which compares the factors. Of several components each draw picks one, as in an
    ensemble that shares `loc`; the KL is then replaced by the mean over the components, at most `log K` above it, so
    that the bound on the evidence stays one.

    Args:
      specs: What is known of the kernel and the bias.
      num_components: Number K of components of the mixture that `(r, s)` have.
      initial_scale: Initial standard deviation of the factors.
      random_signs: Whether the factors' means begin at random signs, so that components differ, instead of at 1.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the number of components is not a positive integer, or the initial scale not positive.

    References:
      Dusenberry et al., Efficient and Scalable Bayesian Neural Nets with Rank-1 Factors, ICML 2020. arXiv:2005.07186

    Example:
      >>> import bayesconv as bc
      >>> factory = bc.kernel_bias.factory("reparameterization", posterior="rank_1", prior="rank_1")
      >>> layer = bc.Convolution(16, 32, 3, make_kernel_bias_fn=factory)
      >>> layer.posterior.kernel.inputs.loc.shape, layer.posterior.kernel.outputs.loc.shape
      (TensorShape([1, 16]), TensorShape([1, 32]))
    """
    check_count("The number of components of a rank-1 posterior", num_components)
    if not initial_scale > 0:
        raise ValueError(f"A posterior starts with a positive scale. Received initial_scale={initial_scale}.")

    def factor(spec: WeightSpec, side: str, size: int, seed: Any) -> distributions.Factor:
        shape = (num_components, *batch_shape(spec), size)
        means = random.signs(shape, seed, spec.dtype) if random_signs else tf.ones(shape, spec.dtype)
        scale = filled(shape, initial_scale, spec)
        return distributions.Factor(
            tf.Variable(means, name=f"{spec.name}/{side}_loc"),
            distributions.positive_variable(scale, f"{spec.name}/untransformed_{side}_scale"),
        )

    def kernel(spec: WeightSpec) -> Any:
        loc = noisy_location(spec, (1.0 + initial_scale**2) ** 2 - 1.0)
        seeds = random.split(random.fold_in(random.as_seed(spec.seed), 1))
        inputs, outputs = (
            factor(spec, *part) for part in zip(("input", "output"), spec.shape[-2:], seeds, strict=True)
        )
        return distributions.RankOneKernel(tf.Variable(loc, name=f"{spec.name}/loc"), inputs, outputs, spec.batch_ndims)

    return KernelBias(kernel(specs.kernel), None if specs.bias is None else point(specs.bias))


def point(spec: WeightSpec) -> Any:
    """A weight without noise."""
    return distributions.PointMass(tf.Variable(initial_location(spec, 0.0), name=f"{spec.name}/loc"))

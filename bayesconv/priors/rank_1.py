"""The prior of rank-1 factors."""

from __future__ import annotations

from bayesconv import distributions
from bayesconv.priors.registry import check_positive, number, register
from bayesconv.weights import KernelBias


@register("rank_1")
def rank_1(specs: KernelBias, *, loc: float = 1.0, scale: float = 0.1) -> KernelBias:
    """Independent normals for the factors of the posterior `"rank_1"`; their kernel, and the bias, are free.

    Args:
      specs: What is known of the kernel and the bias.
      loc: Mean of every factor.
      scale: Standard deviation of every factor.

    Returns:
      A pair of distributions whose events are the kernel and the bias; they have no density.

    Raises:
      ValueError: If the scale is not positive.

    References:
      Dusenberry et al., Efficient and Scalable Bayesian Neural Nets with Rank-1 Factors, ICML 2020. arXiv:2005.07186

    Example:
      >>> import tensorflow as tf
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((3, 3, 1, 4), tf.float32, 9)
      >>> rank_1(KernelBias(spec)).kernel.name
      'RankOneFactors'
    """
    check_positive(scale)
    spec, bias = specs
    kernel = distributions.RankOneFactors(spec.shape, spec.dtype, number(loc, spec), number(scale, spec))
    return KernelBias(kernel, None if bias is None else distributions.Flat(bias.shape, bias.dtype))

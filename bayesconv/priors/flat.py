"""The prior that asks nothing."""

from __future__ import annotations

from bayesconv import distributions
from bayesconv.priors.registry import register
from bayesconv.weights import KernelBias, map_kernel_bias


@register("flat")
def flat(specs: KernelBias) -> KernelBias:
    """No preference at all: improper, for posteriors whose noise is fixed or multiplies a point estimate.

    Under it the KL of `"filterwise_dropout"` and of `"batch_ensemble"` is a constant, which is left out. A posterior
    that learns its scales would make them infinite, so every other is refused.

    Args:
      specs: What is known of the kernel and the bias.

    Returns:
      A pair of distributions whose events are the kernel and the bias; they have no density.

    Example:
      >>> import tensorflow as tf
      >>> import bayesconv as bc
      >>> flat(KernelBias(bc.WeightSpec((3, 3, 1, 4), tf.float32, 9))).kernel.name
      'Flat'
    """
    return map_kernel_bias(lambda spec: distributions.Flat(spec.shape, spec.dtype), specs)

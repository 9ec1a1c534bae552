"""Dropout of whole input channels, as a distribution of kernels."""

from __future__ import annotations

import tensorflow as tf

from bayesconv import distributions
from bayesconv.posteriors.rank_1 import point
from bayesconv.posteriors.registry import check_rate, noisy_location, register
from bayesconv.weights import KernelBias


@register("filterwise_dropout")
def filterwise_dropout(specs: KernelBias, *, rate: float = 0.1) -> KernelBias:
    """Filterwise dropout: `w = loc o m_c / (1 - rate)` with one `m_c ~ Bernoulli(1 - rate)` for every input channel.

    A draw is a kernel without some of its input channels, the same for all examples of a call. Channels are those of
    the kernel: a convolution with groups drops one of each group at once. The bias has no noise. The posterior has no
    density, and nothing but `loc` is learned, so that its KL from every proper prior is infinite and constant: its
    prior is `"flat"`, with a penalty of zero. Weight decay is the optimizer's, `"adamw"`.

    Args:
      specs: What is known of the kernel and the bias.
      rate: Probability that a channel is dropped.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the rate is not inside of (0, 1).

    References:
      Gal and Ghahramani, Bayesian Convolutional Neural Networks with Bernoulli Approximate Variational Inference, 2016.
      arXiv:1506.02158

    Example:
      >>> import bayesconv as bc
      >>> factory = bc.kernel_bias.factory("reparameterization", posterior="filterwise_dropout", prior="flat")
      >>> bc.Convolution(16, 32, 3, make_kernel_bias_fn=factory).divergence.name
      'exact'
    """
    check_rate("filterwise_dropout", rate)
    spec = specs.kernel
    loc = tf.Variable(noisy_location(spec, rate / (1.0 - rate)), name=f"{spec.name}/loc")
    kernel = distributions.FilterwiseDropout(loc, rate, spec.batch_ndims)
    return KernelBias(kernel, None if specs.bias is None else point(specs.bias))

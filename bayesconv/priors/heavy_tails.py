"""Priors without a variance: Cauchy, horseshoe, and the improper log-uniform.

By default the first two have the quartiles of `N(0, 2 / fan_in)`, since they have no standard deviation to set.
"""

from __future__ import annotations

import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.priors.registry import each, number, register
from bayesconv.weights import KernelBias, map_kernel_bias

tfd = tfp.distributions

# Scales, in standard deviations of a normal, that give its quartiles.
_CAUCHY_PER_STDDEV = 0.6744897501960817
_HORSESHOE_PER_STDDEV = 1.1495332240367049


@register("cauchy")
def cauchy(specs: KernelBias, *, loc: float = 0.0, scale: float | None = None) -> KernelBias:
    """Cauchy: tails so heavy that it has no mean, for a few very large weights.

    Its KL from a normal is estimated by Monte Carlo.

    Args:
      specs: What is known of the kernel and the bias.
      loc: Median.
      scale: Half the distance between the quartiles, by default `0.674 sqrt(2 / fan_in)`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the scale is not positive.

    References:
      Dusenberry et al., Efficient and Scalable Bayesian Neural Nets with Rank-1 Factors, ICML 2020. arXiv:2005.07186
    """
    return each(specs, lambda spec, s: tfd.Cauchy(number(loc, spec), s), scale, None, _CAUCHY_PER_STDDEV)


@register("horseshoe")
def horseshoe(specs: KernelBias, *, scale: float | None = None) -> KernelBias:
    """Horseshoe, independent for every weight: most weights are pulled to zero, large ones are left alone.

    `w ~ N(0, (scale t)^2)` with `t` half-Cauchy, and `t` integrated out. Its KL is estimated by Monte Carlo.

    Args:
      specs: What is known of the kernel and the bias.
      scale: Scale of the half-Cauchy, by default `1.15 sqrt(2 / fan_in)`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the scale is not positive.

    References:
      Carvalho, Polson and Scott, The Horseshoe Estimator for Sparse Signals, Biometrika 2010.
      Louizos, Ullrich and Welling, Bayesian Compression for Deep Learning, NeurIPS 2017. arXiv:1705.08665
    """
    return each(specs, lambda spec, s: distributions.Horseshoe(s), scale, None, _HORSESHOE_PER_STDDEV)


@register("group_horseshoe")
def group_horseshoe(specs: KernelBias, *, scale: float | None = None) -> KernelBias:
    """Horseshoe with one scale for all weights of a filter: filters are pulled to zero as a whole, or left alone.

    `w_f = t_f e_f` with `t_f` half-Cauchy for every filter f, the last axis, and standard normals `e_f`. The scales are
    integrated out: any posterior with a density will do, and the bound is tighter than if they had a posterior of their
    own. The KL is estimated by Monte Carlo. A bias has the elementwise horseshoe.

    Args:
      specs: What is known of the kernel and the bias.
      scale: Scale of the half-Cauchy, by default `1.15 sqrt(2 / fan_in)`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the scale is not positive.

    References:
      Louizos, Ullrich and Welling, Bayesian Compression for Deep Learning, NeurIPS 2017. arXiv:1705.08665
    """
    bias = horseshoe(specs, scale=scale).bias  # which checks the scale, too
    spec = specs.kernel
    chosen = _HORSESHOE_PER_STDDEV * spec.he_stddev if scale is None else scale
    return KernelBias(distributions.GroupHorseshoe(spec.shape, chosen, spec.batch_ndims, spec.dtype), bias)


@register("log_uniform")
def log_uniform(specs: KernelBias) -> KernelBias:
    """Log-uniform, improper: `p(w)` proportional to `1 / |w|`, a regularizer that prunes and no belief.

    It has no draws, and a KL from it is known up to a constant, so that the objective is no evidence lower bound.

    Args:
      specs: What is known of the kernel and the bias.

    Returns:
      A pair of densities over the kernel and the bias.

    References:
      Kingma et al., Variational Dropout and the Local Reparameterization Trick, NeurIPS 2015. arXiv:1506.02557
      Hron, Matthews and Ghahramani, Variational Gaussian Dropout is not Bayesian, 2017. arXiv:1711.02989
    """
    return map_kernel_bias(
        lambda spec: distributions.identically_distributed(distributions.LogUniform(spec.dtype), spec.shape), specs
    )

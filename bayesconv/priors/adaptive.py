"""Priors that follow the posterior or the data: tied mean, empirical Bayes, learnable scale."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions
from bayesconv.priors.registry import check_positive, number, register
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("tied_mean")
def tied_mean(specs: KernelBias, *, scale: float = 0.1) -> KernelBias:
    """Normal around the posterior's own mean: it penalizes the posterior's scale and leaves its mean free.

    `KL = sum log(scale / s) + s^2 / 2 scale^2 - 1/2`. The prior depends on the data, so the objective bounds no
    evidence: means are fitted as in an ordinary network, which may want weight decay, and only the noise is Bayesian.

    Args:
      specs: What is known of the kernel and the bias.
      scale: Standard deviation of the prior, which the posterior's tends to.

    Returns:
      A pair of distributions that have a KL from a posterior, and neither a density nor draws.

    Raises:
      ValueError: If the scale is not positive.

    References:
      Nado et al., Uncertainty Baselines, 2021, whose variational baselines use it. arXiv:2106.04015
    """
    check_positive(scale)
    return map_kernel_bias(lambda spec: distributions.TiedMeanNormal(spec.shape, scale, spec.dtype), specs)


@register("empirical_bayes")
def empirical_bayes(specs: KernelBias, *, concentration: float = 2.01, rate: float | None = None) -> KernelBias:
    """Zero-mean normal whose variance, one for each weight tensor, is the best for the posterior at hand.

    The variance `v` has an inverse-gamma prior. With `S = sum(m^2 + s^2)` over the `W` weights of a tensor, the closed
    form is `KL(q || N(0, v I)) - log InverseGamma(v; a, b)` at its minimum, `v = (S + 2 b) / (W + 2 a + 2)`. It holds
    for any posterior with a known variance and entropy, and may be negative, as a density may exceed one.

    Monte Carlo is another bound: it takes the density with `v` integrated out, a multivariate Student's t, where the
    closed form takes the most probable `v`. They differ by what is uncertain in one number per tensor.

    Args:
      specs: What is known of the kernel and the bias.
      concentration: `a` of the inverse gamma.
      rate: `b`, by default the one that gives weights the variance `2 / fan_in`: `2 (a - 1) / fan_in`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If an option is not positive, or `concentration <= 1` leaves no default for `rate`.

    References:
      Wu et al., Deterministic Variational Inference for Robust Bayesian Neural Networks, ICLR 2019. arXiv:1810.03958
    """
    if rate is None and not concentration > 1:
        raise ValueError(
            "An empirical Bayes prior needs concentration > 1 unless `rate` is given, since its variance is infinite "
            f"otherwise. Received concentration={concentration}, rate={rate}."
        )

    def one(spec: WeightSpec) -> Any:
        chosen = (concentration - 1.0) * spec.he_stddev**2 if rate is None else rate
        check_positive(concentration, chosen)
        return distributions.InverseGammaNormal(spec.shape, concentration, chosen, spec.dtype)

    return map_kernel_bias(one, specs)


@register("learnable_normal")
def learnable_normal(specs: KernelBias, *, initial_scale: float | None = None) -> KernelBias:
    """Zero-mean normal whose scale, one for each weight tensor, is trained along with the posterior.

    This is maximum likelihood of the second kind: the bound is raised in the prior's scale as well. The variable is
    `prior/kernel/untransformed_scale`, the logarithm of the scale.

    Args:
      specs: What is known of the kernel and the bias.
      initial_scale: Standard deviation to begin with, by default `sqrt(2 / fan_in)`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the initial scale is not positive.

    References:
      MacKay, Bayesian Interpolation, Neural Computation 1992.
    """

    def one(spec: WeightSpec) -> Any:
        scale = spec.he_stddev if initial_scale is None else initial_scale
        check_positive(scale)
        name = f"prior/{spec.name}/untransformed_scale"
        variable = distributions.positive_variable(tf.constant(scale, spec.dtype), name)
        return distributions.identically_distributed(distributions.Normal(number(0.0, spec), variable), spec.shape)

    return map_kernel_bias(one, specs)

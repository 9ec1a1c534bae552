"""Mixtures of zero-mean normals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bayesconv import distributions
from bayesconv.priors.registry import check_positive, register
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("scale_mixture")
def scale_mixture(
    specs: KernelBias, *, scales: Sequence[float] | None = None, probs: Sequence[float] = (0.5, 0.5)
) -> KernelBias:
    """Mixture of zero-mean normals: some weights narrow, some wide.

    Args:
      specs: What is known of the kernel and the bias.
      scales: Standard deviations of the components. By default `sqrt(2 / fan_in)` times 1.3229 and 0.5, whose equal
        mixture has the standard deviation `sqrt(2 / fan_in)`.
      probs: Their probabilities.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the lengths differ, a scale is not positive, or the probabilities do not sum to one.

    References:
      Blundell et al., Weight Uncertainty in Neural Networks, ICML 2015. arXiv:1505.05424
    """

    def one(spec: WeightSpec) -> Any:
        default = (spec.he_stddev * math.sqrt(1.75), spec.he_stddev * 0.5)
        return _mixture(spec, default if scales is None else scales, probs)

    return map_kernel_bias(one, specs)


@register("spike_and_slab")
def spike_and_slab(
    specs: KernelBias,
    *,
    spike_scale: float | None = None,
    slab_scale: float | None = None,
    slab_probability: float = 0.5,
) -> KernelBias:
    """Continuous spike and slab: a narrow normal for weights that may go, a wide one for those that matter.

    Args:
      specs: What is known of the kernel and the bias.
      spike_scale: Standard deviation of the spike, by default `0.1 sqrt(2 / fan_in)`.
      slab_scale: Standard deviation of the slab, by default `2 sqrt(2 / fan_in)`.
      slab_probability: Share of the slab.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If a scale is not positive or the probability is outside [0, 1].

    References:
      George and McCulloch, Variable Selection via Gibbs Sampling, JASA 1993.
    """

    def one(spec: WeightSpec) -> Any:
        spike = 0.1 * spec.he_stddev if spike_scale is None else spike_scale
        slab = 2.0 * spec.he_stddev if slab_scale is None else slab_scale
        return _mixture(spec, (spike, slab), (1.0 - slab_probability, slab_probability))

    return map_kernel_bias(one, specs)


def _mixture(spec: WeightSpec, scales: Sequence[float], probs: Sequence[float]) -> Any:
    if (
        not len(scales)
        or len(scales) != len(probs)
        or min(probs) < 0
        or not math.isclose(sum(probs), 1.0, rel_tol=1e-6)
    ):
        raise ValueError(
            "A mixture prior needs one probability per scale, none negative, that sum to one. "
            f"Received scales={list(scales)}, probs={list(probs)}."
        )
    check_positive(*scales)
    return distributions.identically_distributed(distributions.normal_mixture(scales, probs, spec.dtype), spec.shape)

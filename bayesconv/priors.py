"""Priors: what the weights are pulled towards.

A registered prior is `piece(specs, *, options) -> KernelBias of distributions`, with a pair of `WeightSpec`. `scale`
is the distribution's own scale parameter, never a variance; `stddev` may be given instead where it exists.
Unless told otherwise a prior has the standard deviation `sqrt(2 / fan_in)`, which suits the width of the layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.registry import Registry
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

tfd = tfp.distributions

_REGISTRY = Registry("prior", num_positional=1)
register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options


@register("normal")
def normal(specs: KernelBias, *, loc: float = 0.0, scale: float | None = None) -> KernelBias:
    """Normal with a fixed scale, by default `sqrt(2 / fan_in)`.

    Args:
      specs: What is known of the kernel and the bias.
      loc: Mean.
      scale: Standard deviation.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the scale is not positive.
    """
    return _each(specs, lambda spec, s: distributions.Normal(_number(loc, spec), s), scale, None, 1.0)


@register("laplace")
def laplace(
    specs: KernelBias, *, loc: float = 0.0, scale: float | None = None, stddev: float | None = None
) -> KernelBias:
    """Laplace: heavier tails than a normal and a kink at its mean, which pulls small weights to it.

    Args:
      specs: What is known of the kernel and the bias.
      loc: Mean.
      scale: Scale `b` of the density `exp(-|w - loc| / b) / 2b`.
      stddev: Standard deviation `b sqrt(2)`, instead of `scale`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If both `scale` and `stddev` are given, or one is not positive.
    """
    return _each(specs, lambda spec, s: tfd.Laplace(_number(loc, spec), s), scale, stddev, math.sqrt(0.5))


@register("student_t")
def student_t(
    specs: KernelBias, *, df: float = 3.0, loc: float = 0.0, scale: float | None = None, stddev: float | None = None
) -> KernelBias:
    """Student's t: polynomial tails, so that a few weights may be large.

    Args:
      specs: What is known of the kernel and the bias.
      df: Degrees of freedom.
      loc: Location.
      scale: Scale parameter.
      stddev: Standard deviation `scale sqrt(df / (df - 2))`, instead of `scale`; needs `df > 2`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If `df` is not positive, if it gives no standard deviation to set, or as for `laplace`.
    """
    if not df > 0 or (df <= 2 and scale is None):
        raise ValueError(
            "A Student-t prior needs df > 0, and df > 2 unless `scale` is given, since its standard deviation is "
            f"infinite otherwise. Received df={df}, scale={scale}, stddev={stddev}."
        )
    ratio = math.sqrt((df - 2) / df) if df > 2 else math.nan
    return _each(specs, lambda spec, s: tfd.StudentT(_number(df, spec), _number(loc, spec), s), scale, stddev, ratio)


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


def _each(
    specs: KernelBias,
    make: Callable[[WeightSpec, np.ndarray], Any],
    scale: float | None,
    stddev: float | None,
    scale_per_stddev: float,
) -> KernelBias:
    if scale is not None and stddev is not None:
        raise ValueError(f"Give `scale` or `stddev`, not both. Received scale={scale}, stddev={stddev}.")

    def one(spec: WeightSpec) -> Any:
        chosen = scale if scale is not None else scale_per_stddev * (spec.he_stddev if stddev is None else stddev)
        _check_positive(chosen)
        return distributions.identically_distributed(make(spec, _number(chosen, spec)), spec.shape)

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
    _check_positive(*scales)
    return distributions.identically_distributed(distributions.normal_mixture(scales, probs, spec.dtype), spec.shape)


def _check_positive(*scales: float) -> None:
    if not all(scale > 0 for scale in scales):
        raise ValueError(f"The scale of a prior must be positive. Received {', '.join(map(str, scales))}.")


def _number(value: float, spec: WeightSpec) -> np.ndarray:
    return np.asarray(value, spec.dtype.as_numpy_dtype)

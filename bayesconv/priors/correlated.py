"""Priors under which neighbouring taps of a kernel are alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesconv import distributions
from bayesconv.priors.registry import check_positive, number, register
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("correlated_normal")
def correlated_normal(
    specs: KernelBias, *, length_scale: float = 1.0, scale: float | None = None, jitter: float = 1e-6
) -> KernelBias:
    """Zero-mean normal that correlates the taps of a kernel, the more the nearer they are: smooth kernels.

    `cov(w_p, w_q) = scale^2 exp(-|p - q| / length_scale)` for taps at a Euclidean distance `|p - q|`, independent
    between pairs of channels. Weights without taps, as dense kernels and biases, are independent.

    Args:
      specs: What is known of the kernel and the bias.
      length_scale: Distance, in taps, over which the correlation falls to `1 / e`.
      scale: Standard deviation of every weight, by default `sqrt(2 / fan_in)`.
      jitter: Share of `scale^2` that is added to every variance, for a matrix that is safe to invert.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If `length_scale` or `scale` is not positive, or `jitter` negative.

    References:
      Fortuin et al., Bayesian Neural Network Priors Revisited, ICLR 2022. arXiv:2102.06571
    """
    check_positive(length_scale)
    if not jitter >= 0:
        raise ValueError(f"The jitter of a correlated prior must not be negative. Received {jitter}.")

    def one(spec: WeightSpec) -> Any:
        chosen = spec.he_stddev if scale is None else scale
        check_positive(chosen)
        taps = spec.shape[spec.batch_ndims : -2]
        if math.prod(taps) == 1:
            element = distributions.Normal(number(0.0, spec), number(chosen, spec))
            return distributions.identically_distributed(element, spec.shape)
        covariance = chosen**2 * (np.exp(-_distances(taps) / length_scale) + jitter * np.eye(math.prod(taps)))
        return distributions.CorrelatedNormal(
            spec.shape, covariance, spec.batch_ndims, spec.dtype, scale=chosen, length_scale=length_scale
        )

    return map_kernel_bias(one, specs)


def _distances(taps: tuple[int, ...]) -> np.ndarray:
    """Euclidean distances of all pairs of taps, in row-major order."""
    places = np.stack(np.unravel_index(np.arange(math.prod(taps)), taps), axis=-1)
    return np.linalg.norm(places[:, np.newaxis] - places, axis=-1)

"""Noise of uniform direction and normal length."""

from __future__ import annotations

import math
from typing import Any

from bayesconv import distributions
from bayesconv.posteriors.registry import filled, location_variable, register, starting_scale
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("radial")
def radial(specs: KernelBias, *, initial_scale: float | None = None, initial_scale_ratio: float = 0.25) -> KernelBias:
    """Radial: `w = loc + scale r g / |g|` with `g ~ N(0, I)` over the D elements of a kernel and one `r ~ N(0, 1)`.

    A mean-field normal in D dimensions is hardly ever nearer to its mean than `sqrt(D)` scales; this one is, as often
    as a normal in one dimension. A weight has the standard deviation `scale / sqrt(D)`, which is what the options
    set: with the same numbers a radial and a mean-field normal posterior begin with the same variances.

    Args:
      specs: What is known of the kernel and the bias.
      initial_scale: Initial standard deviation of every weight.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the initial scale is not positive.

    References:
      Farquhar et al., Radial Bayesian Neural Networks, AISTATS 2020. arXiv:1907.00865

    Example:
      >>> import bayesconv as bc
      >>> layer = bc.Affine(3, 2, make_kernel_bias_fn=bc.kernel_bias.factory(posterior="radial"))
      >>> layer.divergence.name
      'exact'
    """

    def one(spec: WeightSpec) -> Any:
        stddev = starting_scale(spec, initial_scale, initial_scale_ratio)
        scale = filled(spec.shape, stddev * math.sqrt(math.prod(spec.shape[spec.batch_ndims :])), spec)
        variable = distributions.positive_variable(scale, f"{spec.name}/untransformed_scale")
        return distributions.Radial(location_variable(spec, stddev), variable, spec.batch_ndims)

    return map_kernel_bias(one, specs)

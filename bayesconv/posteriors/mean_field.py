"""Independent weights."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions
from bayesconv.posteriors.registry import initial_location, register
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("mean_field_normal")
def mean_field_normal(
    specs: KernelBias, *, initial_scale: float | None = None, initial_scale_ratio: float = 0.25
) -> KernelBias:
    r"""Independent normal for every weight: `q(w) = prod_i N(w_i; loc_i, scale_i^2)`.

    A sampled weight has variance `Var[loc] + scale^2`. Unless an initializer is given, the initial locations are He
    normal, shrunk so that this sum is `2 / fan_in`: sampled activations then keep their variance from layer to layer.

    Args:
      specs: What is known of the kernel and the bias.
      initial_scale: Initial standard deviation of every weight.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the initial scale is not positive.

    References:
      Blundell et al., Weight Uncertainty in Neural Networks, ICML 2015. arXiv:1505.05424

    Example:
      >>> import bayesconv as bc
      >>> layer = bc.Convolution(1, 4, 3, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
      >>> layer.posterior.kernel.event_shape
      TensorShape([3, 3, 1, 4])
    """

    def one(spec: WeightSpec) -> Any:
        scale = initial_scale_ratio * spec.he_stddev if initial_scale is None else initial_scale
        if not scale > 0:
            raise ValueError(
                "A mean-field normal posterior starts with a positive scale. "
                f"Received initial_scale={initial_scale}, initial_scale_ratio={initial_scale_ratio}."
            )
        return distributions.mean_field_normal(
            initial_location(spec, scale), tf.fill(spec.shape, tf.cast(scale, spec.dtype)), spec.name
        )

    return map_kernel_bias(one, specs)

"""Independent normal weights."""

from __future__ import annotations

from typing import Any

from bayesconv import distributions
from bayesconv.posteriors.registry import batch_shape, filled, initial_location, register, starting_scale
from bayesconv.registry import unknown_name_message
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

SHARED = (None, "filter", "layer")


@register("mean_field_normal")
def mean_field_normal(
    specs: KernelBias,
    *,
    initial_scale: float | None = None,
    initial_scale_ratio: float = 0.25,
    parameterization: str = "exp",
    trainable_scale: bool = True,
    share_scale: str | None = None,
) -> KernelBias:
    r"""Independent normal for every weight: `q(w) = prod_i N(w_i; loc_i, scale_i^2)`.

    A sampled weight has variance `Var[loc] + scale^2`. Unless an initializer is given, the initial locations are He
    normal, shrunk so that this sum is `2 / fan_in`: sampled activations then keep their variance from layer to layer.

    Args:
      specs: What is known of the kernel and the bias.
      initial_scale: Initial standard deviation of every weight.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.
      parameterization: The scale is `"exp"` or `"softplus"` of its variable.
      trainable_scale: Whether training changes the scales.
      share_scale: `"filter"` for one scale per index of the last axis, `"layer"` for one per kernel and one per bias.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the initial scale is not positive, or an option has none of its values.

    References:
      Blundell et al., Weight Uncertainty in Neural Networks, ICML 2015. arXiv:1505.05424

    Example:
      >>> import bayesconv as bc
      >>> layer = bc.Convolution(1, 4, 3, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
      >>> layer.posterior.kernel.event_shape
      TensorShape([3, 3, 1, 4])
    """

    def one(spec: WeightSpec) -> Any:
        scale = starting_scale(spec, initial_scale, initial_scale_ratio)
        return distributions.mean_field_normal(
            initial_location(spec, scale),
            filled(shape_of_scales(spec, share_scale), scale, spec),
            spec.name,
            parameterization=parameterization,
            trainable_scale=trainable_scale,
        )

    return map_kernel_bias(one, specs)


def shape_of_scales(spec: WeightSpec, share_scale: str | None) -> tuple[int, ...]:
    """Shape of a weight's scales, one where they are shared.

    Raises:
      ValueError: If it is not known what shares a scale.
    """
    if share_scale not in SHARED:
        raise ValueError(unknown_name_message("way to share scales", share_scale, [s for s in SHARED if s]))
    if share_scale is None:
        return spec.shape
    ones = (1,) * (len(spec.shape) - spec.batch_ndims - 1)
    return (*batch_shape(spec), *ones, spec.shape[-1] if share_scale == "filter" else 1)

"""Several kernels, of which a draw is near one."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.posteriors.registry import check_count, filled, initial_location, register, starting_scale
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("mixture_of_means")
def mixture_of_means(
    specs: KernelBias,
    *,
    num_components: int = 2,
    initial_scale: float | None = None,
    initial_scale_ratio: float = 0.25,
) -> KernelBias:
    """Mixture of mean-field normals over the whole kernel: `1/K sum_k prod_i N(w_i; loc_ki, scale_i^2)`.

    A draw is near one of K kernels, as in an ensemble, with scales that all share. The components stay equally
    probable: a draw could not be differentiated in their probabilities. Kernel and bias choose independently.

    Args:
      specs: What is known of the kernel and the bias.
      num_components: Number K of components.
      initial_scale: Initial standard deviation of a weight within a component.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the number of components is not a positive integer, or the initial scale not positive.

    References:
      Jaakkola and Jordan, Improving the Mean Field Approximation via the Use of Mixture Distributions, Learning in
      Graphical Models 1998.

    Example:
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((3, 3, 1, 4), tf.float32, 9, seed=0)
      >>> mixture_of_means(KernelBias(spec), num_components=3).kernel.loc.shape
      TensorShape([3, 3, 3, 1, 4])
    """
    check_count("The number of components of a mixture", num_components)

    def one(spec: WeightSpec) -> Any:
        scale = starting_scale(spec, initial_scale, initial_scale_ratio)
        seeds = random.split(random.as_seed(spec.seed), num_components)
        locs = [initial_location(spec._replace(seed=seed), scale) for seed in seeds]
        return distributions.MixtureOfMeans(
            tf.Variable(tf.stack(locs), name=f"{spec.name}/loc"),
            distributions.positive_variable(filled(spec.shape, scale, spec), f"{spec.name}/untransformed_scale"),
            spec.batch_ndims,
        )

    return map_kernel_bias(one, specs)

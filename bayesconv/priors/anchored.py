"""A normal with a mean and a scale of its own for every weight."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions
from bayesconv.priors.registry import check_positive, number, register
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("anchored_normal")
def anchored_normal(specs: KernelBias, *, initial_scale: float | None = None) -> KernelBias:
    """Normal with a mean and a scale for every weight, which training leaves as they are: an earlier posterior.

    The variables `prior/kernel/loc` and `prior/kernel/scale` are saved with the model and not trained. They are 0 and
    `initial_scale` until `bayesconv.continue_from` fills them with another model's posterior, or
    `bayesconv.start_from_weights` with an ordinary network's weights.

    Args:
      specs: What is known of the kernel and the bias.
      initial_scale: Standard deviation until then, by default `sqrt(2 / fan_in)`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the initial scale is not positive.

    References:
      Nguyen et al., Variational Continual Learning, ICLR 2018. arXiv:1710.10628
    """

    def one(spec: WeightSpec) -> Any:
        scale = spec.he_stddev if initial_scale is None else initial_scale
        check_positive(scale)
        values = {"loc": tf.zeros(spec.shape, spec.dtype), "scale": tf.fill(spec.shape, number(scale, spec))}
        loc, width = (
            tf.Variable(value, trainable=False, name=f"prior/{spec.name}/{name}") for name, value in values.items()
        )
        return distributions.independent(distributions.Normal(loc, width))

    return map_kernel_bias(one, specs)

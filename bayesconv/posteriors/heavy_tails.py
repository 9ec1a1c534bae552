"""Independent weights with heavier tails than a normal's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesconv import distributions
from bayesconv.posteriors.registry import filled, location_variable, register, starting_scale
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias


@register("laplace")
def laplace(specs: KernelBias, *, initial_scale: float | None = None, initial_scale_ratio: float = 0.25) -> KernelBias:
    """Independent Laplace for every weight: `q(w_i) = exp(-|w_i - loc_i| / b_i) / 2 b_i`.

    Args:
      specs: What is known of the kernel and the bias.
      initial_scale: Initial standard deviation `b sqrt(2)` of every weight.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the initial scale is not positive.

    Example:
      >>> import tensorflow as tf
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((2, 3), tf.float32, 2, seed=0)
      >>> laplace(KernelBias(spec), initial_scale=0.5).kernel.stddev().numpy().round(3).tolist()
      [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    """
    return _mean_field(specs, distributions.Laplace, math.sqrt(0.5), initial_scale, initial_scale_ratio)


@register("student_t")
def student_t(
    specs: KernelBias, *, df: float = 8.0, initial_scale: float | None = None, initial_scale_ratio: float = 0.25
) -> KernelBias:
    """Independent Student's t for every weight, with location and scale learned and the degrees of freedom fixed.

    Args:
      specs: What is known of the kernel and the bias.
      df: Degrees of freedom, more than 2.
      initial_scale: Initial standard deviation `scale sqrt(df / (df - 2))` of every weight.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If `df` is 2 or less or infinite, or the initial scale is not positive.

    Example:
      >>> import tensorflow as tf
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((2, 3), tf.float32, 2, seed=0)
      >>> student_t(KernelBias(spec), df=4.0, initial_scale=1.0).kernel.distribution.scale.numpy().round(3)[0, 0]
      np.float32(0.707)
    """
    if not 2 < df < math.inf:
        raise ValueError(
            "A Student-t posterior has more than 2 degrees of freedom, a finite number: with fewer its variance is "
            f"infinite, and so is that of the outputs. Received df={df!r}. A Student-t prior may have fewer."
        )

    def make(loc: Any, scale: Any) -> Any:
        return distributions.StudentT(np.asarray(df, scale.dtype.as_numpy_dtype), loc, scale)

    return _mean_field(specs, make, math.sqrt((df - 2.0) / df), initial_scale, initial_scale_ratio)


def _mean_field(
    specs: KernelBias,
    make: Callable[[Any, Any], Any],
    scale_per_stddev: float,
    initial_scale: float | None,
    initial_scale_ratio: float,
) -> KernelBias:
    def one(spec: WeightSpec) -> Any:
        stddev = starting_scale(spec, initial_scale, initial_scale_ratio)
        scale = filled(spec.shape, scale_per_stddev * stddev, spec)
        variable = distributions.positive_variable(scale, f"{spec.name}/untransformed_scale")
        return distributions.independent(make(location_variable(spec, stddev), variable))

    return map_kernel_bias(one, specs)

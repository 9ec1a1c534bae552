"""The registry of priors, and what several of them share."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesconv import distributions
from bayesconv.registry import Registry
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

REGISTRY = Registry("prior", num_positional=1)
register = REGISTRY.register


def each(
    specs: KernelBias,
    make: Callable[[WeightSpec, np.ndarray], Any],
    scale: float | None,
    stddev: float | None,
    scale_per_stddev: float,
) -> KernelBias:
    """The same family for every weight, with a scale, a standard deviation, or that of `sqrt(2 / fan_in)`."""
    if scale is not None and stddev is not None:
        raise ValueError(f"Give `scale` or `stddev`, not both. Received scale={scale}, stddev={stddev}.")

    def one(spec: WeightSpec) -> Any:
        chosen = scale if scale is not None else scale_per_stddev * (spec.he_stddev if stddev is None else stddev)
        check_positive(chosen)
        return distributions.identically_distributed(make(spec, number(chosen, spec)), spec.shape)

    return map_kernel_bias(one, specs)


def check_positive(*scales: float) -> None:
    """Raises a ValueError unless all scales are positive, finite numbers."""
    received = ", ".join(map(str, scales))
    if not all(isinstance(scale, numbers.Real) for scale in scales):
        raise ValueError(
            f"The scale of a prior is one number for all weights of a layer. Received {received}: choose by layer with "
            "overrides, or by weight with a prior of your own."
        )
    if not all(scale > 0 for scale in scales):
        raise ValueError(f"The scale of a prior must be positive. Received {received}.")
    if not all(scale < math.inf for scale in scales):
        raise ValueError(
            f"The scale of a prior must be finite. Received {received}: for no preference at all there is prior='flat'."
        )


def number(value: float, spec: WeightSpec) -> np.ndarray:
    """A number in the weight's type; a ValueError if it is not finite there."""
    result = np.asarray(value, spec.dtype.as_numpy_dtype)
    if not np.isfinite(result).all():
        raise ValueError(f"A parameter of a prior is finite in {spec.dtype.name}. Received {value}.")
    return result

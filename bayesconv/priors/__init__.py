"""Priors: what the weights are pulled towards.

A registered prior is `piece(specs, *, options) -> KernelBias of distributions`, with a pair of `WeightSpec`. `scale`
is the distribution's own scale parameter, never a variance; `stddev` may be given instead where it exists.
Unless told otherwise a prior has the standard deviation `sqrt(2 / fan_in)`, which suits the width of the layer.
"""

from bayesconv.priors.mixtures import scale_mixture, spike_and_slab
from bayesconv.priors.registry import REGISTRY as _REGISTRY
from bayesconv.priors.scale_families import laplace, normal, student_t

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "check_options",
    "describe",
    "get",
    "laplace",
    "names",
    "normal",
    "options",
    "register",
    "resolve",
    "scale_mixture",
    "spike_and_slab",
    "student_t",
]

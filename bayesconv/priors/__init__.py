"""Priors: what the weights are pulled towards.

A registered prior is `piece(specs, *, options) -> KernelBias of distributions`, with a pair of `WeightSpec`. `scale`
is the distribution's own scale parameter, never a variance; `stddev` may be given instead where it exists.
Unless told otherwise a prior has the standard deviation `sqrt(2 / fan_in)`, which suits the width of the layer, or the
quartiles of the normal that has it.
"""

from bayesconv.priors.adaptive import empirical_bayes, learnable_normal, tied_mean
from bayesconv.priors.anchored import anchored_normal
from bayesconv.priors.correlated import correlated_normal
from bayesconv.priors.flat import flat
from bayesconv.priors.given import resolve
from bayesconv.priors.heavy_tails import cauchy, group_horseshoe, horseshoe, log_uniform
from bayesconv.priors.mixtures import scale_mixture, spike_and_slab
from bayesconv.priors.rank_1 import rank_1
from bayesconv.priors.registry import REGISTRY as _REGISTRY
from bayesconv.priors.scale_families import laplace, normal, student_t

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
describe, options, check_options = _REGISTRY.describe, _REGISTRY.options, _REGISTRY.check_options

__all__ = [
    "anchored_normal",
    "cauchy",
    "check_options",
    "correlated_normal",
    "describe",
    "empirical_bayes",
    "flat",
    "get",
    "group_horseshoe",
    "horseshoe",
    "laplace",
    "learnable_normal",
    "log_uniform",
    "names",
    "normal",
    "options",
    "rank_1",
    "register",
    "resolve",
    "scale_mixture",
    "spike_and_slab",
    "student_t",
    "tied_mean",
]

"""Likelihoods: what a model's outputs say of the targets.

A registered likelihood is `piece(*, options) -> Likelihood`.
"""

from bayesconv.likelihoods.discrete import bernoulli, categorical
from bayesconv.likelihoods.gaussian import heteroscedastic_normal, normal
from bayesconv.likelihoods.heavy_tails import student_t
from bayesconv.likelihoods.per_pixel import categorical_per_pixel
from bayesconv.likelihoods.pinball import quantiles
from bayesconv.likelihoods.registry import REGISTRY as _REGISTRY
from bayesconv.likelihoods.registry import Likelihood, Noise

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "Likelihood",
    "Noise",
    "bernoulli",
    "categorical",
    "categorical_per_pixel",
    "check_options",
    "describe",
    "get",
    "heteroscedastic_normal",
    "names",
    "normal",
    "options",
    "quantiles",
    "register",
    "resolve",
    "student_t",
]

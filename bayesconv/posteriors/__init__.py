"""Posteriors: which distribution the weights have, with the variables that training adjusts.

A registered posterior is `piece(specs, *, options) -> KernelBias of distributions`, with a pair of `WeightSpec`.
"""

from bayesconv.posteriors.mean_field import mean_field_normal
from bayesconv.posteriors.registry import REGISTRY as _REGISTRY

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "check_options",
    "describe",
    "get",
    "mean_field_normal",
    "names",
    "options",
    "register",
    "resolve",
]

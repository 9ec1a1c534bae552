"""Posteriors: which distribution the weights have, with the variables that training adjusts.

A registered posterior is `piece(specs, *, options) -> KernelBias of distributions`, with a pair of `WeightSpec`.
"""

from bayesconv.posteriors.batch_ensemble import batch_ensemble
from bayesconv.posteriors.filterwise_dropout import filterwise_dropout
from bayesconv.posteriors.gaussian_dropout import gaussian_dropout, variational_dropout
from bayesconv.posteriors.heavy_tails import laplace, student_t
from bayesconv.posteriors.k_tied import k_tied_normal
from bayesconv.posteriors.low_rank import low_rank_normal
from bayesconv.posteriors.matrix_normal import matrix_normal
from bayesconv.posteriors.mean_field import mean_field_normal
from bayesconv.posteriors.mixture_of_means import mixture_of_means
from bayesconv.posteriors.radial import radial
from bayesconv.posteriors.rank_1 import rank_1
from bayesconv.posteriors.registry import REGISTRY as _REGISTRY

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "batch_ensemble",
    "check_options",
    "describe",
    "filterwise_dropout",
    "gaussian_dropout",
    "get",
    "k_tied_normal",
    "laplace",
    "low_rank_normal",
    "matrix_normal",
    "mean_field_normal",
    "mixture_of_means",
    "names",
    "options",
    "radial",
    "rank_1",
    "register",
    "resolve",
    "student_t",
    "variational_dropout",
]

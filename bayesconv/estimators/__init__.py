"""Estimators: how one stochastic pass uses the posterior.

A registered estimator is `piece(linear_op, posterior, *, options) -> StochasticPass`. It checks at construction that
the posterior and the operator have what it needs, and returns the pass `(inputs, draw, seed) -> Estimate`: `draw()`
gives the weights that the layer drew in this call, `draw(num)` that many draws along a first axis, and `seed` is fresh
for every use of the layer. docs/estimators.md says which to use when, and what each costs.
"""

from bayesconv.estimators.antithetic import antithetic
from bayesconv.estimators.automatic import automatic
from bayesconv.estimators.base import REGISTRY as _REGISTRY
from bayesconv.estimators.base import Draw, Estimate, LinearOp, StochasticPass, without_mean
from bayesconv.estimators.flipout import flipout, grouped_flipout
from bayesconv.estimators.local_reparameterization import local_reparameterization
from bayesconv.estimators.mean import mean
from bayesconv.estimators.per_example import per_example
from bayesconv.estimators.reparameterization import reparameterization
from bayesconv.estimators.sliced import sliced

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "Draw",
    "Estimate",
    "LinearOp",
    "StochasticPass",
    "antithetic",
    "automatic",
    "check_options",
    "describe",
    "flipout",
    "get",
    "grouped_flipout",
    "local_reparameterization",
    "mean",
    "names",
    "options",
    "per_example",
    "register",
    "reparameterization",
    "resolve",
    "sliced",
    "without_mean",
]

"""Divergences: what `extra_loss` is, KL(posterior || prior) summed over all weights of a layer, in nats.

A registered divergence is `piece(posterior, prior, *, options) -> Divergence`, bound when the layer is built, so that
a pair without a closed form is refused there and `summary()` can say which way is used.
"""

from bayesconv.divergences.closed_forms import closed_form
from bayesconv.divergences.kinds import REGISTRY as _REGISTRY
from bayesconv.divergences.kinds import Divergence, best_effort, exact, monte_carlo, sample

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "Divergence",
    "best_effort",
    "check_options",
    "closed_form",
    "describe",
    "exact",
    "get",
    "monte_carlo",
    "names",
    "options",
    "register",
    "resolve",
    "sample",
]

"""Divergences: what `extra_loss` is, KL(posterior || prior) summed over all weights of a layer, in nats.

A registered divergence is `piece(posterior, prior, *, options) -> Divergence`, bound when the layer is built, so that
a pair without a closed form is refused there and `summary()` can say which way is used.
"""

from bayesconv.divergences import posterior_forms as _posterior_forms  # noqa: F401, it registers closed forms
from bayesconv.divergences import posterior_forms_factors as _posterior_forms_factors  # noqa: F401
from bayesconv.divergences import posterior_forms_log_uniform as _posterior_forms_log_uniform  # noqa: F401
from bayesconv.divergences import prior_forms as _prior_forms  # noqa: F401, it registers closed forms
from bayesconv.divergences import prior_forms_scales as _prior_forms_scales  # noqa: F401
from bayesconv.divergences.closed_forms import closed_form
from bayesconv.divergences.kinds import REGISTRY as _REGISTRY
from bayesconv.divergences.kinds import Divergence, best_effort, bind, exact, log_ratio, monte_carlo, sample
from bayesconv.divergences.requirements import checked_weight

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "Divergence",
    "best_effort",
    "bind",
    "check_options",
    "checked_weight",
    "closed_form",
    "describe",
    "exact",
    "get",
    "log_ratio",
    "monte_carlo",
    "names",
    "options",
    "register",
    "resolve",
    "sample",
]

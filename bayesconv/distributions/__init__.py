"""Distributions of weights, shared by posteriors, priors and divergences."""

from bayesconv.distributions.normal import (
    Normal,
    elementwise,
    identically_distributed,
    independent,
    mean_field_normal,
    normal_mixture,
)
from bayesconv.distributions.traits import (
    INDEPENDENT_NORMAL,
    SIGN_SYMMETRIC,
    element_traits,
    has_density,
    traits,
    weight_traits,
)

__all__ = [
    "INDEPENDENT_NORMAL",
    "SIGN_SYMMETRIC",
    "Normal",
    "element_traits",
    "elementwise",
    "has_density",
    "identically_distributed",
    "independent",
    "mean_field_normal",
    "normal_mixture",
    "traits",
    "weight_traits",
]

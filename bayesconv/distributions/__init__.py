"""Distributions of weights, shared by posteriors, priors and divergences."""

from bayesconv.distributions.batch_ensemble import BatchEnsembleKernel
from bayesconv.distributions.correlated_normal import CorrelatedNormal
from bayesconv.distributions.derived import derived
from bayesconv.distributions.filterwise_dropout import FilterwiseDropout
from bayesconv.distributions.group_horseshoe import GroupHorseshoe
from bayesconv.distributions.horseshoe import Horseshoe
from bayesconv.distributions.joint import Joint
from bayesconv.distributions.laplace import Laplace
from bayesconv.distributions.log_uniform import LogUniform
from bayesconv.distributions.low_rank_normal import LowRankNormal
from bayesconv.distributions.matrix_normal import CovarianceFactor, MatrixNormal
from bayesconv.distributions.mixture_of_means import MixtureOfMeans
from bayesconv.distributions.normal import (
    Normal,
    draw,
    elementwise,
    identically_distributed,
    independent,
    mean_field_normal,
    normal_mixture,
    positive_variable,
)
from bayesconv.distributions.point_mass import Flat, PointMass
from bayesconv.distributions.radial import Radial
from bayesconv.distributions.rank_one import Factor, RankOneFactors, RankOneKernel
from bayesconv.distributions.shared_variance import InverseGammaNormal, TiedMeanNormal
from bayesconv.distributions.student_t import StudentT
from bayesconv.distributions.supports import family, has_differential_entropy, is_point, why_not_covered
from bayesconv.distributions.traits import (
    INDEPENDENT_NORMAL,
    SIGN_SYMMETRIC,
    element_traits,
    has_density,
    has_mean,
    traits,
    weight_traits,
)

__all__ = [
    "INDEPENDENT_NORMAL",
    "SIGN_SYMMETRIC",
    "BatchEnsembleKernel",
    "CorrelatedNormal",
    "CovarianceFactor",
    "Factor",
    "FilterwiseDropout",
    "Flat",
    "GroupHorseshoe",
    "Horseshoe",
    "InverseGammaNormal",
    "Joint",
    "Laplace",
    "LogUniform",
    "LowRankNormal",
    "MatrixNormal",
    "MixtureOfMeans",
    "Normal",
    "PointMass",
    "Radial",
    "RankOneFactors",
    "RankOneKernel",
    "StudentT",
    "TiedMeanNormal",
    "derived",
    "draw",
    "element_traits",
    "elementwise",
    "family",
    "has_density",
    "has_differential_entropy",
    "has_mean",
    "identically_distributed",
    "independent",
    "is_point",
    "mean_field_normal",
    "normal_mixture",
    "positive_variable",
    "traits",
    "weight_traits",
    "why_not_covered",
]

"""Optimizers: Keras' own, one learning rate for locations and one for scales, and natural gradients."""

from bayesconv.optimization.adam import FusedAdam
from bayesconv.optimization.grouped import SCALE_PREFIX, GroupedOptimizer
from bayesconv.optimization.ivon import Ivon
from bayesconv.optimization.making import Stepper, describe_optimizer, make_optimizer, make_stepper, optimizers

__all__ = [
    "SCALE_PREFIX",
    "FusedAdam",
    "GroupedOptimizer",
    "Ivon",
    "Stepper",
    "describe_optimizer",
    "make_optimizer",
    "make_stepper",
    "optimizers",
]

"""Prediction in a single pass: means and variances of activations, handed on from layer to layer.

A rule for layers of a type is `rule(layer, moments) -> Moments`.
"""

from bayesconv.moments.activations import quadrature, register_activation
from bayesconv.moments.blocks import sequential
from bayesconv.moments.comparison import LayerError, compare_with_sampling
from bayesconv.moments.linear import linear
from bayesconv.moments.normal import Transformed
from bayesconv.moments.normalization import batch_norm, filter_response_norm, group_norm, layer_norm
from bayesconv.moments.pooling import average_pool, global_average_pool, global_max_pool, max_pool
from bayesconv.moments.predictive import Prediction, predictive
from bayesconv.moments.propagation import propagate
from bayesconv.moments.rules import Moments, apply_rule, register_moments, rule_of
from bayesconv.moments.structural import arranged, dropped, upsampled

__all__ = [
    "LayerError",
    "Moments",
    "Prediction",
    "Transformed",
    "apply_rule",
    "arranged",
    "average_pool",
    "batch_norm",
    "compare_with_sampling",
    "dropped",
    "filter_response_norm",
    "global_average_pool",
    "global_max_pool",
    "group_norm",
    "layer_norm",
    "linear",
    "max_pool",
    "predictive",
    "propagate",
    "quadrature",
    "register_activation",
    "register_moments",
    "rule_of",
    "sequential",
    "upsampled",
]

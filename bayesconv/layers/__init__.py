"""Layers."""

from bayesconv.layers.affine import Affine
from bayesconv.layers.base import Lambda, Layer, LayerOutput, Sequential
from bayesconv.layers.convolution import Convolution
from bayesconv.layers.linear import Linear
from bayesconv.layers.structural import AveragePool, Flatten, MaxPool

__all__ = [
    "Affine",
    "AveragePool",
    "Convolution",
    "Flatten",
    "Lambda",
    "Layer",
    "LayerOutput",
    "Linear",
    "MaxPool",
    "Sequential",
]

"""Layers."""

from bayesconv.layers.affine import Affine
from bayesconv.layers.base import Lambda, Layer, LayerOutput, Sequential
from bayesconv.layers.batch_normalization import BatchNorm
from bayesconv.layers.blocks import Parallel, Residual
from bayesconv.layers.convolution import Convolution
from bayesconv.layers.depthwise import DepthwiseConvolution
from bayesconv.layers.dropout import ChannelDropout, Dropout
from bayesconv.layers.filter_response import FilterResponseNorm
from bayesconv.layers.linear import Linear
from bayesconv.layers.normalization import GroupNorm, InstanceNorm, LayerNorm
from bayesconv.layers.operator import FunctionOperator
from bayesconv.layers.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from bayesconv.layers.resampling import Upsample
from bayesconv.layers.separable import SeparableConvolution
from bayesconv.layers.structural import Flatten, Reshape
from bayesconv.layers.transpose import ConvolutionTranspose

__all__ = [
    "Affine",
    "AveragePool",
    "BatchNorm",
    "ChannelDropout",
    "Convolution",
    "ConvolutionTranspose",
    "DepthwiseConvolution",
    "Dropout",
    "FilterResponseNorm",
    "Flatten",
    "FunctionOperator",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GroupNorm",
    "InstanceNorm",
    "Lambda",
    "Layer",
    "LayerNorm",
    "LayerOutput",
    "Linear",
    "MaxPool",
    "Parallel",
    "Reshape",
    "Residual",
    "SeparableConvolution",
    "Sequential",
    "Upsample",
]

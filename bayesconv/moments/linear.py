"""Moments behind linear layers: sums of products of inputs and weights, all of them independent."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import precision
from bayesconv.layers import Affine, Convolution, ConvolutionTranspose, DepthwiseConvolution
from bayesconv.layers.linear import Linear
from bayesconv.moments.options import current_options
from bayesconv.moments.positions import with_shared_deviation
from bayesconv.moments.rules import Moments, apply_rule, register_moments
from bayesconv.moments.units import MOST_OUTPUTS, Units, covariance_behind, units_behind
from bayesconv.weights import KernelBias, map_kernel_bias


@register_moments(Affine, Convolution, ConvolutionTranspose, DepthwiseConvolution)
def linear(layer: Linear, moments: Moments) -> Moments:
    """`m * M` and `v * M^2 + (m^2 + v) * V`, then the activation."""
    return apply_rule(layer.activation_fn, before_activation(layer, moments))


def before_activation(layer: Linear, moments: Moments) -> Moments:
    """The moments of what a linear layer hands to its activation."""
    inputs, (weights, spread) = moments.map(layer.checked), _weights(layer)
    outputs = Moments(layer.linear_op(inputs.mean, weights), _variance(layer.linear_op, inputs, weights, spread))
    if current_options().covariance != "tracked" or outputs.variance is None:
        return outputs
    if isinstance(layer, Affine) and inputs.mean.shape.rank == 2:  # a batch of kernels has more axes
        return _with_covariance(inputs, outputs, weights)
    none = map_kernel_bias(tf.zeros_like, weights)
    return with_shared_deviation(layer.linear_op, inputs, outputs, weights, spread or none)


def _weights(layer: Linear) -> tuple[KernelBias, KernelBias | None]:
    """Means and variances of the weights; None for weights without a posterior."""
    if layer.posterior is None:
        return KernelBias(layer.kernel, layer.bias), None
    mean = map_kernel_bias(lambda d: d.mean(), layer.posterior)
    return mean, map_kernel_bias(lambda d: d.variance(), layer.posterior)


def _variance(op: Any, inputs: Moments, weights: KernelBias, spread: KernelBias | None) -> Any:
    parts: list[tf.Tensor] = []
    if inputs.variance is not None:
        parts.append(op(inputs.variance, KernelBias(tf.square(weights.kernel))))
    if spread is not None:
        square = tf.square(inputs.mean)
        parts.append(op(square if inputs.variance is None else square + inputs.variance, spread))
    return tf.add_n(parts) if parts else None


def _with_covariance(inputs: Moments, outputs: Moments, weights: KernelBias) -> Moments:
    """The outputs of a dense layer with what they share, and their covariance if they are few; in float32 at least."""
    if inputs.variance is None:
        return outputs
    inputs, kernel = inputs.map(precision.widened), weights.kernel
    caused = tf.linalg.matmul(inputs.variance, tf.square(kernel))
    if inputs.units is None or kernel.shape[-1] > MOST_OUTPUTS:
        return outputs._replace(units=_units(kernel, caused, outputs))
    covariance = covariance_behind(inputs.units, inputs.variance, tf.convert_to_tensor(kernel))
    known = tf.linalg.diag_part(covariance)
    variance = known + tf.maximum(precision.widened(outputs.variance) - caused, 0.0)
    pairs, units = tf.linalg.set_diag(covariance, variance), _units(kernel, known, outputs)
    return Moments(outputs.mean, tf.cast(variance, outputs.mean.dtype), covariance=pairs, units=units)


def _units(kernel: Any, variance: tf.Tensor, outputs: Moments) -> Units:
    return units_behind(kernel, tf.cast(tf.sqrt(variance), outputs.mean.dtype))

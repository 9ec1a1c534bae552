"""Moments behind layers made of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv import precision
from bayesconv.layers import Lambda, Layer, Parallel, Residual, SeparableConvolution
from bayesconv.layers import Sequential as Chain
from bayesconv.moments.activations import is_monotone
from bayesconv.moments.linear import before_activation, linear
from bayesconv.moments.pooling import global_max_pool, max_pool
from bayesconv.moments.positions import covariance_with_mean, from_covariance
from bayesconv.moments.rules import Moments, apply_rule, register_moments, rule_of


@register_moments(Chain)
def sequential(layer: Chain, moments: Moments) -> Moments:
    """One member after the other; an activation that never falls goes after a maximum, on fewer numbers."""
    members: list[Any] = list(layer.layers)
    while members:
        member, *members = members
        if members and rule_of(members[0]) in (max_pool, global_max_pool) and is_monotone(_activation_of(member)):
            moments = apply_rule(members[0], _before_activation(member, moments))
            member, members = _activation_of(member), members[1:]
        moments = apply_rule(member, moments)
    return moments


def _activation_of(member: Any) -> Any:
    """The activation that a member ends with, or is."""
    if rule_of(member) is linear:
        return member.activation_fn
    return None if isinstance(member, Layer) else member


def _before_activation(member: Any, moments: Moments) -> Moments:
    return before_activation(member, moments) if rule_of(member) is linear else moments


@register_moments(SeparableConvolution)
def separable(layer: SeparableConvolution, moments: Moments) -> Moments:
    """The depthwise convolution, then the pointwise one."""
    return apply_rule(layer.pointwise, apply_rule(layer.depthwise, moments))


@register_moments(Lambda)
def inline(layer: Lambda, moments: Moments) -> Moments:
    """The function, as any in a `Sequential`."""
    if moments.variance is None:
        return Moments(layer(moments.mean, is_training=False))
    return apply_rule(layer.eval_fn, moments)


@register_moments(Residual)
def residual(layer: Residual, moments: Moments) -> Moments:
    """The sum of both, as if they were independent."""
    added = _sum([apply_rule(layer.block, moments), apply_rule(layer.shortcut, moments)])
    return apply_rule(layer.activation_fn, added)


@register_moments(Parallel)
def parallel(layer: Parallel, moments: Moments) -> Moments:
    """The branches side by side, or their sum, as if they were independent."""
    outputs = [apply_rule(branch, moments) for branch in layer.branches]
    if layer.merge == "concat":
        return _concatenated(outputs)
    if layer.merge == "sum":
        return _sum(outputs)
    if all(output.variance is None for output in outputs):
        return Moments(layer.merge([output.mean for output in outputs]))
    raise TypeError(
        f"The moments of `{layer.name}` are known for merge='concat' and merge='sum'. Received a function, "
        f"{layer.merge!r}: predict by sampling, or make the block a layer with a rule, see register_moments."
    )


def _concatenated(outputs: Sequence[Moments]) -> Moments:
    means = [_narrowed(output.mean) for output in outputs]
    if all(output.variance is None for output in outputs):
        return Moments(tf.concat(means, axis=-1))
    variances = [_narrowed(_or_zeros(output.variance, output)) for output in outputs]
    shared = None
    if any(output.shared is not None for output in outputs):
        shared = tf.concat([_narrowed(_or_zeros(output.shared, output)) for output in outputs], axis=-1)
    return Moments(tf.concat(means, axis=-1), tf.concat(variances, axis=-1), shared)


def _sum(outputs: Sequence[Moments]) -> Moments:
    outputs = [output.map(_narrowed) for output in outputs]
    random = [output for output in outputs if output.variance is not None]
    mean = tf.add_n([output.mean for output in outputs])
    if not random:
        return Moments(mean)
    added = Moments(mean, tf.add_n([output.variance for output in random]))
    axes = list(range(1, mean.shape.rank - 1))
    if not axes or all(output.shared is None for output in random):
        return added
    common = tf.add_n([covariance_with_mean(output, axes) for output in random])
    return added._replace(shared=from_covariance(added, common, axes))


def _or_zeros(part: Any, output: Moments) -> Any:
    return tf.zeros_like(output.mean) if part is None else part


def _narrowed(tensor: tf.Tensor) -> tf.Tensor:
    # In mixed precision one member may compute in the narrow type while the other passes its input on.
    return tf.cast(tensor, precision.narrowed(tensor.dtype))

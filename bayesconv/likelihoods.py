"""Likelihoods: what a model's outputs say of the targets.

A registered likelihood is `piece(*, options) -> Likelihood`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from bayesconv.registry import Registry

_REGISTRY = Registry("likelihood")
register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options


class Likelihood(NamedTuple):
    """A family of distributions of the targets given a model's outputs.

    Attributes:
      name: Registered name.
      log_prob: `log_prob(outputs [N, K], targets) -> [N]`, in nats.
      mean: `mean(outputs [.., K]) -> [.., K]`, the expected target: class probabilities for the discrete families.
      entropy: `entropy(outputs [.., K]) -> [..]` of the target given the outputs, in nats.
      entropy_of_mean: `entropy_of_mean(mean [N, K]) -> [N]`, the entropy of a mixture from its mean, or None where
        the mean does not determine it.
    """

    name: str
    log_prob: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    mean: Callable[[tf.Tensor], tf.Tensor]
    entropy: Callable[[tf.Tensor], tf.Tensor]
    entropy_of_mean: Callable[[tf.Tensor], tf.Tensor] | None


@register("categorical")
def categorical() -> Likelihood:
    """One of K classes; outputs are logits `[N, K]`, targets integers `[N]`."""

    def log_prob(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=_whole(labels), logits=logits)

    def entropy_of_mean(probs: tf.Tensor) -> tf.Tensor:
        return -tf.reduce_sum(tf.math.xlogy(probs, probs), axis=-1)

    def entropy(logits: tf.Tensor) -> tf.Tensor:
        return entropy_of_mean(tf.nn.softmax(logits))

    return Likelihood("categorical", log_prob, tf.nn.softmax, entropy, entropy_of_mean)


@register("bernoulli")
def bernoulli() -> Likelihood:
    """K independent yes-or-no targets; outputs are logits `[N, K]`, targets 0 or 1 of the same shape."""

    def log_prob(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        targets = tf.cast(tf.reshape(targets, tf.shape(logits)), logits.dtype)
        return -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits), axis=-1)

    def entropy_of_mean(probs: tf.Tensor) -> tf.Tensor:
        per_target = tf.math.xlogy(probs, probs) + tf.math.xlog1py(1.0 - probs, -probs)
        return -tf.reduce_sum(per_target, axis=-1)

    def entropy(logits: tf.Tensor) -> tf.Tensor:
        return entropy_of_mean(tf.sigmoid(logits))

    return Likelihood("bernoulli", log_prob, tf.sigmoid, entropy, entropy_of_mean)


@register("normal")
def normal(*, scale: float = 1.0) -> Likelihood:
    """Regression with a known noise level: outputs are the means `[N, K]`, targets real numbers of the same shape.

    Args:
      scale: Standard deviation of the targets' noise, in their unit.

    Raises:
      ValueError: If the scale is not positive.
    """
    if not scale > 0:
        raise ValueError(f"The scale of a normal likelihood must be positive. Received {scale}.")

    def log_prob(means: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        z = (tf.cast(tf.reshape(targets, tf.shape(means)), means.dtype) - means) / scale
        return tf.reduce_sum(-0.5 * tf.square(z) - math.log(scale) - 0.5 * math.log(2.0 * math.pi), axis=-1)

    def entropy(means: tf.Tensor) -> tf.Tensor:
        per_target = 0.5 * math.log(2.0 * math.pi * math.e) + math.log(scale)
        return per_target * tf.reduce_sum(tf.ones_like(means), axis=-1)

    return Likelihood("normal", log_prob, tf.identity, entropy, None)


def _whole(labels: tf.Tensor) -> tf.Tensor:
    labels = tf.convert_to_tensor(labels)
    return labels if labels.dtype in (tf.int32, tf.int64) else tf.cast(labels, tf.int32)

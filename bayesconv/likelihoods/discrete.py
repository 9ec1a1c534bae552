"""Targets that are one class an example, or several answers of yes or no."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.likelihoods import targets
from bayesconv.likelihoods.registry import Likelihood, register


@register("categorical")
def categorical() -> Likelihood:
    """One of K classes; outputs are logits `[N, K]`, targets integers `[N]`."""

    def log_prob(logits: Any, labels: Any) -> tf.Tensor:
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets.whole(labels), logits=logits)

    return Likelihood(
        "categorical",
        log_prob,
        tf.nn.softmax,
        entropy_of_softmax,
        entropy_of_classes,
        check_targets=_check_labels,
        log_prob_of_labels=log_prob,
    )


def entropy_of_classes(probs: Any) -> tf.Tensor:
    """Entropy in nats of class probabilities `[.., K]`."""
    return -tf.reduce_sum(tf.math.xlogy(probs, probs), axis=-1)


def entropy_of_softmax(logits: Any) -> tf.Tensor:
    """Entropy in nats of the classes of logits `[.., K]`."""
    return entropy_of_classes(tf.nn.softmax(logits))


def _check_labels(labels: np.ndarray, output_shape: tuple[int, ...]) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            "The categorical likelihood takes integer labels [N]. "
            f"Received shape {labels.shape} and dtype {labels.dtype.name}; undo a one-hot encoding with y.argmax(-1)."
        )
    targets.check_labels(labels, "categorical", output_shape[-1])


@register("bernoulli")
def bernoulli() -> Likelihood:
    """K independent yes-or-no targets; outputs are logits `[N, K]`, targets 0 or 1 of the same shape."""

    def log_prob(logits: Any, answers: Any) -> tf.Tensor:
        logits = tf.convert_to_tensor(logits)
        answers = targets.like(answers, logits)
        return -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=answers, logits=logits), axis=-1)

    def entropy_of_mean(probs: Any) -> tf.Tensor:
        per_target = tf.math.xlogy(probs, probs) + tf.math.xlog1py(1.0 - probs, -probs)
        return -tf.reduce_sum(per_target, axis=-1)

    def entropy(logits: Any) -> tf.Tensor:
        return entropy_of_mean(tf.sigmoid(logits))

    return Likelihood(
        "bernoulli",
        log_prob,
        tf.sigmoid,
        entropy,
        entropy_of_mean,
        task="multilabel",
        check_targets=_check_answers,
    )


def _check_answers(answers: np.ndarray, output_shape: tuple[int, ...]) -> None:
    targets.check_size(answers, "bernoulli", output_shape[-1], output_shape[-1])
    if not ((answers >= 0) & (answers <= 1)).all():
        raise ValueError(
            f"The bernoulli likelihood takes targets in [0, 1]. Received {answers.min()} to {answers.max()}."
        )

"""Targets that are one class a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.likelihoods import targets
from bayesconv.likelihoods.discrete import entropy_of_classes, entropy_of_softmax
from bayesconv.likelihoods.registry import Likelihood, register

_NAME = "categorical_per_pixel"


@register(_NAME)
def categorical_per_pixel(*, ignored_label: int | None = None) -> Likelihood:
    """One of K classes for every pixel; outputs are logits `[N, H, W, K]`, targets integers `[N, H, W]`.

    Given the weights, pixels are independent: the log probability of an image is the sum over its pixels. Entropies are
    those of single pixels, `[N, H, W]`.

    Args:
      ignored_label: A label whose pixels do not count, 255 in many data sets.
    """

    def log_prob_of_labels(logits: Any, labels: Any) -> tf.Tensor:
        labels = targets.whole(labels)
        counts = tf.ones_like(labels, tf.bool) if ignored_label is None else tf.not_equal(labels, ignored_label)
        known = tf.where(counts, labels, tf.zeros_like(labels))
        terms = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=known, logits=logits)
        return tf.where(counts, -terms, tf.zeros_like(terms))

    def log_prob(logits: Any, labels: Any) -> tf.Tensor:
        return tf.reduce_sum(log_prob_of_labels(logits, labels), axis=[1, 2])

    def check_targets(labels: np.ndarray, output_shape: tuple[int, ...]) -> None:
        if labels.shape[1:] != tuple(output_shape[:-1]) or not np.issubdtype(labels.dtype, np.integer):
            expected = f"[N, {', '.join(map(str, output_shape[:-1]))}]"
            raise ValueError(
                f"The {_NAME} likelihood takes integer labels {expected}, one for every pixel of the outputs. "
                f"Received shape {labels.shape} and dtype {labels.dtype.name}."
            )
        targets.check_labels(labels, _NAME, output_shape[-1], ignored_label)

    return Likelihood(
        _NAME,
        log_prob,
        tf.nn.softmax,
        entropy_of_softmax,
        entropy_of_classes,
        task="segmentation",
        output_rank=3,
        check_targets=check_targets,
        log_prob_of_labels=log_prob_of_labels,
        options=(("ignored_label", ignored_label),),
    )

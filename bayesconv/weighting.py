"""Weights of examples and of classes in the data term of the objective.

A weight multiplies the log probability of its example, or of its pixel: 2 counts an example as if it were there twice,
0 as if it were not. The data term is divided by the number of examples and not by the sum of their weights,

    -1/N sum_n weight_n log p(y_n | x_n, w)        nats per example

so that the posterior is proportional to `p(w) prod_n p(y_n | x_n, w)^weight_n`. To change the balance without changing
how much the data count against the prior, give weights whose mean is 1; `"balanced"` ones have that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.likelihoods import Likelihood

ClassWeights = str | Sequence[float] | Mapping[int, float]
BALANCED = "balanced"


def as_sample_weights(weights: Any, num_examples: int) -> np.ndarray | None:
    """Weights of examples as float32 `[N]`.

    Args:
      weights: `[N]` numbers, or None.
      num_examples: N.

    Raises:
      ValueError: If there are more or fewer, or one is negative or not finite, or all are 0.
    """
    if weights is None:
        return None
    found = np.asarray(weights)
    if found.shape != (num_examples,):
        raise ValueError(
            f"`sample_weights` is one number an example, [{num_examples}]. Received shape {list(found.shape)}."
        )
    found = _checked("sample_weights", found)
    if not found.any():
        raise ValueError("`sample_weights` must not all be 0: nothing would be learned from. Received zeros only.")
    return found


def as_class_weights(
    weights: ClassWeights | None, num_classes: int, likelihood: Likelihood, labels: Any = None
) -> np.ndarray | None:
    """Weights of classes as float32 `[K]`.

    Args:
      weights: A weight for each class; a mapping of classes to weights, 1 for the others; or `"balanced"`, N / (C n_k)
        for a class with n_k of the N training labels and C classes that occur, as scikit-learn has it; or None.
      num_classes: K.
      likelihood: What the labels belong to.
      labels: Those of the training examples, for `"balanced"`.

    Raises:
      ValueError: If the targets are no classes, there are more or fewer weights, one is negative or not finite, or
        `"balanced"` is asked for without labels.
    """
    if weights is None:
        return None
    if likelihood.log_prob_of_labels is None:
        raise ValueError(
            "`class_weights` are for targets that are one class of several. "
            f"Received the {likelihood.name} likelihood; use sample_weights."
        )
    if isinstance(weights, str):
        return _balanced(weights, num_classes, labels, dict(likelihood.options).get("ignored_label"))
    if isinstance(weights, Mapping):
        weights = _listed(weights, num_classes)
    found = np.asarray(weights)
    if found.shape != (num_classes,):
        raise ValueError(f"`class_weights` is one number a class, [{num_classes}]. Received shape {list(found.shape)}.")
    found = _checked("class_weights", found)
    if not found.any():
        raise ValueError("`class_weights` must not all be 0: nothing would be learned from. Received zeros only.")
    return found


def _balanced(word: str, num_classes: int, labels: Any, ignored_label: int | None) -> np.ndarray:
    if word != BALANCED:
        raise ValueError(f"`class_weights` are numbers or {BALANCED!r}. Received {word!r}.")
    if labels is None:
        raise ValueError(
            "class_weights='balanced' counts the training labels, which takes arrays. Received a tf.data.Dataset; pass "
            "the weights themselves."
        )
    counted = np.ravel(labels)
    counts = np.bincount(counted[counted != ignored_label], minlength=num_classes)
    occurring = np.count_nonzero(counts)
    return np.where(counts > 0, counts.sum() / (occurring * np.maximum(counts, 1)), 1.0).astype(np.float32)


def _listed(weights: Mapping[int, float], num_classes: int) -> list[float]:
    unknown = [key for key in weights if key not in range(num_classes)]
    if unknown:
        raise ValueError(f"`class_weights` are of the classes 0 to {num_classes - 1}. Received also {unknown}.")
    return [weights.get(label, 1.0) for label in range(num_classes)]


def _checked(name: str, weights: np.ndarray) -> np.ndarray:
    try:
        found = weights.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` are numbers. Received dtype {weights.dtype.name}.") from error
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise ValueError(
            f"`{name}` must be finite and not negative. Received values from {found.min()} to {found.max()}."
        )
    return found


def data_term(
    likelihood: Likelihood, sample_weights: Any, class_weights: Any, outputs: tf.Tensor, targets: Any, nll: tf.Tensor
) -> tf.Tensor:
    """The negative log-likelihood per example that is minimized.

    Args:
      likelihood: What the outputs say of the targets.
      sample_weights: `[N]` or None.
      class_weights: `[K]` or None.
      outputs: `[N, P]` or `[N, H, W, K]`.
      targets: As the likelihood takes them.
      nll: What it is without weights.

    Raises:
      ValueError: If classes have weights and the targets are none.
    """
    of_training = likelihood.training_log_prob
    if sample_weights is None and class_weights is None and of_training is None:
        return nll
    log_prob = (of_training or likelihood.log_prob)(outputs, targets)
    if class_weights is not None:
        log_prob = _by_class(likelihood, outputs, targets, class_weights)
    if sample_weights is not None:  # an example without weight may hold whatever it likes, infinities too
        log_prob = tf.math.multiply_no_nan(log_prob, tf.cast(sample_weights, log_prob.dtype))
    return -mean(log_prob)


def _by_class(likelihood: Likelihood, outputs: tf.Tensor, labels: Any, class_weights: Any) -> tf.Tensor:
    if likelihood.log_prob_of_labels is None:
        raise ValueError(
            f"`class_weights` are for targets that are classes. Received the {likelihood.name} likelihood."
        )
    terms = likelihood.log_prob_of_labels(outputs, labels)
    weights = tf.cast(tf.convert_to_tensor(class_weights), terms.dtype)
    # A label that is ignored has the term 0, and may be no class.
    weights = tf.gather(weights, tf.clip_by_value(tf.cast(labels, tf.int32), 0, tf.shape(weights)[0] - 1))
    return tf.reduce_sum(weights * terms, axis=list(range(1, len(terms.shape))))


def mean(log_prob: tf.Tensor) -> tf.Tensor:
    """Mean over the examples of a batch, 0 for an empty one."""
    return tf.math.divide_no_nan(tf.reduce_sum(log_prob), tf.cast(tf.size(log_prob), log_prob.dtype))

"""Scores of predicted probabilities against labels, and all of them in one report."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.brier import brier_score
from bayesconv.metrics.calibration import ece_null, expected_calibration_error
from bayesconv.metrics.checks import check_labelled

# A probability that underflowed to 0 in float32 costs 87 nats, not infinity: one example must not hide all the others.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)


def accuracy(probs: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Share of the examples whose most probable class is the label.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> accuracy([[0.9, 0.1], [0.4, 0.6]], [0, 0])
      0.5
    """
    p, y = check_labelled(probs, labels)
    return float(np.mean(p.argmax(axis=1) == y))


def top_k_accuracy(probs: npt.ArrayLike, labels: npt.ArrayLike, *, k: int = 5) -> float:
    """Share of the examples whose label is among the k most probable classes; of equal ones the first comes first.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      k: Number of guesses, from 1, which is `accuracy`, to K, which is always 1.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, a label or `k` is out of range.

    Example:
      >>> top_k_accuracy([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]], [1, 2], k=2)
      0.5
    """
    p, y = check_labelled(probs, labels)
    if not 1 <= k <= p.shape[1]:
        raise ValueError(f"`k` must lie between 1 and the {p.shape[1]} classes. Received {k}.")
    of_label = np.take_along_axis(p, y[:, None], axis=1)
    ahead = (p > of_label) | ((p == of_label) & (np.arange(p.shape[1]) < y[:, None]))
    return float(np.mean(ahead.sum(axis=1) < k))


def negative_log_likelihood(probs: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean of -log p(label), in nats per example.

    Probabilities below 1.2e-38, the smallest normal float32, count as that: an example costs 87 nats at most.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(negative_log_likelihood([[0.5, 0.5], [1.0, 0.0]], [1, 0]), 4)
      0.3466
    """
    p, y = check_labelled(probs, labels)
    return float(-np.mean(np.log(np.maximum(p[np.arange(len(y)), y], SMALLEST_PROBABILITY))))


def classification_report(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> dict[str, Any]:
    """All the scores of one model, ready for JSON: accuracy, nll, brier, ece, and ece_null with mean, lower, upper.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of equal-width bins of the calibration error.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> list(classification_report([[0.9, 0.1]], [0]))
      ['accuracy', 'nll', 'brier', 'ece', 'ece_null']
    """
    return {
        "accuracy": accuracy(probs, labels),
        "nll": negative_log_likelihood(probs, labels),
        "brier": brier_score(probs, labels),
        "ece": expected_calibration_error(probs, labels, num_bins=num_bins),
        "ece_null": ece_null(probs, num_bins=num_bins)._asdict(),
    }

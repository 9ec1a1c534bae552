"""What can be said of how unsure a prediction of classes is: every score that abstains or finds strange inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.draws import average, weights_of
from bayesconv.prediction import Predictive

UNCERTAINTIES = ("predictive_entropy", "expected_entropy", "mutual_information")
SCORES = ("predictive_entropy", "mutual_information")  # what is drawn of strange sets
ALL_SCORES = (
    "max_probability",
    "predictive_entropy",
    "expected_entropy",
    "mutual_information",
    "energy",
    "variation_ratio",
    "top_class_stddev",
)
OF_DRAWS = ("mutual_information", "variation_ratio", "top_class_stddev")  # nothing, where there is one function only
_OF_VOTES = ("disagreement", "variation_ratio")
_NUMBERS_AT_ONCE = 2_000_000  # logits that are in float64 together


def uncertainty_scores(predictive: Predictive, *, has_several: bool = True) -> dict[str, Any]:
    """The `ALL_SCORES` of each image, `[N]`, that its prediction allows; higher is less sure, entropies in nats.

    A single pass of moments has no draws and so no energy and no votes, and so have predictions whose draws were not
    kept. A single network of point weights is one function, which has nothing to differ from.

    Args:
      predictive: A prediction of classes.
      has_several: Whether it is an average over functions that may differ, draws or members.
    """
    scores: dict[str, Any] = {name: getattr(predictive, name) for name in UNCERTAINTIES}
    scores["max_probability"] = 1 - predictive.mean.max(axis=-1)
    scores["top_class_stddev"] = np.take_along_axis(
        predictive.std, predictive.mean.argmax(axis=-1)[:, np.newaxis], axis=-1
    )[:, 0]
    if predictive.samples is not None:
        scores["energy"] = -_log_partition(predictive.samples, weights_of(predictive))
    if predictive.votes is not None:
        scores["variation_ratio"] = predictive.variation_ratio
    known = [name for name in ALL_SCORES if name in scores and (has_several or name not in OF_DRAWS)]
    return {name: np.asarray(scores[name], np.float64) for name in known}


def mean_uncertainties(predictive: Predictive) -> dict[str, float | None]:
    """Means over the images, in nats; of disagreement and variation ratio, shares of pairs of draws and of draws."""
    found = uncertainties_by_example(predictive)
    return {name: None if values is None else float(values.mean()) for name, values in found.items()}


def uncertainties_by_example(predictive: Predictive) -> dict[str, Any]:
    """What those are means of, `[N]`, or None."""
    names = (*UNCERTAINTIES, "mutual_information_corrected")
    votes = {name: None if predictive.votes is None else getattr(predictive, name) for name in _OF_VOTES}
    return {**{name: getattr(predictive, name) for name in names}, **votes}


def _log_partition(logits: Any, weights: Any) -> Any:
    """Logsumexp of the mean logits of the draws, `[S, N, K]` to `[N]`, in portions."""
    step = max(1, _NUMBERS_AT_ONCE // (logits.shape[0] * logits.shape[2]))
    starts = range(0, logits.shape[1], step)
    parts = [average(logits[:, i : i + step].astype(np.float64), weights) for i in starts]
    means = np.concatenate(parts)
    largest = means.max(axis=1)
    return largest + np.log(np.exp(means - largest[:, np.newaxis]).sum(axis=1))


def wrong(predictive: Predictive, labels: Any) -> Any:
    """1 where the most probable class is not the label, `[N]`: the losses that abstention is judged by.

    Raises:
      ValueError: If there is another number of labels, or one is out of range.
    """
    metrics.accuracy(predictive.mean, labels)  # checks both
    return (predictive.mean.argmax(axis=-1) != np.asarray(labels)).astype(np.float64)

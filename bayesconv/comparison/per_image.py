"""Losses of single test images, for tests on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv import splits
from bayesconv.comparison.grouping import Group
from bayesconv.comparison.paired import PairedTest, mcnemar_test, paired_permutation_test
from bayesconv.comparison.reading import RunResult

Floats = npt.NDArray[np.float64]

METRICS = ("accuracy", "nll", "brier")  # that are means over the test images


class ImageLosses(NamedTuple):
    """What a run makes of each test image.

    Attributes:
      labels: `[N]`.
      losses: `[N]` for each of `METRICS`.
    """

    labels: npt.NDArray[np.int64]
    losses: Mapping[str, Floats]


def image_losses(probs: npt.ArrayLike, labels: npt.ArrayLike) -> ImageLosses:
    """Accuracy (0 or 1), negative log-likelihood in nats and Brier score of each image.

    Args:
      probs: `[N, K]`.
      labels: `[N]`.

    Example:
      >>> losses = image_losses([[0.8, 0.2], [0.6, 0.4]], [0, 1]).losses
      >>> losses["accuracy"].tolist(), losses["brier"].round(2).tolist()
      ([1.0, 0.0], [0.08, 0.72])
    """
    p, y = np.asarray(probs, np.float64), np.asarray(labels, np.int64)
    rows = np.arange(len(y))
    target = np.zeros_like(p)
    target[rows, y] = 1.0
    nll = -np.log(np.maximum(p[rows, y], np.finfo(np.float32).tiny))
    right = (p.argmax(axis=-1) == y).astype(np.float64)
    return ImageLosses(y, {"accuracy": right, "nll": nll, "brier": np.square(p - target).sum(axis=-1)})


def predicted_losses(result: RunResult) -> ImageLosses | None:
    """The same of a run's scored images: its kept predictions, or new ones made as those of its evaluation were.

    Args:
      result: A run.

    Returns:
      The losses, or None if the run is of another task than classes of images.
    """
    if result.report.get("task", "classification") != "classification":
        return None
    from bayesconv import evaluation, runs
    from bayesconv.evaluation.manner import manner
    from bayesconv.evaluation.predicting import as_evaluated

    run = runs.load_run(result.folder)
    dataset = run.dataset().scored_on(result.report.get("split") or splits.TEST)
    with manner(keeps=True):
        predictive = evaluation.predict(run, dataset.test.x, **as_evaluated(run, result.report))
    return image_losses(predictive.mean, dataset.test.y)


def check_same_images(losses: Mapping[Path, ImageLosses]) -> None:
    """Raises an error unless all runs have the same test labels.

    Raises:
      ValueError: If they differ.
    """
    (first, expected), *others = losses.items()
    for folder, found in others:
        if not np.array_equal(found.labels, expected.labels):
            raise ValueError(
                f"Runs are compared on the same test images. {first} and {folder} have other labels; compare runs of "
                "one data set and one split."
            )


def compare_images(
    first: Group, second: Group, metric: str, losses: Mapping[Path, ImageLosses], level: float = 0.95
) -> PairedTest | None:
    """Whether two configurations differ on the test images, whatever the seeds.

    With one run each, accuracies are compared by McNemar's exact test. Everything else is the average of an image over
    the runs of a configuration, compared by a sign-flip test, of which McNemar's is the case of one run.

    Args:
      first: A configuration.
      second: The one to compare it with.
      metric: One of `METRICS`.
      losses: By run folder.
      level: Of the confidence interval.

    Returns:
      The test, or None if the figure is no mean over images, or a run has no losses.
    """
    if metric not in METRICS or any(run.folder not in losses for run in (*first.runs, *second.runs)):
        return None
    a, b = (_averaged(one.runs, metric, losses) for one in (first, second))
    if metric == "accuracy" and len(first.runs) == len(second.runs) == 1:
        return mcnemar_test(a, b, level=level)
    return paired_permutation_test(a, b, level=level)


def _averaged(runs: Sequence[RunResult], metric: str, losses: Mapping[Path, ImageLosses]) -> Floats:
    return np.mean([losses[run.folder].losses[metric] for run in runs], axis=0)

"""How good predicted classes of pixels are, and how well their uncertainty finds the wrong ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.data import Dataset
from bayesconv.evaluation.predicting import provenance
from bayesconv.evaluation.segmentation_tables import tables
from bayesconv.evaluation.sets import corrupted, out_of_distribution
from bayesconv.evaluation.uncertainties import UNCERTAINTIES
from bayesconv.prediction import Predictive
from bayesconv.runs import Run

__all__ = ["report", "scores", "tables"]

_LEVEL, _SEED = 0.95, 0  # of the bootstrap
_SCORES = ("predictive_entropy", "mutual_information")


def report(run: Run, dataset: Dataset, predicted: Callable[..., Predictive]) -> dict[str, Any]:
    """All results of a run, ready for JSON.

    Args:
      run: A trained run.
      dataset: Its data.
      predicted: `predicted(inputs, name=..)`, the run's prediction of a set.

    Returns:
      The `scores` of the test images, with intervals from a bootstrap of images under `intervals`, how well the mean
      uncertainties of an image tell each strange set from the test images (`ood`), the scores at each severity of each
      corruption (`shift`), and what the numbers depend on.
    """
    predicted = functools.partial(predicted, keep_samples=False)
    count, names = run.config.evaluation.bootstrap, list(dataset.class_names)
    test = predicted(dataset.test.x, name="test")
    scored = functools.partial(scores, labels=dataset.test.y, class_names=names, ignored_label=dataset.ignored_label)
    return {
        "dataset": dataset.name,
        "num_images": len(dataset.test.y),
        **scored(test, num_resamples=count),
        "ood": {
            name: _against(test, predicted(x, name=name), run.has_several_functions)
            for name, x in out_of_distribution(run, dataset)
        },
        "shift": {name: [scored(predicted(x, name=name)) for x in sets] for name, sets in corrupted(run, dataset)},
        "bootstrap": {"num_resamples": count, "level": _LEVEL, "seed": _SEED},
        **provenance(run, test),
    }


def scores(
    predictive: Predictive,
    labels: Any,
    *,
    class_names: list[str],
    ignored_label: int | None = None,
    num_resamples: int = 0,
) -> dict[str, Any]:
    """Scores of predicted classes of pixels.

    Args:
      predictive: For N images.
      labels: `[N, H, W]`.
      class_names: K strings.
      ignored_label: A label whose pixels are left out.
      num_resamples: Resamples of the images behind the intervals; 0 gives none.

    Returns:
      `accuracy`, `nll`, `brier` and `ece` of pixels, nats a pixel; the IoU of each class and their mean, of all images
      together; the AUROC of telling wrong pixels from right ones by two uncertainties (`error_auroc`); mean
      uncertainties of pixels, in nats.
    """
    y = np.asarray(labels)
    counted = np.ones(y.shape, bool) if ignored_label is None else y != ignored_label
    probs, true = predictive.mean[counted], y[counted]
    by_image = _confusions(predictive.mean, y, counted)
    overlap = metrics.intersection_over_union(by_image.sum(axis=0))
    found = {
        "accuracy": _accuracy(by_image),
        "mean_iou": _mean_iou(by_image),
        "iou": {name: _or_none(value) for name, value in zip(class_names, overlap, strict=True)},
        "nll": metrics.negative_log_likelihood(probs, true),
        "brier": metrics.brier_score(probs, true),
        "ece": metrics.expected_calibration_error(probs, true),
        "error_auroc": _error_auroc(predictive, probs.argmax(axis=-1) != true, counted),
        **{name: float(getattr(predictive, name)[counted].mean()) for name in UNCERTAINTIES},
    }
    return {**found, "intervals": _intervals(by_image, num_resamples)}


def _confusions(probs: Any, labels: Any, counted: Any) -> Any:
    """A confusion matrix an image, `[N, K, K]`."""
    num, top = probs.shape[-1], probs.argmax(axis=-1)
    pairs = zip(top, labels, counted, strict=True)
    return np.stack([metrics.confusion_matrix(t[c], y[c], num_classes=num) for t, y, c in pairs])


def _accuracy(by_image: Any) -> float:
    confusion = by_image.sum(axis=0)
    return float(np.trace(confusion) / confusion.sum())


def _mean_iou(by_image: Any) -> float:
    return metrics.mean_intersection_over_union(by_image.sum(axis=0))


def _intervals(by_image: Any, num_resamples: int) -> dict[str, dict[str, float]]:
    if not num_resamples or len(by_image) < 2:
        return {}
    options: dict[str, Any] = {"num_resamples": num_resamples, "level": _LEVEL, "seed": _SEED}
    found = metrics.bootstrap_report({"accuracy": _accuracy, "mean_iou": _mean_iou}, by_image, **options)
    return {name: {"lower": interval.lower, "upper": interval.upper} for name, interval in found.items()}


def _error_auroc(predictive: Predictive, is_wrong: Any, counted: Any) -> dict[str, float | None]:
    auroc: dict[str, float | None] = dict.fromkeys(_SCORES)
    if 0 < is_wrong.sum() < len(is_wrong):
        for name in _SCORES:
            values = getattr(predictive, name)[counted]
            auroc[name] = metrics.ood_auroc(values[~is_wrong], values[is_wrong]) if values.any() else None
    return auroc


def _against(test: Predictive, strange: Predictive, has_several: bool) -> dict[str, Any]:
    means = [{name: getattr(p, name).mean(axis=(1, 2)) for name in UNCERTAINTIES} for p in (test, strange)]
    auroc: dict[str, float | None] = {name: metrics.ood_auroc(*(mean[name] for mean in means)) for name in _SCORES}
    if not has_several:
        auroc["mutual_information"] = None  # one function only: it is zero everywhere and tells nothing apart
    return {
        "auroc": auroc,
        **{name: float(means[1][name].mean()) for name in UNCERTAINTIES},
        "num_images": len(strange.mean),
    }


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

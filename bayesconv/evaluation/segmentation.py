"""How good predicted classes of pixels are, and how well their uncertainty finds the wrong ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.data import Dataset
from bayesconv.evaluation.intervals import LEVEL, SEED, or_none, resampled
from bayesconv.evaluation.pixel_calibration import calibration_errors
from bayesconv.evaluation.pixel_intervals import pixel_intervals
from bayesconv.evaluation.predicting import provenance
from bayesconv.evaluation.segmentation_tables import tables
from bayesconv.evaluation.sets import corrupted, out_of_distribution, uncorrupted
from bayesconv.evaluation.strangeness import told_apart
from bayesconv.evaluation.uncertainties import SCORES, UNCERTAINTIES
from bayesconv.metrics.weighted_scores import means
from bayesconv.prediction import Predictive
from bayesconv.runs import Run

__all__ = ["report", "scores", "tables"]


def report(run: Run, dataset: Dataset, predicted: Callable[..., Predictive]) -> dict[str, Any]:
    """All results of a run, ready for JSON.

    Args:
      run: A trained run.
      dataset: Its data.
      predicted: `predicted(inputs, name=..)`, the run's prediction of a set.

    Returns:
      The `scores` of the test images, with intervals from a bootstrap of images under `intervals`, the other errors of
      `calibration`, how well the mean uncertainties of an image tell each strange set from the test images (`ood`), the
      scores at each severity of each corruption (`shift`) and of the same images as they are if these are some of the
      test images (`uncorrupted`), and what the numbers depend on.
    """
    predicted = functools.partial(predicted, keep_samples=False)
    count, names = run.config.evaluation.bootstrap, list(dataset.class_names)
    test, some = predicted(dataset.test.x, name="test"), uncorrupted(run, dataset)
    counted = counted_pixels(dataset.test.y, dataset.ignored_label)
    familiar = uncertainty_of_images(test, counted, run.has_several_functions)
    pixels = test.mean[counted], np.asarray(dataset.test.y)[counted], np.nonzero(counted)[0]
    options: dict[str, Any] = {"class_names": names, "ignored_label": dataset.ignored_label, "num_resamples": count}

    def scored(x: Any, name: str, chosen: Any) -> dict[str, Any]:
        return scores(predicted(x, name=name), dataset.test.y[chosen], **options)

    return {
        "dataset": dataset.name,
        "num_images": len(dataset.test.y),
        **scores(test, dataset.test.y, **options),
        "calibration": calibration_errors(*pixels, len(counted), count),
        "ood": {
            name: _against(familiar, predicted(x, name=name), run.has_several_functions, count)
            for name, x in out_of_distribution(run, dataset)
        },
        "shift": {name: [scored(x, name, chosen) for x in sets] for name, chosen, sets in corrupted(run, dataset)},
        "uncorrupted": None if some is None else scored(dataset.test.x[some], "test", some),
        "bootstrap": {"num_resamples": count, "level": LEVEL, "seed": SEED},
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
      uncertainties of pixels, in nats. All have `intervals`, over images.
    """
    y, counted = np.asarray(labels), counted_pixels(labels, ignored_label)
    probs, true = predictive.mean[counted], y[counted]
    by_image = _confusions(predictive.mean, y, counted)
    uncertainties = {name: getattr(predictive, name)[counted] for name in UNCERTAINTIES}
    overlap = metrics.intersection_over_union(by_image.sum(axis=0))
    found: dict[str, Any] = {
        "accuracy": _accuracy(by_image),
        "mean_iou": _mean_iou(by_image),
        "iou": {name: or_none(value) for name, value in zip(class_names, overlap, strict=True)},
        "nll": metrics.negative_log_likelihood(probs, true),
        "brier": metrics.brier_score(probs, true),
        "ece": metrics.expected_calibration_error(probs, true),
        "error_auroc": _error_auroc(predictive, probs.argmax(axis=-1) != true, counted),
        **{name: float(values.mean()) for name, values in uncertainties.items()},
    }
    found_by = [name for name, value in found["error_auroc"].items() if value is not None]
    options: dict[str, Any] = {"class_names": class_names, "num_resamples": num_resamples, "found_by": found_by}
    images = np.nonzero(counted)[0]
    return {**found, "intervals": pixel_intervals(by_image, probs, true, images, uncertainties, **options)}


def counted_pixels(labels: Any, ignored_label: int | None) -> Any:
    """Which pixels are not to be left out."""
    return np.ones(np.shape(labels), bool) if ignored_label is None else np.asarray(labels) != ignored_label


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


def _error_auroc(predictive: Predictive, is_wrong: Any, counted: Any) -> dict[str, float | None]:
    auroc: dict[str, float | None] = dict.fromkeys(SCORES)
    if 0 < is_wrong.sum() < len(is_wrong):
        for name in SCORES:
            values = getattr(predictive, name)[counted]
            auroc[name] = metrics.ood_auroc(values[~is_wrong], values[is_wrong]) if values.any() else None
    return auroc


def uncertainty_of_images(predictive: Predictive, counted: Any, has_several: bool) -> dict[str, Any]:
    """Mean uncertainties of the pixels that count, of each image that has any, `[N]`, by what tells images apart."""
    known = counted.any(axis=(1, 2))
    sizes = counted[known].sum(axis=(1, 2))
    means = {name: (getattr(predictive, name) * counted)[known].sum(axis=(1, 2)) / sizes for name in SCORES}
    # One function only: its mutual information is zero everywhere and tells nothing apart.
    return means if has_several else {**means, "mutual_information": None}


def _against(familiar: Any, strange: Predictive, has_several: bool, num_resamples: int) -> dict[str, Any]:
    others = uncertainty_of_images(strange, np.ones(strange.mean.shape[:-1], bool), has_several)
    found = told_apart(familiar, others, SCORES, num_resamples)
    by_image = {name: getattr(strange, name).mean(axis=(1, 2), dtype=np.float64) for name in UNCERTAINTIES}
    within = resampled(means(by_image), len(strange.mean), num_resamples)
    return {
        **found,
        "intervals": {**found["intervals"], **within},
        **{name: float(values.mean()) for name, values in by_image.items()},
        "num_images": len(strange.mean),
    }

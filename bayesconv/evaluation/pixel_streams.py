"""Figures of a stream of images that have one class of several for each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.accumulators import Accumulator, edges_of, values_of
from bayesconv.evaluation.pixel_intervals import figures_of_sums, gaps_by_image, pixel_scores, some, sums_by_image
from bayesconv.evaluation.poisson import PoissonSums, ends_of
from bayesconv.evaluation.uncertainties import UNCERTAINTIES
from bayesconv.metrics import RunningAuroc
from bayesconv.metrics.checks import Floats, check_labelled
from bayesconv.prediction import Predictive

_OF_ERRORS = ("predictive_entropy", "mutual_information")
_MEANS = ("nll", "brier", *UNCERTAINTIES)


class Pixels(Accumulator):
    """One class of several for each pixel, all pixels of all images together.

    Args:
      ignored_label: A label whose pixels are left out.
    """

    def __init__(self, ignored_label: int | None = None) -> None:
        self._ignored = ignored_label
        self._sums, self._calibration = PoissonSums(), metrics.RunningCalibration()
        self._ranks: dict[str, RunningAuroc] = {}
        self._count = 0

    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its labels, integers `[N, H, W]`."""
        y, expected = np.asarray(labels), predictive.mean.shape[:-1]
        if y.shape != expected:
            raise ValueError(f"Labels of pixels must have the shape {list(expected)}. Received {list(y.shape)}.")
        self._count += len(y)
        counted = y != self._ignored if self._ignored is not None else np.ones(y.shape, bool)
        if counted.any():
            uncertainties = {name: getattr(predictive, name)[counted] for name in UNCERTAINTIES}
            self._add(*check_labelled(predictive.mean[counted], y[counted]), np.nonzero(counted)[0], uncertainties)

    def result(self) -> dict[str, Any]:
        """IoU, scores and calibration errors by pixels, mean uncertainties, and how well two find wrong pixels."""
        if not self._sums.num_examples:
            raise ValueError("There is nothing to evaluate: no pixel has a label that counts.")
        parts = (self._sums.sums(name) for name in ("hits", "predicted", "labelled", "gaps"))
        rows, pixels = figures_of_sums(*parts), self._sums.sums("labelled").sum(axis=1)
        overlap, ece = rows.pop("iou"), rows.pop("ece")
        rows |= {name: self._sums.sums(name) / some(pixels) for name in _MEANS}
        return {
            "num_examples": self._count,
            "num_pixels": int(pixels[0]),
            "iou": [None if np.isnan(value) else float(value) for value in overlap[0]],
            **values_of(rows, ("mean_iou", "accuracy", "nll", "brier")),
            **self._calibration.result()._asdict(),
            **values_of(rows, UNCERTAINTIES),
            "error_auroc": {name: self._of_errors(name) for name in _OF_ERRORS},
            "intervals": {
                **{name: ends_of(row) for name, row in rows.items()},
                "expected_calibration_error": ends_of(ece, least=0.0),
                "iou": [ends_of(row) for row in overlap.T],
            },
        }

    def _add(self, probs: Floats, labels: Any, images: Any, uncertainties: dict[str, Any]) -> None:
        """Adds M pixels of the images of these numbers, `[M]`."""
        self._calibration.update(probs, labels)
        num_images, num_classes = int(images.max()) + 1, probs.shape[1]
        top = probs.argmax(axis=1)
        right = top == labels
        values = sums_by_image({**pixel_scores(probs, labels), **uncertainties}, images, num_images)
        counts = {"hits": (top, right), "predicted": (top, ...), "labelled": (labels, ...)}
        for name, (classes, chosen) in counts.items():
            values[name] = _counts(classes[chosen], images[chosen], num_images, num_classes)
        self._sums.update({**values, "gaps": gaps_by_image(probs, labels, images, num_images)})
        self._rank(uncertainties, ~right)

    def _rank(self, uncertainties: dict[str, Any], is_wrong: Any) -> None:
        for name in _OF_ERRORS:
            values = uncertainties[name]
            ranks = self._ranks.setdefault(name, RunningAuroc(edges_of(values)))
            for scores in ({"in_scores": values[~is_wrong]}, {"out_scores": values[is_wrong]}):
                if len(next(iter(scores.values()))):
                    ranks.update(**scores)

    def _of_errors(self, name: str) -> dict[str, float] | None:
        """None if all pixels are right, or all wrong, or none is uncertain at all."""
        wrong = self._sums.sums("labelled")[0].sum() - self._sums.sums("hits")[0].sum()
        is_known = 0 < wrong < self._sums.sums("labelled")[0].sum() and self._sums.sums(name)[0] > 0
        return self._ranks[name].result()._asdict() if is_known else None


def _counts(classes: Any, images: Any, num_images: int, num_classes: int) -> Floats:
    """How many pixels of each image have each class, `[N, K]`."""
    cells = images * num_classes + classes
    counts = np.bincount(cells, minlength=num_images * num_classes)
    return counts.reshape(num_images, num_classes).astype(np.float64)

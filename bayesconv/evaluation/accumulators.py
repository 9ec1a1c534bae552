"""What is kept of predictions that are forgotten: sums, of which every figure of a stream is made."""

from __future__ import annotations

import abc
import math
from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.poisson import PoissonBootstrap
from bayesconv.evaluation.real_targets import gaussian_crps, has_moments, interval_of
from bayesconv.evaluation.uncertainties import UNCERTAINTIES, wrong
from bayesconv.prediction import Predictive

NUM_BINS = 2000  # of uncertainties whose ranks are counted
_COVERAGE = 0.9  # of the intervals of real targets


class Accumulator(abc.ABC):
    """Figures of a stream: `update` for a chunk, `result` for all so far."""

    @abc.abstractmethod
    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its labels."""

    @abc.abstractmethod
    def result(self) -> dict[str, Any]:
        """The figures, ready for JSON.

        Raises:
          ValueError: If there were no examples.
        """


class Classes(Accumulator):
    """One class of several for each example."""

    def __init__(self) -> None:
        self._means = {
            "accuracy": metrics.RunningMean(metrics.accuracy),
            "nll": metrics.RunningMean(metrics.negative_log_likelihood),
            "brier": metrics.RunningMean(metrics.brier_score),
        }
        self._uncertainties = _Means()
        self._calibration = metrics.RunningCalibration()
        self._bootstrap = PoissonBootstrap()
        self._ranks: metrics.RunningRiskCoverage | None = None
        self._count = 0

    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its labels, integers `[N]`."""
        labels, uncertainty = np.asarray(labels).reshape(-1), predictive.predictive_entropy
        for mean in self._means.values():
            mean.update(predictive.mean, labels)
        self._uncertainties.update({name: getattr(predictive, name) for name in UNCERTAINTIES})
        self._calibration.update(predictive.mean, labels)
        self._bootstrap.update(predictive.mean, labels)
        if self._ranks is None:
            self._ranks = metrics.RunningRiskCoverage(edges_of(uncertainty))
        self._ranks.update(uncertainty, wrong(predictive, labels))
        self._count += len(labels)

    def result(self) -> dict[str, Any]:
        """Accuracy, NLL, Brier score, calibration errors, AURC and mean uncertainties."""
        values = {name: mean.result() for name, mean in self._means.items()}
        errors = self._calibration.result()._asdict()
        ece = errors.pop("expected_calibration_error")
        return {
            "num_examples": self._count,
            **values,
            "ece": ece,
            "intervals": self._bootstrap.intervals({**values, "ece": ece}) if self._count > 1 else {},
            "calibration": {name.removesuffix("_calibration_error"): value for name, value in errors.items()},
            **self._uncertainties.result(),
            "aurc": self._ranks.result()._asdict() if self._ranks is not None else None,
        }


class Pixels(Accumulator):
    """One class of several for each pixel, all pixels of all images together.

    Args:
      ignored_label: A label whose pixels are left out.
    """

    def __init__(self, ignored_label: int | None = None) -> None:
        self._ignored = ignored_label
        self._classes: metrics.RunningConfusion | None = None
        self._nll = metrics.RunningMean(metrics.negative_log_likelihood)
        self._brier = metrics.RunningMean(metrics.brier_score)
        self._calibration = metrics.RunningCalibration()
        self._uncertainties = _Means()
        self._count = 0

    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its labels, integers `[N, H, W]`."""
        num_classes = predictive.mean.shape[-1]
        if np.shape(labels) != predictive.mean.shape[:-1]:
            expected, received = list(predictive.mean.shape[:-1]), list(np.shape(labels))
            raise ValueError(f"Labels of pixels must have the shape {expected}. Received {received}.")
        self._count += len(labels)
        y = np.asarray(labels).ravel()
        counted = y != self._ignored if self._ignored is not None else np.ones(y.shape, bool)
        if not counted.any():
            return
        probs, y = predictive.mean.reshape(-1, num_classes)[counted], y[counted]
        if self._classes is None:
            self._classes = metrics.RunningConfusion(num_classes=num_classes)
        self._classes.update(probs.argmax(axis=1), y)
        for accumulator in (self._nll, self._brier, self._calibration):
            accumulator.update(probs, y)
        self._uncertainties.update({name: getattr(predictive, name).ravel()[counted] for name in UNCERTAINTIES})

    def result(self) -> dict[str, Any]:
        """IoU of each class and their mean, accuracy, NLL, Brier score and calibration errors by pixels."""
        if self._classes is None:
            raise ValueError("There is nothing to evaluate: no pixel has a label that counts.")
        confusion = self._classes.result()
        iou = metrics.intersection_over_union(confusion)
        return {
            "num_examples": self._count,
            "num_pixels": int(confusion.sum()),
            "iou": [None if np.isnan(value) else float(value) for value in iou],
            "mean_iou": metrics.mean_intersection_over_union(confusion),
            "accuracy": float(np.trace(confusion) / confusion.sum()),
            "nll": self._nll.result(),
            "brier": self._brier.result(),
            **self._calibration.result()._asdict(),
            **self._uncertainties.result(),
        }


class RealTargets(Accumulator):
    """Real numbers, T for each example."""

    def __init__(self) -> None:
        self._means, self._count = _Means(), 0

    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its targets, `[N, T]`, or `[N]` for one."""
        y = np.reshape(np.asarray(labels, np.float64), predictive.mean.shape)
        interval = interval_of(predictive, _COVERAGE)
        self._count += len(y)
        self._means.update(
            {
                "mae": np.abs(predictive.mean - y),
                "mse": np.square(predictive.mean - y),
                "interval_coverage": None if interval is None else (interval[0] <= y) & (y <= interval[1]),
                "interval_width": None if interval is None else interval[1] - interval[0],
                "epistemic_std": predictive.std,
                "aleatoric_std": predictive.aleatoric_std if has_moments(predictive) else None,
                "gaussian_crps": gaussian_crps(predictive, y),
            }
        )

    def result(self) -> dict[str, Any]:
        """Errors, the coverage and width of central 90 % intervals, CRPS of a normal of the same moments, and means.

        What the likelihood, or the way of predicting, does not have is None.
        """
        if not self._count:
            raise ValueError("There is nothing to evaluate: the data are empty.")
        found = self._means.result()
        return {"num_examples": self._count, "rmse": math.sqrt(found.pop("mse") or 0.0), **found}


def edges_of(uncertainty: Any) -> Any:
    """What separates the bins of an uncertainty: quantiles of a first chunk."""
    return np.quantile(np.asarray(uncertainty, np.float64), np.linspace(0, 1, NUM_BINS + 1)[1:-1])


class _Means:
    """Means of arrays by their names; None of what a chunk did not have, lest the mean be of the other chunks alone."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}
        self._missing: set[str] = set()

    def update(self, values: dict[str, Any]) -> None:
        for name, array in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._missing |= {name} if array is None else set()
            added = [] if array is None else array
            self._sums[name] = (total + float(np.sum(added, dtype=np.float64)), count + np.size(added))

    def result(self) -> dict[str, float | None]:
        return {name: None if name in self._missing else total / n for name, (total, n) in self._sums.items()}

"""The same figures for data that do not fit in memory: batch by batch, in a memory that does not grow.

Each accumulator has `update` for a batch, `merge` for another accumulator of the same kind, such as that of another
process, and `result`. How the data are cut into batches makes no difference beyond rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.bins import BinSums, added, debiased_squared_gap, largest_gap, mean_gap
from bayesconv.metrics.brier import BrierDecomposition, decomposition_of_sums
from bayesconv.metrics.calibration import NullBand, ReliabilityCurve, confidence_sums, curve_of_sums
from bayesconv.metrics.calibration_errors import classwise_sums, gaps_in_cells, smooth_width
from bayesconv.metrics.checks import Floats, Integers
from bayesconv.metrics.nulls import nulls_of_sums
from bayesconv.metrics.segmentation import confusion_matrix


class CalibrationErrors(NamedTuple):
    """What `RunningCalibration` accumulates, each equal to the function of that name."""

    expected_calibration_error: float
    maximum_calibration_error: float
    debiased_squared_calibration_error: float
    classwise_calibration_error: float


class RunningMean:
    """Any metric that is a mean over examples: accuracy, NLL, Brier score, CRPS, coverage and width of intervals.

    A metric that is not, such as a calibration error or an AUROC, has an accumulator of its own.

    Args:
      metric: Takes the arrays of a batch, of which the last has the examples on its first axis; returns their mean.

    Example:
      >>> from bayesconv.metrics import accuracy
      >>> running = RunningMean(accuracy)
      >>> running.update([[0.9, 0.1]], [0])
      >>> running.update([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], [0, 0, 1])
      >>> running.result()
      0.75
    """

    def __init__(self, metric: Callable[..., float]) -> None:
        self._metric = metric
        self._total, self._count = 0.0, 0

    def update(self, *arrays: npt.ArrayLike) -> None:
        """Adds a batch, given as the metric takes it."""
        num = len(np.asarray(arrays[-1]))
        self._total += num * self._metric(*arrays)
        self._count += num

    def merge(self, other: RunningMean) -> None:
        """Adds all that `other` has seen."""
        self._total, self._count = self._total + other._total, self._count + other._count

    def result(self) -> float:
        """The mean over all examples so far.

        Raises:
          ValueError: If there are none.
        """
        _check_any(self._count)
        return self._total / self._count


class RunningCalibration:
    """The calibration errors of equal-width bins, and the reliability curve.

    Args:
      num_bins: Number of bins on [0, 1], as in `expected_calibration_error`.

    Example:
      >>> running = RunningCalibration()
      >>> running.update([[0.9, 0.1]], [0])
      >>> running.update([[0.3, 0.7]], [0])
      >>> round(running.result().expected_calibration_error, 4)
      0.4
    """

    def __init__(self, num_bins: int = 15) -> None:
        self._num_bins = num_bins
        self._top: BinSums | None = None
        self._classwise: BinSums | None = None
        self._cells: Floats = np.zeros(0)

    def update(self, probs: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Adds a batch, `[N, K]` and `[N]`; K stays the same."""
        top = confidence_sums(probs, labels, self._num_bins)
        self._add(top, classwise_sums(probs, labels, self._num_bins), gaps_in_cells(probs, labels))

    def merge(self, other: RunningCalibration) -> None:
        """Adds all that `other` has seen, which has as many bins."""
        if other._num_bins != self._num_bins:
            raise ValueError(f"`other` must have {self._num_bins} bins. Received one of {other._num_bins}.")
        if other._top is not None and other._classwise is not None:
            self._add(other._top, other._classwise, other._cells)

    def result(self) -> CalibrationErrors:
        """The errors over all examples so far.

        Raises:
          ValueError: If there are none.
        """
        top, classwise = self._sums()
        return CalibrationErrors(mean_gap(top), largest_gap(top), debiased_squared_gap(top), mean_gap(classwise))

    def curve(self) -> ReliabilityCurve:
        """The `reliability_curve` of all examples so far.

        Raises:
          ValueError: If there are none.
        """
        return curve_of_sums(self._sums()[0])

    def smooth(self) -> float:
        """The `smooth_calibration_error` of all examples so far.

        Raises:
          ValueError: If there are none.

        Example:
          >>> running = RunningCalibration()
          >>> running.update([[0.8, 0.2]] * 10, [0] * 5 + [1] * 5)
          >>> round(running.smooth(), 3)
          0.3
        """
        return smooth_width(self._cells / self._sums()[0].size.sum())

    def brier_decomposition(self) -> BrierDecomposition:
        """The `brier_decomposition` of all examples so far.

        Raises:
          ValueError: If there are none.

        Example:
          >>> running = RunningCalibration()
          >>> running.update([[0.8, 0.2]] * 4, [0, 0, 1, 1])
          >>> round(running.brier_decomposition().reliability, 2)
          0.18
        """
        classwise = self._sums()[1]
        return decomposition_of_sums(classwise, len(classwise.size) // self._num_bins)

    def nulls(self, *, num_draws: int = 1000, seed: int = 0) -> dict[str, NullBand]:
        """The null bands of the expected, the maximum and the debiased squared calibration error, from the bins.

        Every example of a bin is taken to be right with the bin's mean confidence. How many are right then spreads a
        little more than with their own confidences, and so does the expected error: with 15 bins by 3.5 % at most.

        Args:
          num_draws: Simulated label sets.
          seed: The same seed gives the same bands.

        Raises:
          ValueError: If there are no examples, or `num_draws` is below 1.

        Example:
          >>> running = RunningCalibration()
          >>> running.update([[0.5, 0.5]] * 100, [0] * 100)
          >>> 0.03 < running.nulls()["expected_calibration_error"].mean < 0.05
          True
        """
        return nulls_of_sums(self._sums()[0], num_draws=num_draws, seed=seed)

    def _add(self, top: BinSums, classwise: BinSums, cells: Floats) -> None:
        if self._top is None or self._classwise is None:
            self._top, self._classwise, self._cells = top, classwise, cells
            return
        if len(classwise.size) != len(self._classwise.size):
            known, found = (len(sums.size) // self._num_bins for sums in (self._classwise, classwise))
            raise ValueError(f"`probs` must have {known} classes, as the batches before. Received {found}.")
        self._top, self._classwise = added(self._top, top), added(self._classwise, classwise)
        self._cells = self._cells + cells

    def _sums(self) -> tuple[BinSums, BinSums]:
        if self._top is None or self._classwise is None:
            raise ValueError("`result` needs examples. Received none; call update(probs, labels) first.")
        return self._top, self._classwise


class RunningConfusion:
    """The confusion matrix, of which `intersection_over_union` makes IoU.

    Args:
      num_classes: K.
      ignored_label: A label whose pixels are left out.

    Example:
      >>> running = RunningConfusion(num_classes=2)
      >>> running.update([[0, 1]], [[0, 0]])
      >>> running.update([[1, 1]], [[1, 1]])
      >>> running.result()
      array([[1, 1],
             [0, 2]])
    """

    def __init__(self, *, num_classes: int, ignored_label: int | None = None) -> None:
        self._num_classes, self._ignored = num_classes, ignored_label
        self._counts = np.zeros([num_classes, num_classes], np.int64)

    def update(self, predictions: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Adds a batch of class indices, of any but one shape."""
        self._counts = self._counts + confusion_matrix(
            predictions, labels, num_classes=self._num_classes, ignored_label=self._ignored
        )

    def merge(self, other: RunningConfusion) -> None:
        """Adds all that `other` has seen, which has as many classes."""
        if other._num_classes != self._num_classes:
            raise ValueError(f"`other` must have {self._num_classes} classes. Received {other._num_classes}.")
        self._counts = self._counts + other._counts

    def result(self) -> Integers:
        """How often label i was predicted as class j so far, `[K, K]`."""
        return self._counts


def _check_any(count: int) -> None:
    if not count:
        raise ValueError("`result` needs examples. Received none; call update(...) first.")

"""Scores of class probabilities as functions of how often each example counts, for many resamples at once.

Each is the function of the same name of `bayesconv.metrics` on the examples repeated as often as they count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bayesconv.metrics.bins import equal_width_bins
from bayesconv.metrics.calibration_errors import smooth_width
from bayesconv.metrics.checks import Floats, Integers, check_labelled
from bayesconv.metrics.resampling import Figures
from bayesconv.metrics.scores import SMALLEST_PROBABILITY

_Error = Callable[[Floats], Floats]

_CELLS = 2**10  # of the smooth error on a resample; 2^13 cells move it by less than its interval's ends are known to
# Errors that a resample has more of than the data, and the least each can be.
RAISED_BY_RESAMPLING = {
    "expected_calibration_error": 0.0,
    "maximum_calibration_error": 0.0,
    "adaptive_calibration_error": 0.0,
    "classwise_calibration_error": 0.0,
    "debiased_squared_calibration_error": -1.0,
    "smooth_calibration_error": 0.0,
}
CALIBRATION_ERRORS = tuple(RAISED_BY_RESAMPLING)
CLASSWISE_LIMIT = 2_000_000  # probabilities; with more, the classwise error takes minutes


def means(values: Mapping[str, npt.ArrayLike]) -> Figures:
    """The means of `[N]` values by their names."""
    names, table = list(values), np.stack([np.asarray(v, np.float64) for v in values.values()], axis=1)

    def figures(counts: Floats) -> dict[str, Floats]:
        return dict(zip(names, (counts @ table / counts.sum(axis=1, keepdims=True)).T, strict=True))

    return figures


def class_scores(probs: npt.ArrayLike, labels: npt.ArrayLike, *, k: int = 5) -> Figures:
    """Accuracy, accuracy of the k most probable classes, NLL and Brier score."""
    return means(scores_by_example(probs, labels, k=k))


def scores_by_example(probs: npt.ArrayLike, labels: npt.ArrayLike, *, k: int = 5) -> dict[str, npt.NDArray]:
    """What those are means of, `[N]`."""
    p, y = check_labelled(probs, labels)
    of_label = p[np.arange(len(y)), y]
    ahead = (p > of_label[:, None]) | ((p == of_label[:, None]) & (np.arange(p.shape[1]) < y[:, None]))
    rank = ahead.sum(axis=1)
    return {
        "accuracy": rank < 1,
        "top_k_accuracy": rank < k,
        "negative_log_likelihood": -np.log(np.maximum(of_label, SMALLEST_PROBABILITY)),
        "brier_score": ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1),
    }


def calibration_scores(
    probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15, names: Sequence[str] = CALIBRATION_ERRORS
) -> Figures:
    """The calibration errors of these names; the classwise one is left out above two million probabilities."""
    p, y = check_labelled(probs, labels)
    confidence = p.max(axis=1)
    gaps = (p.argmax(axis=1) == y) - confidence
    makers: dict[str, Callable[[], _Error]] = {
        "adaptive_calibration_error": lambda: _adaptive(confidence, gaps, num_bins),
        "classwise_calibration_error": lambda: _classwise(p, y, num_bins),
        "smooth_calibration_error": lambda: _smooth(confidence, gaps),
    }
    is_left_out = p.size > CLASSWISE_LIMIT
    chosen = [name for name in names if not (is_left_out and name == "classwise_calibration_error")]
    binned, others = _binned(confidence, gaps, num_bins), {name: makers[name]() for name in chosen if name in makers}

    def figures(counts: Floats) -> dict[str, Floats]:
        found = {**binned(counts), **{name: error(counts) for name, error in others.items()}}
        return {name: found[name] for name in chosen}

    return figures


def _binned(confidence: Floats, gaps: Floats, num_bins: int) -> Figures:
    """The errors of equal-width bins, which have their sums in common."""
    bins = equal_width_bins(confidence, num_bins)
    by_bins = [into_bins(bins, values, num_bins) for values in (np.ones_like(gaps), gaps, gaps**2)]

    def figures(counts: Floats) -> dict[str, Floats]:
        size, gap, squares = ((into @ counts.T).T for into in by_bins)
        pairs = np.where(size > 1, (gap**2 - squares) / np.maximum(size - 1, 1), 0.0)
        return {
            "expected_calibration_error": np.abs(gap).sum(axis=1) / counts.sum(axis=1),
            "maximum_calibration_error": (np.abs(gap) / np.maximum(size, 1)).max(axis=1),
            "debiased_squared_calibration_error": pairs.sum(axis=1) / counts.sum(axis=1),
        }

    return figures


def together(*parts: Figures) -> Figures:
    """The figures of several, on the same resamples."""
    return lambda *counts: {name: value for part in parts for name, value in part(*counts).items()}


def _classwise(probs: Floats, labels: Integers, num_bins: int) -> _Error:
    num_examples, num_classes = probs.shape
    gaps = np.eye(num_classes)[labels] - probs
    cells = equal_width_bins(probs, num_bins) + num_bins * np.arange(num_classes)  # those of a class behind the last's
    examples = np.repeat(np.arange(num_examples), num_classes)
    shape = (num_bins * num_classes, num_examples)
    into_cells = sparse.csr_array((gaps.ravel(), (cells.ravel(), examples)), shape=shape)
    return lambda counts: np.abs(into_cells @ counts.T).sum(axis=0) / counts.sum(axis=1) / num_classes


def _adaptive(confidence: Floats, gaps: Floats, num_bins: int) -> _Error:
    order = np.argsort(confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=-1.0))  # equal confidences share a bin

    def error(counts: Floats) -> Floats:
        total = int(counts[0].sum())
        ordered = counts[:, order]
        size = np.add.reduceat(ordered, starts, axis=1)
        gap = np.add.reduceat(ordered * gaps[order], starts, axis=1)
        # A bin is closed by the ceil(N j / B)-th smallest: what lies above it has at least as many examples below.
        closing = -(-total * np.arange(1, num_bins) // num_bins)
        bins = np.searchsorted(closing, size.cumsum(axis=1) - size, side="right")
        cells = bins + num_bins * np.arange(len(counts))[:, None]
        sums = np.bincount(cells.ravel(), weights=gap.ravel(), minlength=num_bins * len(counts))
        return np.abs(sums.reshape(len(counts), num_bins)).sum(axis=1) / total

    return error


def _smooth(confidence: Floats, gaps: Floats) -> _Error:
    cells = np.minimum((confidence * _CELLS).astype(np.int64), _CELLS - 1)
    into_cells = into_bins(cells, gaps, _CELLS)

    def error(counts: Floats) -> Floats:
        in_cells = (into_cells @ counts.T).T / counts.sum(axis=1, keepdims=True)
        return np.array([smooth_width(row) for row in in_cells])

    return error


def into_bins(bins: Integers, values: Floats, num_bins: int) -> sparse.csr_array:
    """What sums `[N]` values, times a column of counts, into their bins; quicker than a dense product."""
    return sparse.csr_array((values, (bins, np.arange(len(bins)))), shape=(num_bins, len(bins)))

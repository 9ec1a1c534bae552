"""The parts of the Brier score as functions of how often each example counts, for many resamples at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bayesconv.metrics.bins import equal_width_bins
from bayesconv.metrics.checks import Floats, check_labelled
from bayesconv.metrics.resampling import Figures

PARTS_RAISED_BY_RESAMPLING = {"reliability": 0.0, "resolution": 0.0}  # and the least each can be


def brier_parts(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> Figures:
    """The parts of `brier_decomposition`, on the examples repeated as often as they count."""
    p, y = check_labelled(probs, labels)
    outcome = np.eye(p.shape[1])[y]
    squares = ((p - outcome) ** 2).sum(axis=1)
    tables = [_into_cells(p, values, num_bins) for values in (np.ones_like(p), p, outcome)]

    def figures(counts: Floats) -> dict[str, Floats]:
        total = counts.sum(axis=1)
        size, forecast, happened = ((into @ counts.T).T for into in tables)
        filled, base_rate = np.maximum(size, 1), counts @ outcome / total[:, None]
        expected = size * np.repeat(base_rate, num_bins, axis=1)
        found = {
            "reliability": ((forecast - happened) ** 2 / filled).sum(axis=1) / total,
            "resolution": ((happened - expected) ** 2 / filled).sum(axis=1) / total,
            "uncertainty": (base_rate * (1 - base_rate)).sum(axis=1),
        }
        whole = found["reliability"] - found["resolution"] + found["uncertainty"]
        return {**found, "within_bins": counts @ squares / total - whole}

    return figures


def _into_cells(probs: Floats, values: Floats, num_bins: int) -> sparse.csr_array:
    """What sums values `[N, K]` of examples into the bins of each class, those of a class behind the last's."""
    num_examples, num_classes = probs.shape
    cells = equal_width_bins(probs, num_bins) + num_bins * np.arange(num_classes)
    examples = np.repeat(np.arange(num_examples), num_classes)
    shape = (num_bins * num_classes, num_examples)
    return sparse.csr_array((values.ravel(), (cells.ravel(), examples)), shape=shape)

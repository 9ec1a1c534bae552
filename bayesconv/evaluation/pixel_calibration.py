"""Calibration errors of pixels beside the expected one, and their intervals over images."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from bayesconv import metrics
from bayesconv.evaluation.intervals import resampled
from bayesconv.metrics.bins import equal_mass_bins, equal_width_bins
from bayesconv.metrics.calibration_errors import smooth_width
from bayesconv.metrics.checks import Floats
from bayesconv.metrics.resampling import Figures

_NAMES = ("maximum", "adaptive", "classwise", "smooth")  # the debiased error would take pixels for independent
_BINS = 15
_CELLS = 2**10  # of the smooth error on a resample; its value has 2^13


def calibration_errors(probs: Any, labels: Any, images: Any, num_images: int, num_resamples: int) -> dict[str, Any]:
    """The maximum, adaptive, classwise and smooth error of pixels.

    Args:
      probs: Of the M pixels that count, `[M, K]`.
      labels: Their classes, `[M]`.
      images: The number of the image that each is of, `[M]`, below N.
      num_images: N.
      num_resamples: How often to draw the images again for the intervals, basic ones cut off at 0; 0 gives none.

    Returns:
      For each name its `value`, and under `intervals` the ends of it. The adaptive error of a resample has the bins of
      all pixels.
    """
    values = {name: float(getattr(metrics, f"{name}_calibration_error")(probs, labels)) for name in _NAMES}
    least, found = dict.fromkeys(_NAMES, 0.0), {}
    if num_resamples:
        figures = _figures(np.asarray(probs, np.float64), labels, images, num_images)
        found = resampled(figures, num_images, num_resamples, basic=least)
    return {n: {"value": v, "intervals": {"value": found[n]} if n in found else {}} for n, v in values.items()}


def _figures(probs: Floats, labels: Any, images: Any, num_images: int) -> Figures:
    """The errors from how often each image counts, `[B, N]`."""
    sums, num_classes = _sums_by_image(probs, labels, images, num_images), probs.shape[1]

    def figures(counts: Floats) -> dict[str, Floats]:
        size, gaps, *others = ((into @ counts.T).T for into in sums)
        pixels = size.sum(axis=1, keepdims=True)  # none where all pixels of a resample are ignored
        adaptive, classwise, smooth = (of / np.where(pixels > 0, pixels, np.nan) for of in others)
        return {
            "maximum": np.where(pixels > 0, np.abs(gaps) / np.maximum(size, 1), np.nan).max(axis=1),
            "adaptive": np.abs(adaptive).sum(axis=1),
            "classwise": np.abs(classwise).sum(axis=1) / num_classes,
            "smooth": np.array([smooth_width(row) if np.isfinite(row).all() else np.nan for row in smooth]),
        }

    return figures


def _sums_by_image(probs: Floats, labels: Any, images: Any, num_images: int) -> list[sparse.csr_array]:
    """`[bins, N]`: sizes and gaps of bins of equal width, gaps of bins of equal mass, of each class, of fine cells."""
    confidence = probs.max(axis=1)
    gaps = (probs.argmax(axis=1) == labels) - confidence
    width, mass = equal_width_bins(confidence, _BINS), equal_mass_bins(confidence, _BINS)
    cells = np.minimum((confidence * _CELLS).astype(np.int64), _CELLS - 1)

    def summed(values: Floats, bins: Any, num_bins: int = _BINS) -> sparse.csr_array:
        return sparse.csr_array((values, (bins, images)), shape=(num_bins, num_images))

    classes = [summed((labels == k) - p, equal_width_bins(p, _BINS)) for k, p in enumerate(probs.T)]
    ones, by_class = np.ones_like(gaps), sparse.vstack(classes, format="csr")
    return [summed(ones, width), summed(gaps, width), summed(gaps, mass), by_class, summed(gaps, cells, _CELLS)]

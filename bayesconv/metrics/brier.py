"""The Brier score and the parts it is made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.bins import BinSums, equal_width_bins
from bayesconv.metrics.checks import Floats, check_labelled


class BrierDecomposition(NamedTuple):
    """brier_score = reliability - resolution + uncertainty + within_bins, exactly."""

    reliability: float  # how far probabilities are from frequencies; 0 is calibrated
    resolution: float  # how far the frequencies of the bins are from the base rates; larger is better
    uncertainty: float  # the score of predicting the base rates
    within_bins: float  # what binning leaves over; 0 if all probabilities in a bin are equal


def brier_score(probs: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean over examples of sum_k (p_k - 1[label = k])^2: summed over classes, in [0, 2]; some papers divide by K.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> brier_score([[0.5, 0.5], [1.0, 0.0]], [1, 0])
      0.25

    References:
      Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 1950.
    """
    p, y = check_labelled(probs, labels)
    return float(np.mean(np.sum((p - np.eye(p.shape[1])[y]) ** 2, axis=1)))


def brier_decomposition(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> BrierDecomposition:
    """The Brier score in Murphy's three parts, and the fourth that binning adds; each class binned by its probability.

    With f the probabilities and y the outcomes of one class, f_b, y_b their means in bin b and y_0 the base rate:
    reliability = sum_b n_b / N (f_b - y_b)^2, resolution = sum_b n_b / N (y_b - y_0)^2, uncertainty = y_0 (1 - y_0) and
    within_bins = mean of (f - f_b)^2 - 2 (f - f_b) (y - y_b); all summed over classes.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of equal-width bins on [0, 1], each closed on the right.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> parts = brier_decomposition([[0.8, 0.2]] * 4, [0, 0, 1, 1])
      >>> [round(part, 2) for part in parts]
      [0.18, 0.0, 0.5, 0.0]

    References:
      Murphy, A New Vector Partition of the Probability Score, Journal of Applied Meteorology 1973; Stephenson et al.,
      Two Extra Components in the Brier Score Decomposition, Weather and Forecasting 2008.
    """
    p, y = check_labelled(probs, labels)
    bins, outcome = equal_width_bins(p, num_bins), np.eye(p.shape[1])[y]
    parts = [_one_class(p[:, k], outcome[:, k], bins[:, k]) for k in range(p.shape[1])]
    return BrierDecomposition(*(float(part) for part in np.sum(parts, axis=0)))


def decomposition_of_sums(sums: BinSums, num_classes: int) -> BrierDecomposition:
    """The same of what `classwise_sums` returned, or of several of them added up.

    A bin's sum of (f - f_b)^2 - 2 (f - f_b) (y - y_b) is that of (y - f)^2 - y, less n_b f_b^2 - 2 n_b f_b y_b.
    """
    size, f, y, squares = (np.reshape(part, (num_classes, -1)).astype(np.float64) for part in sums)
    num, base_rate, n = size[0].sum(), y.sum(axis=1, keepdims=True) / size[0].sum(), np.maximum(size, 1)
    within = squares - y - f**2 / n + 2 * f * y / n
    parts = ((f - y) ** 2 / n, size * (y / n - base_rate) ** 2, size * base_rate * (1 - base_rate), within)
    return BrierDecomposition(*(float(part.sum() / num) for part in parts))


def _one_class(forecast: Floats, outcome: Floats, bins: npt.NDArray[np.int64]) -> Floats:
    size = np.maximum(np.bincount(bins), 1)
    f, y = ((np.bincount(bins, weights=values) / size)[bins] for values in (forecast, outcome))
    base_rate = outcome.mean()
    within = np.mean((forecast - f) ** 2 - 2 * (forecast - f) * (outcome - y))
    return np.array([np.mean((f - y) ** 2), np.mean((y - base_rate) ** 2), base_rate * (1 - base_rate), within])

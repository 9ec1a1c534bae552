"""Whether a confidence of 90 % is right nine times in ten, bin by bin, and how sure of that one can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.bins import BinSums, bin_sums, equal_width_bins, equal_width_edges, mean_gap
from bayesconv.metrics.checks import Floats, Integers, check_labelled, check_probs

_CENTRAL = (0.025, 0.975)


class ReliabilityCurve(NamedTuple):
    """Accuracy against confidence in B equal-width bins; NaN where a bin is empty."""

    bin_edges: Floats  # [B + 1], from 0 to 1
    confidence: Floats  # [B], mean top probability
    accuracy: Floats  # [B], share of correct predictions
    count: Integers  # type: ignore[assignment]  # [B], examples; hides tuple.count, which nobody calls here
    lower: Floats  # [B], 2.5 % quantile of the accuracy if the confidences were right
    upper: Floats  # [B], 97.5 % quantile of the same


class NullBand(NamedTuple):
    """The calibration error that chance alone gives a perfectly calibrated model: its mean and central 95 %."""

    mean: float
    lower: float
    upper: float


def expected_calibration_error(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> float:
    """ECE = sum_b n_b / N |accuracy_b - confidence_b| over equal-width bins of the top probability, in [0, 1].

    It is never 0 on finite data, however good the model: read it next to `ece_null`.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of bins on [0, 1], each closed on the right; empty bins contribute nothing.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(expected_calibration_error([[0.9, 0.1], [0.3, 0.7]], [0, 0]), 4)
      0.4

    References:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017. arXiv:1706.04599
    """
    return mean_gap(confidence_sums(probs, labels, num_bins))


def reliability_curve(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> ReliabilityCurve:
    """Accuracy and mean confidence per bin, with the band where a calibrated model's accuracy would fall.

    The band is the central 95 % of Binomial(n_b, mean confidence_b) / n_b, one bin at a time.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of equal-width bins on [0, 1], each closed on the right.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> reliability_curve([[0.9, 0.1], [0.3, 0.7]], [0, 0], num_bins=2).accuracy
      array([nan, 0.5])
    """
    return curve_of_sums(confidence_sums(probs, labels, num_bins))


def ece_null(probs: npt.ArrayLike, *, num_bins: int = 15, num_draws: int = 1000, seed: int = 0) -> NullBand:
    """The ECE that these very probabilities would show if they were right: the yardstick for a measured one.

    Labels are drawn from the probabilities. The top class is then correct with its own probability, so one coin per
    example and draw is all it takes. The mean is about sum_b n_b / N sqrt(2 c_b (1 - c_b) / (pi n_b)).

    Args:
      probs: `[N, K]`, rows sum to one.
      num_bins: Number of equal-width bins, as in `expected_calibration_error`.
      num_draws: Simulated label sets.
      seed: The same seed gives the same band.

    Raises:
      ValueError: If the shape is another one, a row is no distribution, or `num_draws` is below 1.

    Example:
      >>> band = ece_null([[0.5, 0.5]] * 100)
      >>> 0.03 < band.mean < 0.05
      True
    """
    if num_draws < 1:
        raise ValueError(f"`num_draws` must be at least 1; 1000 gives two digits. Received {num_draws}.")
    p = check_probs(probs)
    confidence, rng = p.max(axis=1), np.random.default_rng(seed)
    bins = equal_width_bins(confidence, num_bins)
    expected = np.bincount(bins, weights=confidence)

    def error(correct: npt.NDArray[np.bool_]) -> float:
        return float(np.abs(np.bincount(bins, weights=correct) - expected).sum() / len(p))

    # One draw at a time: all at once would need [num_draws, N] numbers.
    return band_of([error(rng.random(len(p)) < confidence) for _ in range(num_draws)])


def confidence_sums(probs: npt.ArrayLike, labels: npt.ArrayLike, num_bins: int) -> BinSums:
    """What the top probabilities, and whether they were right, sum to in bins of equal width."""
    p, y = check_labelled(probs, labels)
    confidence = p.max(axis=1)
    return bin_sums(p.argmax(axis=1) == y, confidence, equal_width_bins(confidence, num_bins), num_bins)


def curve_of_sums(sums: BinSums) -> ReliabilityCurve:
    """The curve of what `confidence_sums` returned, or of several of them added up."""
    from scipy.stats import binom  # half a second to import, and only this function needs it

    size = np.where(sums.size > 0, sums.size, np.nan)
    confidence, correct = sums.probability / size, sums.outcome / size
    lower, upper = (binom.ppf(level, size, np.minimum(confidence, 1)) / size for level in _CENTRAL)
    return ReliabilityCurve(equal_width_edges(len(size)), confidence, correct, sums.size, lower, upper)


def band_of(errors: Sequence[float]) -> NullBand:
    """Mean and central 95 % of simulated errors."""
    return NullBand(float(np.mean(errors)), *(float(q) for q in np.quantile(errors, _CENTRAL)))

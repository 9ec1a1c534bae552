"""What every calibration error would show if the probabilities were right, on the same simulated labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.bins import (
    BinSums,
    debiased_squared_gap,
    equal_mass_bins,
    equal_width_bins,
    largest_gap,
    mean_gap,
)
from bayesconv.metrics.calibration import NullBand, band_of
from bayesconv.metrics.calibration_errors import smooth_width
from bayesconv.metrics.checks import Floats, check_at_least, check_probs
from bayesconv.metrics.weighted_scores import into_bins

_NUMBERS_AT_ONCE = 400_000
_CELLS = 2**10  # of the smooth error
_CLASSWISE_DRAWS = 200  # of the classwise error, which is K times as much work


def calibration_nulls(
    probs: npt.ArrayLike, *, num_bins: int = 15, num_draws: int = 1000, seed: int = 0
) -> dict[str, NullBand]:
    """The null band of the maximum, adaptive, classwise, debiased squared and smooth calibration error.

    Each is what `calibration_null` gives for that metric, a hundred times faster: whether the top class is right is one
    coin an example, and bins do not change. The classwise error is of 200 label sets at most.

    Args:
      probs: `[N, K]`, rows sum to one.
      num_bins: Number of bins of all but the smooth error.
      num_draws: Simulated label sets.
      seed: The same seed gives the same bands.

    Raises:
      ValueError: If the shape is another one, a row is no distribution, or `num_draws` is below 1.

    Example:
      >>> bands = calibration_nulls([[0.5, 0.5]] * 100)
      >>> 0.03 < bands["adaptive_calibration_error"].mean < 0.05
      True
    """
    check_at_least("num_draws", num_draws, 1)
    p, rng = check_probs(probs), np.random.default_rng(seed)
    confidence = p.max(axis=1)
    size = max(1, _NUMBERS_AT_ONCE // len(p))
    drawn = [
        _top_errors(confidence, num_bins, rng.random((min(size, num_draws - start), len(p))) < confidence)
        for start in range(0, num_draws, size)
    ]
    bands = {name: band_of(np.concatenate([block[name] for block in drawn]).tolist()) for name in drawn[0]}
    classwise = [_classwise_error(p, num_bins, rng) for _ in range(min(num_draws, _CLASSWISE_DRAWS))]
    return {**bands, "classwise_calibration_error": band_of(classwise)}


def nulls_of_sums(sums: BinSums, *, num_draws: int = 1000, seed: int = 0) -> dict[str, NullBand]:
    """The null bands of the errors of equal-width bins, if every example of a bin has the bin's mean confidence.

    Args:
      sums: What `confidence_sums` returned, or several of them added up.
      num_draws: Simulated label sets.
      seed: The same seed gives the same bands.

    Raises:
      ValueError: If `num_draws` is below 1.
    """
    check_at_least("num_draws", num_draws, 1)
    rate = np.minimum(sums.probability / np.maximum(sums.size, 1), 1.0)
    drawn = np.random.default_rng(seed).binomial(sums.size, rate, (num_draws, len(rate))).astype(np.float64)
    squares = drawn * (1 - rate) ** 2 + (sums.size - drawn) * rate**2
    sets = [BinSums(sums.size, sums.probability, right, off) for right, off in zip(drawn, squares, strict=True)]
    gaps = {"expected": mean_gap, "maximum": largest_gap, "debiased_squared": debiased_squared_gap}
    return {f"{name}_calibration_error": band_of([gap(one) for one in sets]) for name, gap in gaps.items()}


def counted_quantile_null(
    num_targets: int,
    *,
    num_levels: int = 99,
    levels: Sequence[float] | None = None,
    num_draws: int = 1000,
    seed: int = 0,
) -> NullBand:
    """The `quantile_calibration_null` of any number of targets, of which no more than their counts are drawn.

    Args:
      num_targets: Number of targets.
      num_levels: As in `quantile_calibration_error`.
      levels: Of the quantiles, rising between 0 and 1, in place of `num_levels` equidistant ones.
      num_draws: Simulated data sets.
      seed: The same seed gives the same band.

    Raises:
      ValueError: If a number is below 1.

    Example:
      >>> 0.02 < counted_quantile_null(100).mean < 0.04
      True
    """
    for name, value in (("num_targets", num_targets), ("num_levels", num_levels), ("num_draws", num_draws)):
        check_at_least(name, value, 1)
    expected = np.arange(1, num_levels + 1) / (num_levels + 1) if levels is None else np.asarray(levels, np.float64)
    cells = np.diff([0.0, *expected, 1.0])  # probabilities to lie between levels
    counts = np.random.default_rng(seed).multinomial(num_targets, cells, num_draws)
    shares = counts.cumsum(axis=1)[:, :-1] / num_targets
    return band_of(np.abs(shares - expected).mean(axis=1).tolist())


def _top_errors(confidence: Floats, num_bins: int, correct: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    gaps, num_examples, ones = (correct - confidence).T, len(confidence), np.ones_like(confidence)
    width, mass = equal_width_bins(confidence, num_bins), equal_mass_bins(confidence, num_bins)
    cells = np.minimum((confidence * _CELLS).astype(np.int64), _CELLS - 1)
    by_width, by_mass, into_cells = (
        into_bins(bins, ones, number) for bins, number in ((width, num_bins), (mass, num_bins), (cells, _CELLS))
    )
    size, gap = np.bincount(width, minlength=num_bins)[:, None], by_width @ gaps
    pairs = np.where(size > 1, (gap**2 - by_width @ gaps**2) / np.maximum(size - 1, 1), 0.0)
    return {
        "maximum_calibration_error": (np.abs(gap) / np.maximum(size, 1)).max(axis=0),
        "adaptive_calibration_error": np.abs(by_mass @ gaps).sum(axis=0) / num_examples,
        "debiased_squared_calibration_error": pairs.sum(axis=0) / num_examples,
        "smooth_calibration_error": np.array([smooth_width(row) for row in (into_cells @ gaps).T / num_examples]),
    }


def _classwise_error(probs: Floats, num_bins: int, rng: np.random.Generator) -> float:
    num_examples, num_classes = probs.shape
    labels = (probs.cumsum(axis=1)[:, :-1] <= rng.random((num_examples, 1))).sum(axis=1)
    cells = equal_width_bins(probs, num_bins) + num_bins * np.arange(num_classes)
    expected = np.bincount(cells.ravel(), weights=probs.ravel(), minlength=num_bins * num_classes)
    found = np.bincount(cells[np.arange(num_examples), labels], minlength=num_bins * num_classes)
    return float(np.abs(found - expected).sum() / num_examples / num_classes)

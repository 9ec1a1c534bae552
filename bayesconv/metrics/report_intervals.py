"""Bootstrap intervals of all the figures of a report, hundreds of times faster than metric by metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from bayesconv.metrics.bootstrap import Interval
from bayesconv.metrics.checks import check_scores
from bayesconv.metrics.resampling import resampled_intervals
from bayesconv.metrics.weighted_ranks import ood_figures, selection_scores
from bayesconv.metrics.weighted_scores import (
    CALIBRATION_ERRORS,
    RAISED_BY_RESAMPLING,
    calibration_scores,
    class_scores,
    together,
)


def classification_intervals(
    probs: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    k: int = 5,
    num_bins: int = 15,
    errors: Sequence[str] = CALIBRATION_ERRORS,
    num_resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of accuracy, top-k accuracy, NLL, Brier score and the calibration errors, by their names.

    Those of calibration errors are basic bootstrap intervals, cut off at 0, and mean little where the error is no
    larger than its null band; the others are percentile intervals. The classwise error is left out above two million
    probabilities.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      k: Of the top-k accuracy.
      num_bins: Of the calibration errors.
      errors: Names of the calibration errors wanted; all six take some ten times as long as the expected one.
      num_resamples: How often to draw the examples again.
      level: Confidence level.
      seed: The same seed gives the same intervals.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label or number is out of range.

    Example:
      >>> found = classification_intervals([[0.9, 0.1]] * 4, [0, 0, 0, 1])
      >>> found["accuracy"]
      Interval(value=0.75, lower=0.25, upper=1.0)
    """
    calibration = calibration_scores(probs, labels, num_bins=num_bins, names=errors)
    figures = together(class_scores(probs, labels, k=k), calibration)
    options: dict[str, Any] = {"num_resamples": num_resamples, "level": level, "seed": seed}
    return resampled_intervals(figures, len(check_scores("labels", labels)), basic=RAISED_BY_RESAMPLING, **options)


def selection_intervals(
    uncertainty: npt.ArrayLike,
    losses: npt.ArrayLike,
    *,
    coverages: Sequence[float] = (0.8,),
    risks: Sequence[float] = (0.05,),
    num_resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of AURC, E-AURC, AUGRC, `risk_at_coverage_<c>` and `coverage_at_risk_<r>`.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong.
      coverages: At which the risk is taken.
      risks: At which the coverage is taken.
      num_resamples: How often to draw the examples again.
      level: Confidence level.
      seed: The same seed gives the same intervals.

    Raises:
      ValueError: If the shapes do not match, a loss is neither 0 nor 1, or a number is out of range.

    Example:
      >>> found = selection_intervals([0.1, 0.2, 0.3, 0.9], [0, 0, 0, 1], coverages=(0.5,))
      >>> found["risk_at_coverage_0.5"].value, found["coverage_at_risk_0.05"].value
      (0.0, 0.75)
    """
    figures = selection_scores(uncertainty, losses, coverages=coverages, risks=risks)
    length = len(check_scores("losses", losses))
    return resampled_intervals(figures, length, num_resamples=num_resamples, level=level, seed=seed)


def ood_intervals(
    in_scores: npt.ArrayLike,
    out_scores: npt.ArrayLike,
    *,
    num_resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of the figures of `ood_report`, both sets drawn apart.

    Args:
      in_scores: `[N]`, any scale; higher means more out of distribution.
      out_scores: `[M]`, likewise.
      num_resamples: How often to draw both sets again.
      level: Confidence level.
      seed: The same seed gives the same intervals.

    Raises:
      ValueError: If either is empty, not a vector or not finite, or a number is out of range.

    Example:
      >>> ood_intervals([0.1, 0.2], [0.3, 0.4])["auroc"]
      Interval(value=1.0, lower=1.0, upper=1.0)
    """
    lengths = (len(check_scores("in_scores", in_scores)), len(check_scores("out_scores", out_scores)))
    figures = ood_figures(in_scores, out_scores)
    return resampled_intervals(figures, *lengths, num_resamples=num_resamples, level=level, seed=seed)

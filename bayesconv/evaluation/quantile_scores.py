"""Whether predicted intervals and quantiles of real targets hold what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.intervals import resampled
from bayesconv.evaluation.real_targets import has_density, has_moments, interval_of, known_levels
from bayesconv.metrics.checks import Floats
from bayesconv.metrics.nulls import counted_quantile_null
from bayesconv.metrics.resampling import Figures
from bayesconv.metrics.weighted_scores import means
from bayesconv.prediction import Predictive

LEVELS = (0.5, 0.9)  # of the intervals
_PIT_LEVELS = np.arange(1, 100) / 100  # at which `quantile_calibration_error` looks


def credible(predictive: Predictive, y: Any, num_resamples: int) -> dict[str, dict[str, Any]]:
    """Coverage, mean width and interval score of the central intervals of each level that there are any of.

    Args:
      predictive: For N examples.
      y: Targets `[N, T]`.
      num_resamples: Resamples behind the `intervals` of the scores; 0 gives none.
    """
    found = {}
    for level in LEVELS:
        by_example = credible_by_example(predictive, y, level)
        if by_example is not None:
            scores = {name: float(np.mean(values)) for name, values in by_example.items()}
            found[f"{level:g}"] = {**scores, "intervals": resampled(means(by_example), len(y), num_resamples)}
    return found


def credible_by_example(predictive: Predictive, y: Any, level: float) -> dict[str, Any] | None:
    """What coverage, mean width and interval score are means of, `[N]`, or None without intervals."""
    interval = interval_of(predictive, level)
    if interval is None:
        return None
    lower, upper = interval
    missed_by = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return {
        "picp": (missed_by == 0).mean(axis=1),
        "mpiw": (upper - lower).mean(axis=1),
        "interval_score": (upper - lower + 2 / (1.0 - level) * missed_by).mean(axis=1),
    }


def calibration(predictive: Predictive, y: Any, num_resamples: int) -> dict[str, Any] | None:
    """The quantile calibration error and the band of a calibrated model, or None without quantiles.

    Args:
      predictive: For N examples.
      y: Targets `[N, T]`.
      num_resamples: Resamples behind the interval, a basic one, cut off at 0; 0 gives none.
    """
    below = below_quantiles(predictive, y)
    if below is None:
        return None
    levels = calibration_levels(predictive)
    found: dict[str, Any] = {"null": metrics.quantile_calibration_null(y.size)._asdict()}
    if given := known_levels(predictive):
        null = counted_quantile_null(y.size, levels=given)
        found = {"null": null._asdict(), "below": below.mean(axis=(0, 1)).tolist()}
    error = _gap(below.mean(axis=1), levels)
    value = float(error(np.ones([1, len(y)]))["value"][0])
    return {"value": value, **found, "intervals": resampled(error, len(y), num_resamples, basic={"value": 0.0})}


def calibration_levels(predictive: Predictive) -> Any:
    """The levels `[L]` at which quantiles are looked at: those of a likelihood of quantiles, or every hundredth."""
    return np.array(known_levels(predictive) or list(_PIT_LEVELS))


def below_quantiles(predictive: Predictive, y: Any) -> Any:
    """Whether each target is below its quantile of each level, `[N, T, L]`, or None without quantiles."""
    if levels := known_levels(predictive):
        return np.stack([y < predictive.quantile(level) for level in levels], axis=-1)
    if has_density(predictive) or has_moments(predictive):
        return _pit(predictive, y)[..., np.newaxis] <= _PIT_LEVELS
    return None


def _gap(below: Any, levels: Any) -> Figures:
    """Mean distance from the levels `[L]` of the shares of targets below their quantiles, `[N, L]` by example."""

    def figures(counts: Floats) -> dict[str, Floats]:
        shares = counts @ below / counts.sum(axis=1, keepdims=True)
        return {"value": np.abs(shares - levels).mean(axis=1)}

    return figures


def _pit(predictive: Predictive, y: Any) -> Any:
    if has_density(predictive):
        return np.clip(predictive.cdf(y), 0.0, 1.0)
    return metrics.gaussian_pit(predictive.mean, predictive.total_std, y)

"""Whether predicted intervals and quantiles of real targets hold what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.intervals import resampled
from bayesconv.evaluation.real_targets import has_density, has_moments, interval_of, known_levels
from bayesconv.metrics.checks import Floats
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
        interval = interval_of(predictive, level)
        if interval is not None:
            by_example = _by_example(*interval, y, 1.0 - level)
            scores = {name: float(np.mean(values)) for name, values in by_example.items()}
            found[f"{level:g}"] = {**scores, "intervals": resampled(means(by_example), len(y), num_resamples)}
    return found


def calibration(predictive: Predictive, y: Any, num_resamples: int) -> dict[str, Any] | None:
    """The quantile calibration error and the band of a calibrated model, or None without quantiles.

    Args:
      predictive: For N examples.
      y: Targets `[N, T]`.
      num_resamples: Resamples behind the interval, a basic one, cut off at 0; 0 gives none.
    """
    levels: Any = known_levels(predictive)
    if levels:
        below = np.stack([y < predictive.quantile(level) for level in levels], axis=-1)
        found: dict[str, Any] = {"null": None, "below": below.mean(axis=(0, 1)).tolist()}
    elif has_density(predictive) or has_moments(predictive):
        pit = _pit(predictive, y)
        levels, below = _PIT_LEVELS, pit[..., np.newaxis] <= _PIT_LEVELS
        found = {"null": metrics.quantile_calibration_null(pit.size)._asdict()}
    else:
        return None
    error = _gap(below.mean(axis=1), levels)
    value = float(error(np.ones([1, len(y)]))["value"][0])
    return {"value": value, **found, "intervals": resampled(error, len(y), num_resamples, basic={"value": 0.0})}


def _by_example(lower: Any, upper: Any, y: Any, miscoverage: float) -> dict[str, Any]:
    """What `interval_coverage`, `mean_interval_width` and `interval_score` are means of, `[N]`."""
    missed_by = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return {
        "picp": (missed_by == 0).mean(axis=1),
        "mpiw": (upper - lower).mean(axis=1),
        "interval_score": (upper - lower + 2 / miscoverage * missed_by).mean(axis=1),
    }


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

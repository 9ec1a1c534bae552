"""What exists of a prediction of real targets: intervals, and the moments of a normal, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.prediction import Predictive


def interval_of(predictive: Predictive, level: float) -> tuple[Any, Any] | None:
    """Both ends of the central interval; None without draws, or if the likelihood is one of other quantiles."""
    try:
        return predictive.interval(level)
    except (AttributeError, ValueError):
        return None


def has_moments(predictive: Predictive) -> bool:
    """Whether mean and total standard deviation are finite; those of quantiles and of a Student-t of df 2 are not."""
    return predictive.noise_variance is not None and bool(np.isfinite(predictive.total_std).all())


def gaussian_crps(predictive: Predictive, y: Any) -> Any:
    """CRPS of a normal of the predicted moments, `[N]` means over targets, or None where there is no such normal."""
    if not has_moments(predictive):
        return None
    return np.array([metrics.gaussian_crps(*row) for row in zip(predictive.mean, predictive.total_std, y, strict=True)])


def has_density(predictive: Predictive) -> bool:
    """Whether the mixture over the draws is known, and has a density."""
    return predictive.noise_variance is not None and predictive.samples is not None


def known_levels(predictive: Predictive) -> list[float]:
    """Those of a likelihood of quantiles whose draws were kept; none of another."""
    return list(predictive.likelihood_options.get("levels", ())) if predictive.samples is not None else []

"""The bootstrap intervals of a report: examples are drawn again, all figures on the same resamples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayesconv.metrics import Interval
from bayesconv.metrics.resampling import Figures, resampled_intervals

LEVEL, SEED = 0.95, 0  # of all intervals


def or_none(value: float) -> float | None:
    """The number, or None where JSON has none for it."""
    return float(value) if math.isfinite(value) else None


def ends(interval: Interval) -> dict[str, float | None]:
    """Both ends of an interval, ready for JSON."""
    return {"lower": or_none(interval.lower), "upper": or_none(interval.upper)}


def resampled(
    figures: Figures, num_examples: int, num_resamples: int, *, basic: Mapping[str, float] | None = None
) -> dict[str, dict[str, float | None]]:
    """Ends by the names of the figures; none without resamples, or of a single example, which is always itself.

    Args:
      figures: As `metrics.resampling.resampled_intervals` takes them.
      num_examples: Of the data.
      num_resamples: How often to draw them again.
      basic: Figures that resampling raises, and the least that each can be.
    """
    if not num_resamples or num_examples < 2:
        return {}
    options: dict[str, Any] = {"num_resamples": num_resamples, "level": LEVEL, "seed": SEED, "basic": basic}
    return {name: ends(interval) for name, interval in resampled_intervals(figures, num_examples, **options).items()}

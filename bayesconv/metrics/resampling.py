"""Bootstrap intervals of many figures at once: a resample is how often each example is drawn, a row of counts.

A figure that follows from sums over examples, or from ranks that are sorted once, takes a block of such rows together.
That is exactly what it would give on the drawn examples, and some hundred times faster than drawing them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from bayesconv.metrics.bootstrap import Interval
from bayesconv.metrics.checks import Floats, check_at_least, check_fraction

Figures = Callable[..., Mapping[str, Floats]]
"""From counts `[B, N]` of the examples, or of each of two sets, to figures `[B]` by their names."""

_NUMBERS_AT_ONCE = 400_000  # counts of a block: 3 MB, which stay in a processor's cache


def resampled_intervals(
    figures: Figures,
    *lengths: int,
    num_resamples: int = 500,
    level: float = 0.95,
    basic: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """The value of each figure, and the interval that drawing the examples again gives it.

    Args:
      figures: Takes counts `[B, N]` for each length, returns figures `[B]` by their names; NaN where undefined.
      *lengths: Number of examples, of one set or of several that are drawn apart.
      num_resamples: How often to draw.
      level: Confidence level.
      basic: Figures that resampling raises, as it does calibration errors, and the least that each can be: their
        interval is the percentile one mirrored at the value, as `bootstrap(method="basic")` has it, from there on.
      seed: The same seed gives the same intervals.

    Returns:
      Intervals by name; the ends of a figure are NaN if it is undefined on every resample.

    Raises:
      ValueError: If a number is out of range.

    Example:
      >>> hits = np.array([1.0, 1.0, 0.0, 1.0])
      >>> resampled_intervals(lambda counts: {"accuracy": counts @ hits / 4}, 4)["accuracy"]
      Interval(value=0.75, lower=0.25, upper=1.0)
    """
    check_at_least("num_resamples", num_resamples, 1)
    check_fraction("level", level)
    values = {name: float(value[0]) for name, value in figures(*(np.ones([1, n]) for n in lengths)).items()}
    blocks = [figures(*counts) for counts in _blocks(lengths, num_resamples, np.random.default_rng(seed))]
    drawn = {name: np.concatenate([block[name] for block in blocks]) for name in values}
    mirrored = basic or {}
    return {name: _interval(value, drawn[name], level, mirrored.get(name)) for name, value in values.items()}


def draw_counts(rng: np.random.Generator, num_resamples: int, num_examples: int) -> Floats:
    """How often each of N examples is drawn in each of B resamples of size N, `[B, N]`."""
    drawn = rng.integers(num_examples, size=(num_resamples, num_examples))
    cells = drawn + num_examples * np.arange(num_resamples)[:, None]
    counts = np.bincount(cells.ravel(), minlength=num_resamples * num_examples)
    return counts.reshape(num_resamples, num_examples).astype(np.float64)


def _blocks(lengths: Sequence[int], num_resamples: int, rng: np.random.Generator) -> Iterator[list[Floats]]:
    size = max(1, _NUMBERS_AT_ONCE // sum(lengths))
    for start in range(0, num_resamples, size):
        yield [draw_counts(rng, min(size, num_resamples - start), length) for length in lengths]


def _interval(value: float, drawn: Floats, level: float, least: float | None) -> Interval:
    finite = drawn[np.isfinite(drawn)]
    if not len(finite) or not np.isfinite(value):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    if least is not None:
        low, high = max(2 * value - high, least), max(2 * value - low, least)
    return Interval(value, float(low), float(high))

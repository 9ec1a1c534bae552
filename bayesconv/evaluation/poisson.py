"""Sums of a stream and their bootstrap: a resample has a Poisson number of copies of an example, and only sums stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesconv.evaluation.intervals import LEVEL, SEED, or_none
from bayesconv.metrics.checks import Floats


class PoissonSums:
    """Sums of values over examples: in the first row as they are, in every other one with the copies of a resample.

    Figures are made of all rows at once; `ends_of` makes intervals of them.

    Args:
      num_resamples: Rows behind the first; memory grows with it, and not with the data.
      seed: The same seed and chunks give the same sums.

    References:
      Chamandy et al., Estimating Uncertainty for Massive Data Streams, Google technical report 2012.
    """

    def __init__(self, *, num_resamples: int = 200, seed: int = SEED) -> None:
        self._rng = np.random.default_rng(seed)
        self._copies = np.zeros(num_resamples + 1)
        self._sums: dict[str, Any] = {}
        self._missing: set[str] = set()

    def update(self, values: Mapping[str, Any]) -> None:
        """Adds a chunk: values `[N, ..]` of its N examples, by name; None for what it does not have."""
        known = {name: np.asarray(array, np.float64) for name, array in values.items() if array is not None}
        self._missing |= values.keys() - known.keys()
        num = len(next(iter(known.values())))
        counts = np.ones([len(self._copies), num])
        counts[1:] = self._rng.poisson(1.0, [len(counts) - 1, num])
        self._copies += counts.sum(axis=1)
        for name in known.keys() - self._missing:
            self._sums[name] = self._sums.get(name, 0.0) + np.tensordot(counts, known[name], axes=1)

    @property
    def num_examples(self) -> int:
        """How many there were so far."""
        return int(self._copies[0])

    def sums(self, name: str) -> Floats:
        """`[1 + resamples, ..]`; NaN in the resamples of a single example, which tell nothing.

        Raises:
          KeyError: If there are none by that name.
        """
        rows = self._sums[name]
        return rows if self.num_examples > 1 else np.concatenate([rows[:1], np.full_like(rows[1:], np.nan)])

    def means(self) -> dict[str, Any]:
        """Sums by copies, `[1 + resamples, ..]`, by name; NaN without copies, None if a chunk had no values."""
        copies = np.where(self._copies > 0, self._copies, np.nan)
        found: dict[str, Any] = dict.fromkeys(sorted(self._missing))
        kept = {name: self.sums(name) for name in self._sums if name not in self._missing}
        return found | {name: (rows.T / copies).T for name, rows in kept.items()}


def ends_of(rows: Floats, *, level: float = LEVEL, least: float | None = None) -> dict[str, float | None]:
    """Both ends of the interval of a figure, ready for JSON.

    Args:
      rows: `[1 + resamples]`: the figure, and what it is in each resample, NaN where undefined.
      level: Confidence level.
      least: Of a figure that resampling raises the least it can be: its interval is mirrored at the figure.

    Example:
      >>> ends_of(np.array([0.5, 0.25, 0.75]), level=0.5)
      {'lower': 0.375, 'upper': 0.625}
    """
    drawn = rows[1:][np.isfinite(rows[1:])]
    if not len(drawn):
        return {"lower": None, "upper": None}
    drawn = drawn if least is None else np.maximum(2 * rows[0] - drawn, least)
    ends = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return dict(zip(("lower", "upper"), map(or_none, ends), strict=True))

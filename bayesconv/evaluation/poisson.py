"""Bootstrap intervals of a stream: every resample has a Poisson number of copies of an example, and only sums stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesconv.metrics.bins import equal_width_bins
from bayesconv.metrics.weighted_scores import into_bins

_SMALLEST = float(np.finfo(np.float32).tiny)


class PoissonBootstrap:
    """Intervals of accuracy, NLL, Brier score and ECE.

    Args:
      num_resamples: Resamples; memory grows with it, and not with the data.
      num_bins: Of the ECE.
      level: Confidence level.
      seed: The same seed and chunks give the same intervals.

    References:
      Chamandy et al., Estimating Uncertainty for Massive Data Streams, Google technical report 2012.
    """

    def __init__(self, *, num_resamples: int = 200, num_bins: int = 15, level: float = 0.95, seed: int = 0) -> None:
        self._rng, self._num_bins, self._level = np.random.default_rng(seed), num_bins, level
        self._sums = np.zeros([num_resamples, 4])  # of accuracy, NLL, Brier score, and of copies
        self._gaps = np.zeros([num_resamples, num_bins])

    def update(self, probs: Any, labels: Any) -> None:
        """Adds a chunk, `[N, K]` and `[N]`."""
        p, y = np.asarray(probs, np.float64), np.asarray(labels)
        confidence, hits = p.max(axis=1), p.argmax(axis=1) == y
        nll = -np.log(np.maximum(p[np.arange(len(y)), y], _SMALLEST))
        brier = ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)
        counts = self._rng.poisson(1.0, [len(self._sums), len(y)]).astype(np.float64)
        self._sums += np.stack([counts @ hits, counts @ nll, counts @ brier, counts.sum(axis=1)], axis=1)
        into = into_bins(equal_width_bins(confidence, self._num_bins), hits - confidence, self._num_bins)
        self._gaps += (into @ counts.T).T

    def intervals(self, values: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """Ends by name, of `accuracy`, `nll`, `brier` and, mirrored at its value and cut off at 0, of `ece`."""
        made = self._sums[:, 3] > 0  # of few examples a resample may have no copy, and no figures
        sums, gaps = self._sums[made], self._gaps[made]
        drawn = dict(zip(("accuracy", "nll", "brier"), (sums[:, :3] / sums[:, 3:]).T, strict=True))
        drawn["ece"] = np.maximum(2 * values["ece"] - np.abs(gaps).sum(axis=1) / sums[:, 3], 0.0)
        ends = ((1 - self._level) / 2, (1 + self._level) / 2)
        return {
            name: dict(zip(("lower", "upper"), map(float, np.quantile(array, ends)), strict=True))
            for name, array in drawn.items()
        }

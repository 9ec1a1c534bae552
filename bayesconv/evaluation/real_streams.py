"""Figures of a stream of examples whose targets are real numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesconv.evaluation.accumulators import Accumulator, values_of
from bayesconv.evaluation.poisson import PoissonSums, ends_of
from bayesconv.evaluation.quantile_scores import LEVELS, below_quantiles, calibration_levels, credible_by_example
from bayesconv.evaluation.real_scores import DRAWN, scores_by_example
from bayesconv.evaluation.real_targets import gaussian_crps, has_density, known_levels
from bayesconv.metrics.checks import Floats
from bayesconv.metrics.nulls import counted_quantile_null
from bayesconv.prediction import Predictive

_CREDIBLE = ("picp", "mpiw", "interval_score")
_OF_MIXTURES = ("nll", "crps", "below")  # of a normal where the draws were not kept, which is another figure
_NUMBERS_AT_ONCE = DRAWN * 4096  # targets that are drawn together: 32 MB


class RealTargets(Accumulator):
    """Real numbers, T for each example."""

    def __init__(self) -> None:
        self._sums = PoissonSums()
        self._scores: tuple[str, ...] = ()
        self._levels: Any = None
        self._kind: tuple[bool, bool] | None = None
        self._num_targets = 0

    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its targets, `[N, T]`, or `[N]` for one."""
        y = np.reshape(np.asarray(labels, np.float64), predictive.mean.shape)
        for start, stop in _portions(len(y), y[:1].size):
            self._add(_part(predictive, start, stop), y[start:stop])

    def result(self) -> dict[str, Any]:
        """Errors, NLL, CRPS, central intervals, calibration of quantiles, and mean standard deviations and entropies.

        What the likelihood, or the way of predicting, does not have is None.
        """
        if not self._sums.num_examples:
            raise ValueError("There is nothing to evaluate: the data are empty.")
        rows = self._sums.means()
        rows["rmse"] = np.sqrt(rows["rmse"])
        first = (
            "rmse",
            "mae",
            "interval_coverage",
            "interval_width",
            "epistemic_std",
            "aleatoric_std",
            "gaussian_crps",
        )
        rows |= {"interval_coverage": rows["0.9 picp"], "interval_width": rows["0.9 mpiw"]}
        names = (*first, *(name for name in self._scores if name not in first))
        return {
            "num_examples": self._sums.num_examples,
            **values_of(rows, names),
            "intervals": {name: ends_of(rows[name]) if rows[name] is not None else None for name in names},
            "credible": self._credible(rows),
            "calibration": self._calibration(rows["below"]),
        }

    def _add(self, predictive: Predictive, y: Any) -> None:
        scores = scores_by_example(predictive, y, seed=self._sums.num_examples)
        below = below_quantiles(predictive, y)
        values = {**scores, "gaussian_crps": gaussian_crps(predictive, y)}
        self._scores, self._num_targets = tuple(values), self._num_targets + y.size
        values["below"] = None if below is None else below.mean(axis=1)
        kind = has_density(predictive), bool(known_levels(predictive))
        if kind != (self._kind or kind):
            values |= dict.fromkeys(_OF_MIXTURES)
        self._kind, self._levels = self._kind or kind, calibration_levels(predictive)
        for level in LEVELS:
            found = credible_by_example(predictive, y, level) or dict.fromkeys(_CREDIBLE)
            values |= {f"{level:g} {name}": array for name, array in found.items()}
        self._sums.update(values)

    def _credible(self, rows: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for level in LEVELS:
            of_level = {name: rows[f"{level:g} {name}"] for name in _CREDIBLE}
            if of_level["picp"] is not None:
                ends = {name: ends_of(row) for name, row in of_level.items()}
                found[f"{level:g}"] = {**values_of(of_level, _CREDIBLE), "intervals": ends}
        return found

    def _calibration(self, shares: Floats | None) -> dict[str, Any] | None:
        """As `quantile_scores.calibration`; the band is simulated from as many counts as there are levels."""
        if shares is None:
            return None
        error = np.abs(shares - self._levels).mean(axis=1)
        null = counted_quantile_null(self._num_targets, levels=self._levels)._asdict()
        below = {"below": shares[0].tolist()} if (self._kind or (False, False))[1] else {}
        return {"value": float(error[0]), "null": null, **below, "intervals": {"value": ends_of(error, least=0.0)}}


def _portions(num_examples: int, num_targets: int) -> Iterator[tuple[int, int]]:
    """Where parts of a chunk begin and end, so that the targets that are drawn for one of them fit in memory."""
    step = max(1, _NUMBERS_AT_ONCE // (DRAWN * num_targets))
    for start in range(0, num_examples, step):
        yield start, min(start + step, num_examples)


def _part(predictive: Predictive, start: int, stop: int) -> Predictive:
    """The prediction of some of the examples."""
    if (start, stop) == (0, len(predictive.mean)):
        return predictive
    names = ("mean", "std", "predictive_entropy", "expected_entropy", "mutual_information", "noise_variance")
    arrays: dict[str, Any] = {name: getattr(predictive, name) for name in names}
    parts: dict[str, Any] = {name: None if a is None else a[start:stop] for name, a in arrays.items()}
    samples = None if predictive.samples is None else predictive.samples[:, start:stop]
    return dataclasses.replace(predictive, samples=samples, **parts)

"""Figures of ranks, batch by batch: scores are counted in fixed bins, and the result says how far off that may be.

Scores that share a bin cannot be told apart any more. The figure takes them for equal, and comes with the smallest and
the largest one that any order within the bins would give: the exact figure is certainly between them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.binned_ranks import (
    Enclosure,
    area_under_passed,
    area_under_risk,
    least_area_under_risk,
    orders,
    passing,
    precision,
    risk_of_surest,
    safe_coverage,
)
from bayesconv.metrics.checks import Floats, Integers, check_fraction, check_scores
from bayesconv.metrics.ood import Side, check_side
from bayesconv.metrics.selective import check_ranked

__all__ = ["Enclosure", "RunningAuroc", "RunningRiskCoverage"]


class RunningAuroc:
    """The `ood_auroc` of two streams of scores, and with `aupr` and `fpr` the rest of their `ood_report`.

    Args:
      edges: `[B - 1]`, rising: what separates the B bins of scores. Best are quantiles of a first batch,
        `np.quantile(scores, np.linspace(0, 1, 2000)[1:-1])`; any others are right as well, and less sharp.

    Example:
      >>> running = RunningAuroc(np.linspace(0, 1, 101))
      >>> running.update(in_scores=[0.1, 0.2], out_scores=[0.3])
      >>> running.update(out_scores=[0.15, 0.9])
      >>> round(running.result().value, 4)
      0.8333
    """

    def __init__(self, edges: npt.ArrayLike) -> None:
        self._edges = _check_edges(edges)
        self._inside, self._outside = (np.zeros(len(self._edges) + 1, np.int64) for _ in range(2))

    def update(self, *, in_scores: npt.ArrayLike | None = None, out_scores: npt.ArrayLike | None = None) -> None:
        """Adds scores of either set, `[N]` and `[M]`; higher means more out of distribution."""
        if in_scores is not None:
            self._inside = self._inside + self._counted("in_scores", in_scores)
        if out_scores is not None:
            self._outside = self._outside + self._counted("out_scores", out_scores)

    def merge(self, other: RunningAuroc) -> None:
        """Adds all that `other` has seen, which has the same edges."""
        _check_same(self._edges, other._edges)
        self._inside, self._outside = self._inside + other._inside, self._outside + other._outside

    def result(self) -> Enclosure:
        """The AUROC with pairs in one bin counted half; the ends count them lost and won.

        Raises:
          ValueError: If either set is empty.
        """
        self._check_both("result")
        inside, outside = self._inside / self._inside.sum(), self._outside / self._outside.sum()
        won = float(outside @ (inside.cumsum() - inside))
        tied = float(outside @ inside)
        return Enclosure(won + tied / 2, won, won + tied)

    def aupr(self, *, positive: Side = "out") -> Enclosure:
        """The `ood_aupr`, with the scores of a bin taken for equal.

        Args:
          positive: "out" for finding strange inputs by high scores, "in" for finding familiar ones by low scores.

        Raises:
          ValueError: If either set is empty, or `positive` is another word.

        Example:
          >>> running = RunningAuroc(np.linspace(0, 1, 101))
          >>> running.update(in_scores=[0.1, 0.2], out_scores=[0.3, 0.15])
          >>> round(running.aupr().value, 4)
          0.8333
        """
        self._check_both("aupr")
        if check_side(positive) == "in":
            return precision(self._inside, self._outside)
        return precision(self._outside[::-1], self._inside[::-1])

    def fpr(self, *, tpr: float = 0.95, positive: Side = "in") -> Enclosure:
        """The `ood_fpr`, with the scores of a bin taken for equal: the upper end.

        Args:
          tpr: Share of the positive set that must be found.
          positive: "in" for strange inputs that pass, "out" for familiar ones that are flagged.

        Raises:
          ValueError: If either set is empty, `tpr` is no share, or `positive` is another word.

        Example:
          >>> running = RunningAuroc(np.linspace(0, 1, 101))
          >>> running.update(in_scores=[0.1, 0.2], out_scores=[0.3, 0.15])
          >>> running.fpr().value
          0.5
        """
        self._check_both("fpr")
        check_fraction("tpr", tpr)
        if check_side(positive) == "in":
            return passing(self._inside, self._outside, tpr)
        return passing(self._outside[::-1], self._inside[::-1], tpr)

    def _check_both(self, method: str) -> None:
        if not self._inside.sum() or not self._outside.sum():
            raise ValueError(f"`{method}` needs scores of both sets; call update(in_scores=..., out_scores=...) first.")

    def _counted(self, name: str, scores: npt.ArrayLike) -> Integers:
        bins = np.searchsorted(self._edges, check_scores(name, scores))
        return np.bincount(bins, minlength=len(self._edges) + 1)


class RunningRiskCoverage:
    """The `area_under_risk_coverage` of a stream of examples, for losses of 0 and 1, and what else follows from ranks.

    Args:
      edges: `[B - 1]`, rising: what separates the B bins of uncertainty, as in `RunningAuroc`.

    Example:
      >>> running = RunningRiskCoverage(np.linspace(0, 1, 101))
      >>> running.update([0.1, 0.9], [0, 1])
      >>> running.update([0.2, 0.3], [0, 0])
      >>> round(running.result().value, 4)
      0.0625
    """

    def __init__(self, edges: npt.ArrayLike) -> None:
        self._edges = _check_edges(edges)
        self._sizes = np.zeros(len(self._edges) + 1, np.int64)
        self._failures = np.zeros(len(self._edges) + 1)

    def update(self, uncertainty: npt.ArrayLike, losses: npt.ArrayLike) -> None:
        """Adds a batch, `[N]` each; higher uncertainty means less sure, a loss is 0 or 1."""
        u, loss = check_ranked(uncertainty, losses)
        if not np.isin(loss, (0, 1)).all():
            raise ValueError(f"`losses` must be 0 or 1. Received values from {loss.min()} to {loss.max()}.")
        bins = np.searchsorted(self._edges, u)
        self._sizes = self._sizes + np.bincount(bins, minlength=len(self._sizes))
        self._failures = self._failures + np.bincount(bins, weights=loss, minlength=len(self._sizes))

    def merge(self, other: RunningRiskCoverage) -> None:
        """Adds all that `other` has seen, which has the same edges."""
        _check_same(self._edges, other._edges)
        self._sizes, self._failures = self._sizes + other._sizes, self._failures + other._failures

    def result(self) -> Enclosure:
        """The AURC with the examples of a bin taken for equal; the ends put its failures last and first.

        Raises:
          ValueError: If there are no examples.
        """
        found = orders(*self._counted("result"))
        return Enclosure(*map(area_under_risk, found))

    def excess_area(self) -> Enclosure:
        """The `excess_area_under_risk_coverage`: the AURC less that of the best order, which is known exactly.

        Raises:
          ValueError: If there are no examples.

        Example:
          >>> running = RunningRiskCoverage(np.linspace(0, 1, 101))
          >>> running.update([0.1, 0.9, 0.2, 0.3], [0, 1, 0, 0])
          >>> round(running.excess_area().value, 4)
          0.0
        """
        least = least_area_under_risk(*self._counted("excess_area"))
        return Enclosure(*(area - least for area in self.result()))

    def generalized_area(self) -> Enclosure:
        """The `area_under_generalized_risk_coverage`.

        Raises:
          ValueError: If there are no examples.

        Example:
          >>> running = RunningRiskCoverage(np.linspace(0, 1, 101))
          >>> running.update([0.1, 0.9, 0.2, 0.3], [0, 1, 0, 0])
          >>> running.generalized_area().value
          0.03125
        """
        return Enclosure(*map(area_under_passed, orders(*self._counted("generalized_area"))))

    def risk_at_coverage(self, coverage: float = 0.8) -> Enclosure:
        """The `risk_at_coverage`.

        Args:
          coverage: Share of the examples to keep, in (0, 1].

        Raises:
          ValueError: If there are no examples, or `coverage` is out of range.

        Example:
          >>> running = RunningRiskCoverage(np.linspace(0, 1, 101))
          >>> running.update([0.1, 0.9, 0.2, 0.3], [0, 1, 0, 1])
          >>> round(running.risk_at_coverage(0.75).value, 4)
          0.3333
        """
        found = orders(*self._counted("risk_at_coverage"))
        return Enclosure(*(risk_of_surest(runs, coverage) for runs in found))

    def coverage_at_risk(self, risk: float = 0.05) -> Enclosure:
        """The `coverage_at_risk`; the value takes the examples of a bin for equal and is the lower end.

        Args:
          risk: The mean loss to tolerate.

        Raises:
          ValueError: If there are no examples.

        Example:
          >>> running = RunningRiskCoverage(np.linspace(0, 1, 101))
          >>> running.update([0.1, 0.9, 0.2, 0.3], [0, 1, 0, 1])
          >>> running.coverage_at_risk(0.4).value
          0.75
        """
        return safe_coverage(*self._counted("coverage_at_risk"), risk)

    def _counted(self, method: str) -> tuple[Integers, Floats]:
        if not self._sizes.sum():
            raise ValueError(f"`{method}` needs examples. Received none; call update(uncertainty, losses) first.")
        return self._sizes, self._failures


def _check_edges(edges: npt.ArrayLike) -> Floats:
    rising = check_scores("edges", edges)
    if (np.diff(rising) < 0).any():
        raise ValueError("`edges` must rise; sort them.")
    return rising


def _check_same(mine: Floats, other: Floats) -> None:
    if not np.array_equal(mine, other):
        raise ValueError("`other` must have the same edges; make both accumulators with one array.")

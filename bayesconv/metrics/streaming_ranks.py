"""Figures of ranks, batch by batch: scores are counted in fixed bins, and the result says how far off that may be.

Scores that share a bin cannot be told apart any more. The figure takes them for equal, and comes with the smallest and
the largest one that any order within the bins would give: the exact figure is certainly between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import digamma

from bayesconv.metrics.checks import Floats, Integers, check_scores
from bayesconv.metrics.selective import check_ranked


class Enclosure(NamedTuple):
    """A figure from binned scores, and the ends between which the figure of the scores themselves certainly lies."""

    value: float
    lower: float
    upper: float


class RunningAuroc:
    """The `ood_auroc` of two streams of scores.

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
        if not self._inside.sum() or not self._outside.sum():
            raise ValueError("`result` needs scores of both sets; call update(in_scores=..., out_scores=...) first.")
        inside, outside = self._inside / self._inside.sum(), self._outside / self._outside.sum()
        won = float(outside @ (inside.cumsum() - inside))
        tied = float(outside @ inside)
        return Enclosure(won + tied / 2, won, won + tied)

    def _counted(self, name: str, scores: npt.ArrayLike) -> Integers:
        bins = np.searchsorted(self._edges, check_scores(name, scores))
        return np.bincount(bins, minlength=len(self._edges) + 1)


class RunningRiskCoverage:
    """The `area_under_risk_coverage` of a stream of examples, for losses of 0 and 1.

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
        if not self._sizes.sum():
            raise ValueError("`result` needs examples. Received none; call update(uncertainty, losses) first.")
        sizes, failures = self._sizes, self._failures
        rate, successes = failures / np.maximum(sizes, 1), sizes - failures
        zeros, ones = np.zeros_like(rate), np.ones_like(rate)
        last = _area(_woven(successes, failures), _woven(zeros, ones))
        first = _area(_woven(failures, successes), _woven(ones, zeros))
        return Enclosure(_area(sizes, rate), last, first)


def _area(sizes: npt.NDArray, rates: Floats) -> float:
    """The mean over k of the loss of the first k examples / k, for runs of `sizes` examples whose loss is `rates`.

    Within a run that starts behind n examples of total loss L the terms are (L + (k - n) r) / k = r + (L - n r) / k,
    and the sum of 1 / k from n + 1 to n + m is digamma(n + m + 1) - digamma(n + 1): nothing is as long as the data.
    """
    ends, losses = sizes.cumsum(), (sizes * rates).cumsum()
    starts, before = ends - sizes, losses - sizes * rates
    harmonic = digamma(ends + 1.0) - digamma(starts + 1.0)
    return float((sizes * rates + (before - starts * rates) * harmonic).sum() / ends[-1])


def _woven(a: npt.NDArray, b: npt.NDArray) -> npt.NDArray:
    return np.stack([a, b], axis=1).ravel()


def _check_edges(edges: npt.ArrayLike) -> Floats:
    rising = check_scores("edges", edges)
    if (np.diff(rising) < 0).any():
        raise ValueError("`edges` must rise; sort them.")
    return rising


def _check_same(mine: Floats, other: Floats) -> None:
    if not np.array_equal(mine, other):
        raise ValueError("`other` must have the same edges; make both accumulators with one array.")

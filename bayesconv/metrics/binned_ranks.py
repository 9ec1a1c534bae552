"""Figures of ranks from scores that are counted in bins, and the ends between which those of the scores lie.

Bins come in the order of the scores. Within a bin any order is possible, and ties are: an end is the figure of the best
or of the worst of them. It is worked out bin by bin, for what a later bin adds depends on the totals of earlier ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import digamma

from bayesconv.metrics.checks import Floats, Integers
from bayesconv.metrics.selective import num_to_keep

_ROUNDING = 1e-9  # of a number of examples


class Enclosure(NamedTuple):
    """A figure from binned scores, and the ends between which the figure of the scores themselves certainly lies."""

    value: float
    lower: float
    upper: float


class Runs(NamedTuple):
    """Examples in the order of their uncertainty: runs that cannot be told apart, and the share of failures in each."""

    sizes: Floats  # [B]
    rates: Floats  # [B]

    def before(self) -> tuple[Floats, Floats]:
        """How many examples, and how many failures, all earlier runs hold, `[B]`."""
        losses = self.sizes * self.rates
        return self.sizes.cumsum() - self.sizes, losses.cumsum() - losses


class Orders(NamedTuple):
    """The examples of each bin in three orders: taken for equal, failures last, and failures first."""

    equal: Runs
    best: Runs
    worst: Runs


def orders(sizes: Integers, failures: Floats) -> Orders:
    """What is known of the order of examples that are counted in bins, `[B]` each."""
    rates, successes = failures / np.maximum(sizes, 1), sizes - failures
    zeros, ones = np.zeros_like(rates), np.ones_like(rates)
    best = Runs(_woven(successes, failures), _woven(zeros, ones))
    worst = Runs(_woven(failures, successes), _woven(ones, zeros))
    return Orders(Runs(sizes.astype(np.float64), rates), best, worst)


def area_under_risk(runs: Runs) -> float:
    """The mean over k of the loss of the first k examples / k.

    Within a run that starts behind n examples of total loss L the terms are (L + (k - n) r) / k = r + (L - n r) / k,
    and the sum of 1 / k from n + 1 to n + m is digamma(n + m + 1) - digamma(n + 1): nothing is as long as the data.
    """
    starts, before = runs.before()
    ends = starts + runs.sizes
    harmonic = digamma(ends + 1.0) - digamma(starts + 1.0)
    return float((runs.sizes * runs.rates + (before - starts * runs.rates) * harmonic).sum() / ends[-1])


def least_area_under_risk(sizes: Integers, failures: Floats) -> float:
    """The same if all failures came last, which takes no more than their number."""
    total, failed = float(sizes.sum()), float(failures.sum())
    return area_under_risk(Runs(np.array([total - failed, failed]), np.array([0.0, 1.0])))


def area_under_passed(runs: Runs) -> float:
    """Mean of the share of failures that are passed, trapezoids over all coverages; linear within a run."""
    _, before = runs.before()
    return float((runs.sizes * (before + runs.sizes * runs.rates / 2)).sum() / runs.sizes.sum() ** 2)


def risk_of_surest(runs: Runs, coverage: float) -> float:
    """Mean loss of the surest ceil(coverage N) examples."""
    kept = num_to_keep(coverage, int(runs.sizes.sum()))
    starts, _ = runs.before()
    return float((np.clip(kept - starts, 0, runs.sizes) * runs.rates).sum() / kept)


def safe_coverage(sizes: Integers, failures: Floats, risk: float) -> Enclosure:
    """The largest coverage at a mean loss of at most `risk`.

    Where a bin ends there is a threshold for certain. Within it there may be one behind each example, and the best
    order has its s successes first: behind n examples of loss L, t of it have a loss of L + max(0, t - s).
    """
    kept, lost, total = sizes.cumsum(), failures.cumsum(), int(sizes.sum())
    is_safe = (lost / np.maximum(kept, 1) <= risk) & (kept > 0)
    least = float(np.max(kept, where=is_safe, initial=0)) / total
    start, before = kept - failures, lost - failures  # behind the successes of each bin
    spare = risk * start - before
    more = np.floor(spare / max(1 - risk, _ROUNDING) + _ROUNDING).clip(0, failures)
    reached = np.where((spare >= -_ROUNDING) & (start + more > 0), start + more, 0.0)
    return Enclosure(least, least, max(least, float(reached.max()) / total))


def precision(found: Integers, others: Integers) -> Enclosure:
    """The average precision at finding the first kind of examples, bins in the order in which they are found.

    Behind P of them among N, a bin of p and q adds the sum of (P + i) / (N + q + i) over i = 1 to p at least, one after
    the other behind all of the others, and p (P + p) / (N + p) at most, all at once before them.
    """
    p, q, total = found.astype(np.float64), others.astype(np.float64), float(found.sum())
    ahead = p.cumsum() - p
    size = ahead + q.cumsum() - q
    tied = p * (ahead + p) / np.maximum(size + p + q, 1)
    most = p * (ahead + p) / np.maximum(size + p, 1)
    behind = size + q
    least = p + (ahead - behind) * (digamma(behind + p + 1) - digamma(behind + 1))
    return Enclosure(*(float(terms.sum() / total) for terms in (tied, least, most)))


def passing(found: Integers, others: Integers, rate: float) -> Enclosure:
    """The share of the others at or below the lowest score that this share of the first kind has not above it."""
    needed = np.ceil(rate * found.sum() - _ROUNDING)
    last = int((found.cumsum() >= needed).argmax())
    below, passed = others[:last].sum() / others.sum(), others[: last + 1].sum() / others.sum()
    return Enclosure(float(passed), float(below), float(passed))


def _woven(a: Floats, b: Floats) -> Floats:
    return np.stack([a, b], axis=1).ravel().astype(np.float64)

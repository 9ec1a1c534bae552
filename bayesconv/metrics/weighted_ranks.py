"""Figures of ranks as functions of how often each example counts, for many resamples at once.

Each is the function of the same name of `bayesconv.metrics` on the examples repeated as often as they count. Scores are
sorted once; examples of equal score form a run, which a resample makes longer or shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.checks import Floats, check_fraction, check_scores
from bayesconv.metrics.resampling import Figures
from bayesconv.metrics.selective import check_ranked, num_to_keep


class _Runs(NamedTuple):
    """Examples of equal score in each of B resamples, lowest first."""

    sizes: Floats  # [B, G]
    losses: Floats  # [B, G], their sum

    def before(self) -> tuple[Floats, Floats]:
        """What all lower runs hold, examples and losses."""
        return self.sizes.cumsum(axis=1) - self.sizes, self.losses.cumsum(axis=1) - self.losses


def selection_scores(
    uncertainty: npt.ArrayLike,
    losses: npt.ArrayLike,
    *,
    coverages: Sequence[float] = (0.8,),
    risks: Sequence[float] = (0.05,),
) -> Figures:
    """AURC, E-AURC, AUGRC, `risk_at_coverage_<c>` and `coverage_at_risk_<r>`, for losses of 0 and 1."""
    u, loss = check_ranked(uncertainty, losses)
    if not np.isin(loss, (0, 1)).all():
        raise ValueError(f"`losses` must be 0 or 1. Received values from {loss.min()} to {loss.max()}.")
    order, starts = _sorted_runs(u)
    harmonic = np.concatenate([[0.0], (1 / np.arange(1, len(u) + 1)).cumsum()])  # H[n] = 1 + 1/2 + .. + 1/n

    def figures(counts: Floats) -> dict[str, Floats]:
        ordered = counts[:, order]
        runs = _Runs(np.add.reduceat(ordered, starts, axis=1), np.add.reduceat(ordered * loss[order], starts, axis=1))
        area = _area_under_risk(runs, harmonic)
        return {
            "area_under_risk_coverage": area,
            "excess_area_under_risk_coverage": area - _least_area(runs, harmonic),
            "area_under_generalized_risk_coverage": _area_under_passed(runs),
            **{f"risk_at_coverage_{c:g}": _risk_at(runs, num_to_keep(c, len(u))) for c in coverages},
            **{f"coverage_at_risk_{r:g}": _coverage_at(runs, r) for r in risks},
        }

    return figures


def sparsification_scores(uncertainty: npt.ArrayLike, errors: npt.ArrayLike) -> Figures:
    """`sparsification_error`, for any errors that are not negative."""
    u, error = check_ranked(uncertainty, errors)
    by_uncertainty, by_error = _sorted_runs(u), _sorted_runs(error)
    harmonic = np.concatenate([[0.0], (1 / np.arange(1, len(u) + 1)).cumsum()])

    def area(counts: Floats, order: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> Floats:
        ordered = counts[:, order]
        sums = (np.add.reduceat(values, starts, axis=1) for values in (ordered, ordered * error[order]))
        return _area_under_risk(_Runs(*sums), harmonic)

    def figures(counts: Floats) -> dict[str, Floats]:
        mean = counts @ error / counts.sum(axis=1)
        above_least = area(counts, *by_uncertainty) - area(counts, *by_error)
        return {"sparsification_error": above_least / np.where(mean > 0, mean, 1.0)}

    return figures


def ood_figures(in_scores: npt.ArrayLike, out_scores: npt.ArrayLike, *, tpr: float = 0.95) -> Figures:
    """AUROC, both AUPR and the FPR at `tpr`, as `OodReport` names them; counts of the two sets are apart."""
    familiar, strange = check_scores("in_scores", in_scores), check_scores("out_scores", out_scores)
    check_fraction("tpr", tpr)
    order, starts = _sorted_runs(np.concatenate([familiar, strange]))
    is_strange = order >= len(familiar)

    def figures(inside: Floats, outside: Floats) -> dict[str, Floats]:
        ordered = np.concatenate([inside, outside], axis=1)[:, order]
        strange_run = np.add.reduceat(ordered * is_strange, starts, axis=1)
        run = np.add.reduceat(ordered, starts, axis=1)
        low = run - strange_run
        below = low.cumsum(axis=1) - low
        pairs = inside.sum(axis=1) * outside.sum(axis=1)
        return {
            "auroc": (strange_run * (below + low / 2)).sum(axis=1) / pairs,
            "aupr_in": _average_precision(low, run),
            "aupr_out": _average_precision(strange_run[:, ::-1], run[:, ::-1]),
            "fpr95": _passing(low, strange_run, tpr),
        }

    return figures


def _sorted_runs(scores: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The order of the scores, and where in it each value begins."""
    order = np.argsort(scores, kind="stable")
    is_first = np.diff(scores[order], prepend=-np.inf) > 0
    is_first[0] = True
    return order, np.flatnonzero(is_first)


def _area_under_risk(runs: _Runs, harmonic: Floats) -> Floats:
    """Mean over k of the loss of the first k / k.

    A run of m examples and loss rate r behind n examples of loss L adds r m + (L - n r) (H[n + m] - H[n]).
    """
    n, lost = runs.before()
    rate = runs.losses / np.maximum(runs.sizes, 1)
    ends = (n + runs.sizes).astype(np.int64)
    gained = harmonic[ends] - harmonic[n.astype(np.int64)]
    return (runs.losses + (lost - n * rate) * gained).sum(axis=1) / ends[:, -1]


def _least_area(runs: _Runs, harmonic: Floats) -> Floats:
    """The same if all failures came last."""
    total, failures = (sums.sum(axis=1) for sums in runs)
    right = (total - failures).astype(np.int64)
    return (failures - right * (harmonic[total.astype(np.int64)] - harmonic[right])) / total


def _area_under_passed(runs: _Runs) -> Floats:
    """Mean of the share of failures that are passed, trapezoids over all coverages; linear within a run."""
    _, lost = runs.before()
    total = runs.sizes.sum(axis=1)
    return (runs.sizes * (lost + runs.losses / 2)).sum(axis=1) / total**2


def _risk_at(runs: _Runs, kept: int) -> Floats:
    n, _ = runs.before()
    within = np.clip(kept - n, 0, runs.sizes)  # of each run, how many are among the first
    return (runs.losses * within / np.maximum(runs.sizes, 1)).sum(axis=1) / kept


def _coverage_at(runs: _Runs, risk: float) -> Floats:
    n, lost = runs.before()
    kept, failures = n + runs.sizes, lost + runs.losses
    is_safe = (failures / np.maximum(kept, 1) <= risk) & (kept > 0)
    return np.max(np.where(is_safe, kept, 0.0), axis=1) / kept[:, -1]


def _average_precision(found: Floats, run: Floats) -> Floats:
    """Mean over what is to be found of the share of it among all that come as early; runs are earliest first."""
    precision = found.cumsum(axis=1) / np.maximum(run.cumsum(axis=1), 1)
    return (found * precision).sum(axis=1) / found.sum(axis=1)


def _passing(inside: Floats, outside: Floats, tpr: float) -> Floats:
    """Share of the strange at or below the lowest threshold that lets `tpr` of the familiar pass."""
    total = inside.sum(axis=1, keepdims=True)
    needed = np.ceil(tpr * total - 1e-9)
    threshold = (inside.cumsum(axis=1) >= needed).argmax(axis=1)
    passed = np.take_along_axis(outside.cumsum(axis=1), threshold[:, None], axis=1)
    return passed[:, 0] / outside.sum(axis=1)

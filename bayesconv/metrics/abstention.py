"""From which uncertainty on to abstain: a threshold chosen on validation data, and what it does on others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from bayesconv.metrics.checks import Floats, check_fraction, check_scores
from bayesconv.metrics.selective import check_ranked, num_to_keep, risk_coverage_curve

_CANDIDATES = 20  # coverages that a guaranteed threshold is chosen from: 5 %, 10 %, ..., 100 %


class Selection(NamedTuple):
    """A threshold and what it does: keep an example if its uncertainty is at most `threshold`."""

    threshold: float  # -inf if it keeps nothing
    coverage: float  # share of the examples kept
    risk: float  # their mean loss, NaN if there are none
    risk_bound: float  # the risk on new data stays below it, with the probability asked for; NaN if none was


def threshold_for_coverage(uncertainty: npt.ArrayLike, *, coverage: float) -> float:
    """The lowest threshold that keeps at least the share `coverage` of validation data.

    Args:
      uncertainty: `[N]` of validation data, higher means less sure.
      coverage: Share of the examples to keep, in (0, 1].

    Raises:
      ValueError: If a number is not finite or `coverage` is out of range.

    Example:
      >>> threshold_for_coverage([0.1, 0.2, 0.3, 0.9], coverage=0.5)
      0.2
    """
    u = np.sort(check_scores("uncertainty", uncertainty))
    return float(u[num_to_keep(coverage, len(u)) - 1])


def threshold_for_risk(
    uncertainty: npt.ArrayLike, losses: npt.ArrayLike, *, risk: float, confidence_level: float | None = None
) -> Selection:
    """The threshold of the largest coverage whose risk is at most `risk`, as measured or with a guarantee.

    As measured, new data exceed the target about as often as not, since the threshold was chosen to meet it just here.
    With `confidence_level=0.95` the risk on new data of the same distribution is at most `risk`, except with a
    probability of 5 % over the validation data. That is the paper's selection with guaranteed risk; its Clopper-Pearson
    bound is shared out among 20 coverages that are fixed beforehand, in place of the steps of a search, so that it
    holds for whichever is chosen. It assumes independent examples and uncertainties of which no two are equal.

    Args:
      uncertainty: `[N]` of validation data, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong; any loss without `confidence_level`.
      risk: The mean loss to tolerate, strictly between 0 and 1.
      confidence_level: Probability with which the guarantee is to hold, or None for no guarantee.

    Returns:
      The threshold, with coverage and risk of the validation data. If no threshold will do it is -inf, which abstains
      from everything.

    Raises:
      ValueError: If the shapes do not match, a number is out of range, or a guarantee is asked for another loss.

    Example:
      >>> threshold_for_risk([0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1], risk=0.4)
      Selection(threshold=0.3, coverage=0.75, risk=0.3333333333333333, risk_bound=nan)
      >>> threshold_for_risk(np.arange(200), [0] * 150 + [1] * 50, risk=0.05, confidence_level=0.95).coverage
      0.75

    References:
      Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017. arXiv:1705.08500
    """
    u, loss = check_ranked(uncertainty, losses)
    check_fraction("risk", risk)
    if confidence_level is None:
        curve = risk_coverage_curve(u, loss)
        chosen = float(np.max(curve.threshold, where=curve.risk <= risk, initial=-np.inf))
        return selection(u, loss, threshold=chosen)
    bounds = _bounds(u, loss, check_fraction("confidence_level", confidence_level))
    chosen = max((threshold for threshold, bound in bounds.items() if bound <= risk), default=-np.inf)
    return selection(u, loss, threshold=chosen)._replace(risk_bound=bounds.get(chosen, np.nan))


def selection(uncertainty: npt.ArrayLike, losses: npt.ArrayLike, *, threshold: float) -> Selection:
    """What a threshold does on these data: the check, on test data, of one chosen on validation data.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong, or any loss.
      threshold: Keep an example if its uncertainty is at most this.

    Raises:
      ValueError: If the shapes do not match or a number is not finite.

    Example:
      >>> selection([0.1, 0.2, 0.3, 0.9], [0, 1, 1, 1], threshold=0.25)
      Selection(threshold=0.25, coverage=0.5, risk=0.5, risk_bound=nan)
    """
    u, loss = check_ranked(uncertainty, losses)
    kept = u <= threshold
    risk = float(loss[kept].mean()) if kept.any() else float("nan")
    return Selection(float(threshold), float(kept.mean()), risk, float("nan"))


def _bounds(uncertainty: Floats, losses: Floats, confidence_level: float) -> dict[float, float]:
    """For each candidate threshold an upper bound on its risk; all hold at once with `confidence_level`."""
    if not np.isin(losses, (0, 1)).all():
        raise ValueError(
            "`losses` must be 0 or 1 for a guarantee, which rests on the binomial distribution; drop "
            f"`confidence_level` for other losses. Received values from {losses.min()} to {losses.max()}."
        )
    sizes = sorted({num_to_keep(j / _CANDIDATES, len(losses)) for j in range(1, _CANDIDATES + 1)})
    thresholds = np.sort(uncertainty)[np.array(sizes) - 1]
    kept = uncertainty <= thresholds[:, None]
    # Given the threshold, those below it are independent draws of what it keeps. The one that it is taken from is not,
    # so that there are n - 1 trials; its loss is counted all the same, which errs on the safe side.
    failures, trials = kept @ losses, kept.sum(axis=1) - 1
    level = 1 - (1 - confidence_level) / len(sizes)
    bounds = np.where(failures < trials, betaincinv(failures + 1, np.maximum(trials - failures, 1), level), 1.0)
    return dict(zip(thresholds.tolist(), bounds.tolist(), strict=True))

"""How much risk is left when a model may abstain: the examples it is least sure of are left out first.

Every function takes `uncertainty`, `[N]` on any scale where higher means less sure, and `losses`, `[N]`: 1 where the
prediction is wrong and 0 where it is right, or any other loss. Examples of equal uncertainty cannot be told apart; what
is said is the average over their orders, and never depends on the order of the data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.checks import Floats, check_fraction, check_scores, check_values


class RiskCoverageCurve(NamedTuple):
    """Share of the examples kept, and their mean loss, at each of the M thresholds that differ; coverage rises to 1."""

    coverage: Floats  # [M], in (0, 1]
    risk: Floats  # [M]
    threshold: Floats  # [M], keep what has at most this uncertainty


def risk_coverage_curve(uncertainty: npt.ArrayLike, losses: npt.ArrayLike) -> RiskCoverageCurve:
    """Risk against coverage over all thresholds that tell two examples apart.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong, or any loss.

    Raises:
      ValueError: If the shapes do not match or a number is not finite.

    Example:
      >>> risk_coverage_curve([0.1, 0.3, 0.3, 0.9], [0, 1, 0, 1]).risk.round(4)
      array([0.    , 0.3333, 0.5   ])
    """
    u, loss = check_ranked(uncertainty, losses)
    thresholds, groups, sizes = np.unique(u, return_inverse=True, return_counts=True)
    kept = sizes.cumsum()
    return RiskCoverageCurve(kept / len(u), np.bincount(groups, weights=loss).cumsum() / kept, thresholds)


def area_under_risk_coverage(uncertainty: npt.ArrayLike, losses: npt.ArrayLike) -> float:
    """AURC = 1/N sum_k risk of the k surest examples; lower is better, the overall risk is what a random order gives.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong, or any loss.

    Raises:
      ValueError: If the shapes do not match or a number is not finite.

    Example:
      >>> round(area_under_risk_coverage([0.1, 0.2, 0.3, 0.9], [0, 0, 0, 1]), 4)
      0.0625

    References:
      Geifman et al., Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019. arXiv:1805.08206
    """
    return float(np.mean(risks(*check_ranked(uncertainty, losses))))


def excess_area_under_risk_coverage(uncertainty: npt.ArrayLike, losses: npt.ArrayLike) -> float:
    """E-AURC: the AURC less that of the best order there is, by the losses themselves; 0 is best.

    The best order is taken exactly, where the paper has r + (1 - r) log(1 - r), its limit for large N.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong, or any loss.

    Raises:
      ValueError: If the shapes do not match or a number is not finite.

    Example:
      >>> excess_area_under_risk_coverage([0.1, 0.2, 0.3, 0.9], [0, 0, 0, 1])
      0.0

    References:
      Geifman et al., Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019. arXiv:1805.08206
    """
    return area_under_risk_coverage(uncertainty, losses) - area_under_risk_coverage(losses, losses)


def area_under_generalized_risk_coverage(uncertainty: npt.ArrayLike, losses: npt.ArrayLike) -> float:
    """AUGRC: the area under coverage times risk, which is how often a failure is let pass, over all coverages.

    For losses of 0 and 1 with mean r it is (1 - AUROC) r (1 - r) + r^2 / 2, in [0, r - r^2 / 2], where AUROC is that of
    telling failures by their uncertainty. Unlike the AURC it does not weigh the few surest examples most.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong, or any loss.

    Raises:
      ValueError: If the shapes do not match or a number is not finite.

    Example:
      >>> area_under_generalized_risk_coverage([0.1, 0.2, 0.3, 0.9], [0, 0, 0, 1])  # r^2 / 2
      0.03125

    References:
      Traub et al., Overcoming Common Flaws in the Evaluation of Selective Classification Systems, NeurIPS 2024.
      arXiv:2407.01032
    """
    u, loss = check_ranked(uncertainty, losses)
    passed = np.concatenate([[0.0], risks(u, loss) * np.arange(1, len(u) + 1)]) / len(u)
    return float(np.mean((passed[1:] + passed[:-1]) / 2))


def risk_at_coverage(uncertainty: npt.ArrayLike, losses: npt.ArrayLike, *, coverage: float = 0.8) -> float:
    """Mean loss of the surest ceil(coverage N) examples.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong, or any loss.
      coverage: Share of the examples to keep, in (0, 1].

    Raises:
      ValueError: If the shapes do not match, a number is not finite, or `coverage` is out of range.

    Example:
      >>> risk_at_coverage([0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1], coverage=0.5)
      0.0
    """
    u, loss = check_ranked(uncertainty, losses)
    return float(risks(u, loss)[num_to_keep(coverage, len(u)) - 1])


def coverage_at_risk(uncertainty: npt.ArrayLike, losses: npt.ArrayLike, *, risk: float = 0.05) -> float:
    """The largest coverage of any threshold at which the mean loss of what is kept is at most `risk`; 0 if none is.

    Args:
      uncertainty: `[N]`, higher means less sure.
      losses: `[N]`, 0 or 1 for right or wrong, or any loss.
      risk: The mean loss to tolerate.

    Raises:
      ValueError: If the shapes do not match or a number is not finite.

    Example:
      >>> coverage_at_risk([0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1], risk=0.4)
      0.75
    """
    curve = risk_coverage_curve(uncertainty, losses)
    return float(np.max(curve.coverage, where=curve.risk <= risk, initial=0.0))


def check_ranked(uncertainty: npt.ArrayLike, losses: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Both in float64, if they are finite vectors of the same length."""
    u = check_scores("uncertainty", uncertainty)
    return u, check_values("losses", losses, u.shape)


def num_to_keep(coverage: float, num_examples: int) -> int:
    """ceil(coverage * num_examples), which rounding of the product does not raise."""
    if coverage != 1:
        check_fraction("coverage", coverage)
    return max(1, int(np.ceil(coverage * num_examples - 1e-9)))


def risks(uncertainty: Floats, losses: Floats) -> Floats:
    """Mean loss of the k surest examples for k = 1 to N, averaged over the orders of equal ones."""
    _, groups, sizes = np.unique(uncertainty, return_inverse=True, return_counts=True)
    expected = np.bincount(groups, weights=losses) / sizes
    return np.repeat(expected, sizes).cumsum() / np.arange(1, len(losses) + 1)

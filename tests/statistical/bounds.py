"""z-tests of moments, with a stated rate of false alarms and a stated smallest detectable defect.

A comparison of M estimates with their exact values fails if one of them is more than `z_star(M)` standard errors off,

    z* = Phi^-1(1 - alpha / 2M),

so that correct code fails with probability at most `alpha` (Bonferroni), whatever the dependence of the estimates.
Tests use `alpha = 1e-6` and fixed seeds: they are deterministic, and alpha is the chance that a change of the random
sequence, and of nothing else, breaks one of them. The bench has about 300 comparisons, so that is 3e-4 in all.

A defect of size d is found with probability 95 % if it is `z* + 1.645` standard errors. With R draws of a normal
quantity and M comparisons that is, by `detectable_mean(R, M)` and `detectable_variance(R, M)`,

    R        M      mean, in standard deviations   variance or covariance, relative
    20,000   100    0.052                          0.074
    20,000   1,000  0.055                          0.078
    100,000  100    0.023                          0.033
    100,000  1,000  0.025                          0.035

so a forgotten factor of 1/2, a sign or a missing covariance is 10 to 100 times larger than what is needed. The
standard errors of variances come from the draws' own kurtosis, since flipout's products are not normal.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

ALPHA = 1e-6
POWER_Z = 1.645  # a defect of z* + 1.645 standard errors is found 19 times in 20


class Comparison(NamedTuple):
    """Largest |z| of a family of comparisons, and the threshold that it must not pass."""

    max_z: float
    threshold: float
    where: tuple[int, ...]

    @property
    def agrees(self) -> bool:
        return self.max_z <= self.threshold


def z_star(num_comparisons: int, alpha: float = ALPHA) -> float:
    """The threshold for |z| that one of `num_comparisons` right estimates exceeds with probability `alpha` at most."""
    return float(stats.norm.isf(alpha / (2 * num_comparisons)))


def compare(estimates: Any, exact: Any, standard_errors: Any, where: Any = True, alpha: float = ALPHA) -> Comparison:
    """Estimates with known standard errors against exact values, where `where` holds."""
    estimates, exact, errors, where = np.broadcast_arrays(estimates, exact, standard_errors, where)
    difference = np.abs(estimates - exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(difference == 0, 0.0, difference / errors)
    z = np.where(where, z, 0.0)
    worst = np.unravel_index(np.argmax(np.where(np.isnan(z), np.inf, z)), z.shape)
    return Comparison(float(z[worst]), z_star(int(where.sum()), alpha), tuple(int(i) for i in worst))


def compare_means(draws: np.ndarray, exact: Any, alpha: float = ALPHA) -> Comparison:
    """Means over the first axis of `[R, ..]` draws; SE = s / sqrt R."""
    errors = draws.std(axis=0, ddof=1) / math.sqrt(len(draws))
    return compare(draws.mean(axis=0), exact, errors, alpha=alpha)


def compare_two_means(first: np.ndarray, second: np.ndarray, alpha: float = ALPHA) -> Comparison:
    """Means of two independent sets of draws, of which neither is exact."""
    errors = np.sqrt(first.var(axis=0, ddof=1) / len(first) + second.var(axis=0, ddof=1) / len(second))
    return compare(first.mean(axis=0), second.mean(axis=0), errors, alpha=alpha)


def compare_variances(draws: np.ndarray, exact: Any, alpha: float = ALPHA) -> Comparison:
    """Variances over the first axis of `[R, ..]` draws; SE = s^2 sqrt((kurtosis - 1) / R)."""
    squares = np.square(draws - draws.mean(axis=0))
    errors = squares.std(axis=0) / math.sqrt(len(draws))
    return compare(draws.var(axis=0, ddof=1), exact, errors, alpha=alpha)


def compare_covariances(draws: np.ndarray, exact: Any, where: Any = True, alpha: float = ALPHA) -> Comparison:
    """Covariances of the columns of `[R, D]` draws with an exact `[D, D]`; SE^2 = (E[a^2 b^2] - cov^2) / R.

    Args:
      draws: `[R, D]`.
      exact: `[D, D]`.
      where: `[D, D]`, which pairs count; each pair counts once.
      alpha: Rate of false alarms.
    """
    num, size = draws.shape
    centred = draws - draws.mean(axis=0)
    covariance = centred.T @ centred / (num - 1)
    squares = np.square(centred)
    errors = np.sqrt(np.maximum(squares.T @ squares / num - np.square(covariance), 0.0) / num)
    return compare(covariance, exact, errors, np.triu(np.broadcast_to(where, (size, size))), alpha)


def detectable_mean(num_draws: int, num_comparisons: int) -> float:
    """Smallest shift of a mean, in standard deviations, that is found with probability 95 %."""
    return (z_star(num_comparisons) + POWER_Z) / math.sqrt(num_draws)


def detectable_variance(num_draws: int, num_comparisons: int, kurtosis: float = 3.0) -> float:
    """Smallest relative error of a variance that is found with probability 95 %."""
    return (z_star(num_comparisons) + POWER_Z) * math.sqrt((kurtosis - 1) / num_draws)

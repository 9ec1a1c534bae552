"""Tests of whether two configurations differ, on the same seeds or on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics import bootstrap

Floats = npt.NDArray[np.float64]

_ENUMERATED = 12  # differences, up to which every combination of signs is tried
_AT_ONCE = 4_000_000  # signs
_ROUNDING = 1e-9  # relative; sums in another order are still ties


class PairedTest(NamedTuple):
    """A difference and how sure it is.

    Attributes:
      difference: Mean of the differences, first minus second.
      lower: Lower end of its confidence interval, or None if it has none.
      upper: Upper end.
      p_value: Two-sided, of no difference, or None if there is no test.
      num_pairs: How many pairs there were.
      p_adjusted: By Holm's method, for all comparisons that were made together.
    """

    difference: float
    lower: float | None
    upper: float | None
    p_value: float | None
    num_pairs: int
    p_adjusted: float | None = None


def paired_t_test(first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95) -> PairedTest:
    """Student's test of the mean difference of pairs, such as two configurations trained with the same seeds.

    Args:
      first: `[R]`.
      second: `[R]`, of the same seeds.
      level: Of the confidence interval.

    Returns:
      The test; a single pair has a difference alone, and so have pairs that all differ by the same.

    Raises:
      ValueError: If there is no pair, the shapes differ, or a number is not finite.

    Example:
      >>> found = paired_t_test([0.31, 0.30, 0.33], [0.28, 0.29, 0.29])
      >>> round(found.difference, 4), round(found.p_value, 3)
      (0.0267, 0.094)

    References:
      Student, The Probable Error of a Mean, Biometrika 1908.
    """
    from scipy import stats

    differences = _differences(first, second)
    mean, count = float(differences.mean()), len(differences)
    if count < 2 or np.ptp(differences) <= _ROUNDING * abs(mean):
        return PairedTest(mean, None, None, None, count)
    test = stats.ttest_1samp(differences, 0.0)
    ends = test.confidence_interval(level)
    return PairedTest(mean, float(ends.low), float(ends.high), float(test.pvalue), count)


def paired_permutation_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    num_resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> PairedTest:
    """Sign-flip test of the mean difference of pairs, such as the losses of two models on the same images.

    Without a difference, either of a pair might as well have come from the other model: the mean difference is
    compared with what it is when the signs are random. All signs are tried for up to 12 differences; beyond, the
    p-value is (1 + those at least as large) / (1 + num_resamples). The interval is a percentile bootstrap over pairs.

    Args:
      first: `[N]`.
      second: `[N]`, of the same images.
      num_resamples: How many random signs.
      level: Of the confidence interval.
      seed: The same seed gives the same result.

    Raises:
      ValueError: If there is no pair, the shapes differ, or a number is not finite.

    Example:
      >>> paired_permutation_test([2.0, 3.0, 4.0], [1.0, 1.0, 1.0]).p_value
      0.25

    References:
      Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005.
    """
    differences = _differences(first, second)
    mean, count = float(differences.mean()), len(differences)
    p_value = _sign_flip(differences, num_resamples, seed)
    if count < 2:
        return PairedTest(mean, None, None, p_value, count)
    interval = bootstrap(np.mean, differences, num_resamples=2000, level=level, seed=seed)
    return PairedTest(mean, interval.lower, interval.upper, p_value, count)


def mcnemar_test(first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95, seed: int = 0) -> PairedTest:
    """McNemar's exact test of the accuracies of two models on the same images.

    Of the images that only one of them gets right, either should get half, by a binomial distribution.

    Args:
      first: `[N]` booleans, whether each image was right.
      second: `[N]`, of the same images.
      level: Of the interval of the difference in accuracy, a percentile bootstrap over images.
      seed: Of the bootstrap.

    Raises:
      ValueError: If there is no pair, the shapes differ, or a number is not finite.

    Example:
      >>> mcnemar_test([True] * 6 + [False] * 4, [False] * 6 + [False] * 4).p_value
      0.03125

    References:
      McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 1947.
    """
    from scipy import stats

    differences = _differences(first, second)
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    p_value = float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    mean, count = float(differences.mean()), len(differences)
    if count < 2:
        return PairedTest(mean, None, None, p_value, count)
    interval = bootstrap(np.mean, differences, num_resamples=2000, level=level, seed=seed)
    return PairedTest(mean, interval.lower, interval.upper, p_value, count)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment: below 0.05, an error among all the comparisons has at most that probability.

    Args:
      p_values: One a comparison; None where there was no test, which stays so and does not count.

    Example:
      >>> holm([0.01, None, 0.04, 0.03])
      [0.03, None, 0.06, 0.06]

    References:
      Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 1979.
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        adjusted[i] = highest
    return adjusted


def _differences(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(
            f"Pairs must be two vectors of the same length, not empty. Received shapes {list(a.shape)} and "
            f"{list(b.shape)}."
        )
    missing = int((~np.isfinite(a) | ~np.isfinite(b)).sum())
    if missing:
        raise ValueError(
            f"Pairs must be finite numbers. Received {missing} pairs of {len(a)} with one that is not; a test without "
            "them would be of other pairs, so find out why, or leave them out yourself."
        )
    return a - b


def _sign_flip(differences: Floats, num_resamples: int, seed: int) -> float:
    moved = np.abs(differences[differences != 0])  # a zero is the same with either sign
    observed = abs(differences.sum()) * (1 - _ROUNDING)
    if len(moved) <= _ENUMERATED:
        signs = 1 - 2 * ((np.arange(2 ** len(moved))[:, np.newaxis] >> np.arange(len(moved))) & 1)
        return float((np.abs(signs @ moved) >= observed).mean())
    rng, extreme, left = np.random.default_rng(seed), 0, num_resamples
    while left:
        rows = min(left, max(1, _AT_ONCE // len(moved)))
        signs = 1 - 2 * rng.integers(0, 2, [rows, len(moved)], np.int8)
        extreme += int((np.abs(signs @ moved) >= observed).sum())
        left -= rows
    return (1 + extreme) / (1 + num_resamples)

"""The z-tests themselves: correct draws pass at the stated rate, and defects of the stated size are found."""

from __future__ import annotations

import bounds
import numpy as np
import pytest
from scipy import stats


def test_thresholds_are_the_two_sided_normal_quantiles():
    assert bounds.z_star(1, alpha=0.05) == pytest.approx(1.959964, rel=1e-6)
    assert bounds.z_star(1) == pytest.approx(4.8916, rel=1e-4)
    assert bounds.z_star(100) == pytest.approx(5.7307, rel=1e-4)


def test_the_detectable_defects_are_those_that_the_docstring_states():
    rows = [(20_000, 100, 0.052, 0.074), (20_000, 1_000, 0.055, 0.078)]
    rows += [(100_000, 100, 0.023, 0.033), (100_000, 1_000, 0.025, 0.035)]
    for num_draws, num_comparisons, mean, variance in rows:
        assert bounds.detectable_mean(num_draws, num_comparisons) == pytest.approx(mean, abs=5e-4)
        assert bounds.detectable_variance(num_draws, num_comparisons) == pytest.approx(variance, abs=5e-4)
        assert f"{num_draws:<9,}{num_comparisons:<7,}{mean:<31}{variance}" in bounds.__doc__


def _draws(seed: int, num_draws: int = 2_000, size: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=[num_draws, size])


CHECKS = {
    "means": lambda draws, alpha: bounds.compare_means(draws, 0.0, alpha),
    "variances": lambda draws, alpha: bounds.compare_variances(draws, 1.0, alpha),
    "covariances": lambda draws, alpha: bounds.compare_covariances(draws, np.eye(draws.shape[1]), alpha=alpha),
}


@pytest.mark.parametrize("check", CHECKS)
def test_correct_draws_raise_false_alarms_at_the_stated_rate(check):
    alpha, repeats = 0.05, 1_000
    alarms = sum(not CHECKS[check](_draws(seed), alpha).agrees for seed in range(repeats))
    # 50 expected; Bonferroni only ever errs on the safe side. The bounds hold with probability 1 - 1e-6.
    low, high = stats.binom.ppf([5e-7, 1 - 5e-7], repeats, alpha)
    assert 0.5 * low <= alarms <= high


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("means", lambda x: x + np.array([bounds.detectable_mean(2_000, 4), 0, 0, 0])),
        ("variances", lambda x: x * np.sqrt(1 + np.array([bounds.detectable_variance(2_000, 4), 0, 0, 0]))),
        ("covariances", lambda x: x + 0.2 * x[:, [1, 2, 3, 0]]),
    ],
)
def test_defects_of_the_detectable_size_are_found(check, spoil):
    found = sum(not CHECKS[check](spoil(_draws(seed)), bounds.ALPHA).agrees for seed in range(100))
    assert found >= 75  # 95 expected; the standard error is itself estimated, and grows with the defect


def test_an_undefined_standard_error_is_a_disagreement():
    assert not bounds.compare_means(np.ones([10, 2]), [1.0, 2.0]).agrees
    assert not bounds.compare_means(np.full([10, 2], np.nan), 0.0).agrees
    assert bounds.compare_means(np.ones([10, 2]), 1.0).agrees

"""Claims about conformal sets and intervals: coverage by counting, by its exact law, and mutants that have neither."""

from __future__ import annotations

import functools
from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from predictors import calibrated, sharpened
from scipy import stats

from bayesconv import metrics

SCORES = {
    "threshold": metrics.threshold_scores,
    "adaptive": metrics.adaptive_scores,
    "regularized": functools.partial(metrics.regularized_adaptive_scores, penalty=0.05, num_free=1),
}
LEVELS = [Fraction(1, 10), Fraction(1, 5), Fraction(1, 3), Fraction(3, 10), Fraction(1, 20), Fraction(9, 10)]


def _covered(quantile, n, miscoverage):
    """Of n + 1 distinct scores in turn, how many are at most the quantile of the n others: exact, with no chance."""
    scores = np.arange(n + 1.0)
    return sum(score <= quantile(np.delete(scores, i), miscoverage) for i, score in enumerate(scores))


@pytest.mark.parametrize("miscoverage", LEVELS)
def test_each_of_n_plus_1_exchangeable_scores_is_covered_as_often_as_the_law_says(miscoverage):
    for n in range(1, 41):
        expected = min(n + 1, ceil((n + 1) * (1 - miscoverage)))
        assert _covered(metrics.conformal_quantile, n, float(miscoverage)) == expected


def test_rounding_of_the_level_costs_no_rank():
    assert 0.29 * 100 < 29
    assert _covered(metrics.conformal_quantile, 99, 0.29) == 71


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "inverted_cdf"])
def test_plain_quantiles_cover_less(method):
    """The mutants: a quantile of the n scores, without the one to come."""
    short = [
        n
        for n in range(5, 41)
        if _covered(lambda s, a: np.quantile(s, 1 - a, method=method), n, 0.1) < ceil(Fraction(9 * (n + 1), 10))
    ]
    assert len(short) > 20


def test_coverage_with_the_calibration_data_fixed_is_a_beta_variable():
    # Scores uniform on [0, 1]: the quantile is the coverage. False alarm of Kolmogorov's test: 1e-6.
    rng = np.random.default_rng(0)
    coverage = [metrics.conformal_quantile(rng.random(39), 0.1) for _ in range(2000)]
    assert stats.kstest(coverage, stats.beta(36, 4).cdf).pvalue > 1e-6
    assert stats.kstest(coverage, stats.beta(35, 5).cdf).pvalue < 1e-9  # one rank lower is found


def _scores_by_hand(probs, uniforms, penalty, num_free):
    found = np.empty_like(probs)
    for n, row in enumerate(probs):
        ranked = sorted(range(len(row)), key=lambda k: (-row[k], k))
        before = 0.0
        for rank, k in enumerate(ranked, start=1):
            found[n, k] = before + uniforms[n] * row[k] + penalty * max(rank - num_free, 0)
            before += row[k]
    return found


@pytest.mark.parametrize(("penalty", "num_free"), [(0.0, 0), (0.1, 2), (1.0, 0), (0.3, 9)])
def test_adaptive_scores_equal_a_loop_over_ranks(rng, penalty, num_free):
    probs, uniforms = calibrated(rng, 30)[0].round(1), rng.random(30)  # with ties
    expected = _scores_by_hand(probs, uniforms, penalty, num_free)
    found = metrics.regularized_adaptive_scores(probs, uniforms, penalty=penalty, num_free=num_free)
    np.testing.assert_allclose(found, expected, atol=1e-14)
    if not penalty:
        np.testing.assert_allclose(metrics.adaptive_scores(probs, uniforms), expected, atol=1e-14)


@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("name", SCORES)
def test_sets_cover_as_promised_though_the_model_is_not_calibrated(name, seed):
    # With n = 49 and a = 0.1 a test label is covered with probability 45/50, and the number covered of 50 that share
    # their calibration data is beta-binomial(50, 45, 5): 300 repetitions are off by 5 standard errors once in 2e6.
    # A score in which examples tie, as those of APS do at 1, may cover more and never less.
    rng, hits = np.random.default_rng(5), 0
    for repetition in range(300):
        probs, labels = calibrated(rng, 99)
        probs = sharpened(probs, 1.5)
        own = None if seed is None else seed + repetition
        sets = metrics.conformal_sets(probs[:49], labels[:49], class_scores=SCORES[name], seed=own)
        hits += metrics.set_coverage(sets(probs[49:]), labels[49:]) * 50
    law = stats.betabinom(50, 45, 5)
    assert abs(hits / 300 - law.mean()) < 5 * law.std() / np.sqrt(300)


def test_sets_without_calibration_data_do_not_cover():
    """The mutant: as many classes as the model thinks it takes for 90 %."""
    rng = np.random.default_rng(5)
    probs, labels = calibrated(rng, 5000)
    probs = sharpened(probs, 3.0)
    naive = metrics.adaptive_scores(probs, rng.random(5000)) <= 0.9
    assert metrics.set_coverage(naive, labels) < 0.8
    fitted = metrics.conformal_sets(probs[:2500], labels[:2500], class_scores=metrics.adaptive_scores)
    assert metrics.set_coverage(fitted(probs[2500:]), labels[2500:]) > 0.87


def test_thr_has_the_smallest_sets_and_a_penalty_cuts_the_largest():
    probs, labels = calibrated(np.random.default_rng(2), 4000, num_classes=20, spread=3.0)
    sets = {
        name: metrics.conformal_sets(probs[:2000], labels[:2000], class_scores=score)(probs[2000:])
        for name, score in SCORES.items()
    }
    size = {name: metrics.mean_set_size(held) for name, held in sets.items()}
    assert size["threshold"] < min(size["adaptive"], size["regularized"])
    largest = {name: held.sum(axis=1).max() for name, held in sets.items()}
    assert largest["regularized"] < largest["adaptive"]


def test_a_seed_draws_smaller_sets_and_the_same_ones_again(rng):
    probs, labels = calibrated(rng, 3000)
    plain = metrics.conformal_sets(probs[:1500], labels[:1500], class_scores=metrics.adaptive_scores)
    drawn = metrics.conformal_sets(probs[:1500], labels[:1500], class_scores=metrics.adaptive_scores, seed=1)
    assert metrics.mean_set_size(drawn(probs[1500:])) < metrics.mean_set_size(plain(probs[1500:]))
    np.testing.assert_array_equal(drawn(probs), drawn(probs))


def test_too_few_calibration_examples_give_every_class():
    sets = metrics.conformal_sets([[0.9, 0.1]] * 8, [0] * 8, miscoverage=0.1)
    assert sets.threshold == np.inf
    assert sets([[1.0, 0.0]]).all()
    assert metrics.conformal_sets([[0.9, 0.1]] * 9, [0] * 9, miscoverage=0.1).threshold < np.inf


@pytest.mark.parametrize("miscoverage", LEVELS)
def test_each_of_n_plus_1_targets_is_in_its_widened_interval_as_often_as_the_law_says(rng, miscoverage):
    for n in (4, 9, 19, 33):
        low = rng.normal(size=n + 1)
        high, y = low + rng.random(n + 1), rng.normal(size=n + 1)
        covered = 0
        for i in range(n + 1):
            rest = [np.delete(values, i) for values in (low, high, y)]
            margin = metrics.conformal_margin(*rest, miscoverage=float(miscoverage))
            covered += low[i] - margin <= y[i] <= high[i] + margin
        assert covered == min(n + 1, ceil((n + 1) * (1 - miscoverage)))


def test_a_margin_narrows_intervals_that_are_too_wide(rng):
    y = rng.normal(size=999)
    margin = metrics.conformal_margin(np.full(999, -5.0), np.full(999, 5.0), y, miscoverage=0.1)
    # |y| exceeds its 90 % quantile, 1.645, by 0.02 and less: five standard errors of that quantile are 0.23.
    assert abs(5 + margin - 1.645) < 0.23


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.conformal_quantile([], 0.1), "`scores` must be a vector.*not empty"),
        (lambda: metrics.conformal_quantile([0.5], 10), "`miscoverage` must lie strictly.*10"),
        (lambda: metrics.conformal_sets([[0.5, 0.6]], [0]), "sum to one"),
        (lambda: metrics.conformal_margin([0.0], [1.0, 2.0], [0.5]), r"`upper_val` must have shape \[1\]"),
        (lambda: metrics.set_coverage([[0.5, 0.5]], [0]), r"`sets` must be booleans \[N, K\].*float64"),
        (lambda: metrics.mean_set_size([True]), r"`sets` must be booleans \[N, K\].*\[1\]"),
        (
            lambda: metrics.regularized_adaptive_scores(np.array([[0.5, 0.5]]), np.ones(1), penalty=-1.0),
            r"`penalty` and `num_free` must not be negative. Received penalty=-1\.0",
        ),
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()

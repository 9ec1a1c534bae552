"""Claims about predicted distributions, intervals and quantiles of real numbers, against quadrature, loops and laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from bayesconv import metrics


@pytest.fixture
def gaussian(rng):
    """Mean, standard deviation and targets that follow them."""
    mean, stddev = rng.normal(size=50), np.exp(rng.normal(size=50))
    return mean, stddev, mean + stddev * rng.normal(size=50)


def _crps_by_quadrature(cdf, y, low, high):
    """The integral of (F(t) - 1[y <= t])^2."""
    below = integrate.quad(lambda t: cdf(t) ** 2, low, y, limit=200)[0]
    return below + integrate.quad(lambda t: (1 - cdf(t)) ** 2, y, high, limit=200)[0]


def test_gaussian_likelihood_is_scipys(gaussian):
    mean, stddev, y = gaussian
    expected = -np.mean(stats.norm.logpdf(y, mean, stddev))
    assert metrics.gaussian_negative_log_likelihood(mean, stddev, y) == pytest.approx(expected, rel=1e-12)


def test_the_likelihood_of_a_mixture_averages_densities(rng):
    means, stddevs, y = rng.normal(size=(4, 6)), np.exp(rng.normal(size=(4, 6))), rng.normal(size=6)
    each = [-np.log(np.mean([stats.norm.pdf(y[n], means[s, n], stddevs[s, n]) for s in range(4)])) for n in range(6)]
    found = metrics.gaussian_mixture_negative_log_likelihood(means, stddevs, y)
    assert found == pytest.approx(np.mean(each), rel=1e-12)
    far = metrics.gaussian_mixture_negative_log_likelihood([[0.0], [0.0]], [[1.0], [1.0]], [100.0])
    assert far == pytest.approx(5000 + np.log(2 * np.pi) / 2)  # where the densities are 0 in float64


def test_gaussian_crps_is_the_integral_that_defines_it(gaussian):
    mean, stddev, y = (values[:10] for values in gaussian)
    each = [
        _crps_by_quadrature(stats.norm(m, s).cdf, t, min(m - 12 * s, t), max(m + 12 * s, t))
        for m, s, t in zip(mean, stddev, y, strict=True)
    ]
    assert metrics.gaussian_crps(mean, stddev, y) == pytest.approx(np.mean(each), rel=1e-7)


def test_gaussian_crps_becomes_the_absolute_error():
    assert metrics.gaussian_crps([0.0, 0.0], [1e-12, 1e-12], [3.0, -1.0]) == pytest.approx(2.0)


def test_sample_crps_equals_loops_over_pairs(rng):
    x, y = rng.normal(size=(7, 12)).round(1), rng.normal(size=12)
    errors = np.mean([abs(x[s, n] - y[n]) for s in range(7) for n in range(12)])
    pairs = [np.mean([abs(x[s, n] - x[t, n]) for n in range(12)]) for s, t in itertools.product(range(7), repeat=2)]
    assert metrics.sample_crps(x, y, fair=False) == pytest.approx(errors - sum(pairs) / 49 / 2, rel=1e-12)
    assert metrics.sample_crps(x, y) == pytest.approx(errors - sum(pairs) / 42 / 2, rel=1e-12)


def test_sample_crps_is_the_integral_over_the_steps_of_the_draws(rng):
    x, y = np.sort(rng.normal(size=9)), 0.3
    points = np.sort(np.append(x, y))
    total = 0.0
    for a, b in itertools.pairwise(points):
        total += (b - a) * (np.mean(x <= a) - (y <= a)) ** 2  # constant between two points
    assert metrics.sample_crps(x[:, None], [y], fair=False) == pytest.approx(total, rel=1e-12)


def test_fair_crps_is_unbiased_for_few_draws_and_the_other_is_not():
    """Draws from {0, 1} and the target 0: every set of three draws, with its probability."""
    exact = 0.5 - 0.25  # E|x - y| - 1/2 E|x - x'|
    sets = list(itertools.product([0.0, 1.0], repeat=3))
    x = np.array(sets).T
    assert metrics.sample_crps(x, np.zeros(8)) == pytest.approx(exact, rel=1e-14)
    assert metrics.sample_crps(x, np.zeros(8), fair=False) == pytest.approx(exact + 0.25 / 3, rel=1e-14)


def test_any_shape_averages_over_all_targets(rng):
    x, y = rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 3))
    assert metrics.sample_crps(x, y) == pytest.approx(metrics.sample_crps(x.reshape(5, 12), y.ravel()))
    m, s = rng.normal(size=(4, 3)), np.exp(rng.normal(size=(4, 3)))
    assert metrics.gaussian_crps(m, s, y) == pytest.approx(metrics.gaussian_crps(m.ravel(), s.ravel(), y.ravel()))


@pytest.mark.parametrize("root", [False, True])
def test_sparsification_error_equals_removing_one_example_after_another(rng, root):
    uncertainty, errors = rng.random(15), rng.random(15) ** 2

    def left(order):
        kept = [np.mean(errors[order[:k]]) for k in range(15, 0, -1)]
        return np.sqrt(kept) if root else np.array(kept)

    by_uncertainty, best = left(np.argsort(uncertainty)), left(np.argsort(errors))
    expected = np.mean((by_uncertainty - best) / by_uncertainty[0])
    assert metrics.sparsification_error(uncertainty, errors, root=root) == pytest.approx(expected, rel=1e-12)
    assert metrics.sparsification_error(3 * errors, errors, root=root) == 0.0
    assert metrics.sparsification_error(uncertainty, np.zeros(15), root=root) == 0.0


# Intervals.


def test_interval_figures_equal_loops(rng):
    low = rng.normal(size=40)
    high, y = low + rng.random(40), rng.normal(size=40)
    y[:2] = low[0], high[1]  # ends are inside
    inside, score = [], []
    for a, b, t in zip(low, high, y, strict=True):
        inside.append(a <= t <= b)
        score.append(b - a + (2 / 0.2) * (a - t if t < a else t - b if t > b else 0))
    assert metrics.interval_coverage(low, high, y) == np.mean(inside)
    assert metrics.mean_interval_width(low, high) == pytest.approx(np.mean(high - low))
    assert metrics.interval_score(low, high, y, miscoverage=0.2) == pytest.approx(np.mean(score))


def test_the_right_quantiles_have_the_least_interval_score():
    y = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    z = stats.norm.ppf(0.95)

    def score(low, high):
        return metrics.interval_score(np.full(20_000, low), np.full(20_000, high), y, miscoverage=0.1)

    best = score(-z, z)
    assert all(best < score(*ends) for ends in ((-1.1 * z, z), (-0.9 * z, z), (-z, 1.1 * z), (-z, 0.9 * z)))


def test_probability_integral_transforms_are_uniform_and_a_wrong_scale_is_not():
    rng = np.random.default_rng(0)
    samples, y = rng.normal(size=(4, 4000)), rng.normal(size=4000)
    right = (metrics.gaussian_pit(np.zeros(4000), np.ones(4000), y), metrics.sample_pit(samples, y))
    for pit in right:
        assert stats.kstest(pit, "uniform").pvalue > 1e-6  # the chance of a false alarm
    narrow = (metrics.gaussian_pit(np.zeros(4000), np.full(4000, 0.7), y), metrics.sample_pit(0.7 * samples, y))
    for pit in narrow:
        assert stats.kstest(pit, "uniform").pvalue < 1e-9
    # A plain share of draws below, as if ranks were probabilities, is not uniform for four draws.
    assert stats.kstest((samples < y).mean(axis=0), "uniform").pvalue < 1e-9


def test_ties_of_draws_and_target_are_broken_at_random():
    rng = np.random.default_rng(1)
    pit = metrics.sample_pit(rng.integers(0, 3, (6, 4000)), rng.integers(0, 3, 4000), seed=2)
    assert stats.kstest(pit, "uniform").pvalue > 1e-6


@pytest.mark.parametrize("num_levels", [1, 9, 99])
def test_quantile_calibration_equals_a_loop_over_quantiles(gaussian, num_levels):
    mean, stddev, y = gaussian
    gaps = []
    for j in range(1, num_levels + 1):
        level = j / (num_levels + 1)
        gaps.append(abs(np.mean(y <= stats.norm.ppf(level, mean, stddev)) - level))
    found = metrics.quantile_calibration_error(metrics.gaussian_pit(mean, stddev, y), num_levels=num_levels)
    assert found == pytest.approx(np.mean(gaps), abs=1e-13)


def test_the_null_of_quantile_calibration_has_its_mean():
    """At each level the share is binomial; its mean absolute deviation is exact."""
    levels = np.arange(1, 10) / 10
    counts = np.arange(51)
    exact = np.mean([np.sum(stats.binom.pmf(counts, 50, p) * abs(counts / 50 - p)) for p in levels])
    band = metrics.quantile_calibration_null(50, num_levels=9, num_draws=2000)
    spread = (band.upper - band.lower) / 3.3
    assert abs(band.mean - exact) < 5 * 1.3 * spread / np.sqrt(2000)  # false alarms below 1e-6
    assert band.lower < exact < band.upper


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.gaussian_crps([0.0], [0.0], [0.0]), "`stddev` must be positive.*Received 0.0"),
        (lambda: metrics.gaussian_pit([0.0], [1.0, 1.0], [0.0]), r"`stddev` must have shape \[1\].*\[2\]"),
        (
            lambda: metrics.gaussian_negative_log_likelihood([np.nan, 0, np.inf], [1.0] * 3, [0.0] * 3),
            r"`mean` must hold finite numbers, not empty. Received shape \[3\], 2 of 3 not finite",
        ),
        (lambda: metrics.interval_coverage([], [], []), r"not empty. Received shape \[0\]\.$"),
        (
            lambda: metrics.gaussian_mixture_negative_log_likelihood([[0.0]], [[-1.0]], [0.0]),
            r"`stddevs` must be positive.*Received -1\.0",
        ),
        (lambda: metrics.sample_crps([[0.0]], [0.0]), "`number of samples` must be at least 2"),
        (lambda: metrics.sample_crps([0.0, 1.0], [0.0, 1.0]), r"`samples` must be \[S, ...\].*\[2\] and \[2\]"),
        (lambda: metrics.sparsification_error([0.1], [-1.0]), "`errors` must not be negative"),
        (lambda: metrics.interval_coverage([1.0], [0.0], [0.5]), "`lower` must not exceed.*1 intervals.*sort"),
        (lambda: metrics.mean_interval_width([1.0], [0.0]), "`lower` must not exceed"),
        (lambda: metrics.interval_score([0.0], [1.0], [0.5], miscoverage=10), "`miscoverage` must lie strictly"),
        (lambda: metrics.quantile_calibration_error([1.5]), r"`pit` must lie in \[0, 1\].*1.5"),
        (lambda: metrics.quantile_calibration_error([0.5], num_levels=0), "`num_levels` must be at least 1"),
        (lambda: metrics.quantile_calibration_null(0), "`num_examples` must be at least 1"),
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()

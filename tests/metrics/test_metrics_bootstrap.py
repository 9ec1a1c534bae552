"""Claims about intervals, against distributions that are known exactly."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from predictors import calibrated
from scipy import stats

from bayesconv import metrics


def _mean(values):
    return float(np.mean(values))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_a_share_has_the_ends_of_the_binomial(level):
    """Resamples of 200 examples of which 140 are right have Binomial(200, 0.7) right ones: exactly."""
    found = metrics.bootstrap(_mean, np.repeat([1.0, 0.0], [140, 60]), num_resamples=4000, level=level)
    assert found.value == 0.7
    law = stats.binom(200, 0.7)
    # Of 4000 draws a share p lies below an end with a standard error of sqrt(p (1 - p) / 4000); five of them.
    p = (1 - level) / 2
    slack = 5 * np.sqrt(p * (1 - p) / 4000)
    for end, target in ((found.lower, p), (found.upper, 1 - p)):
        count = round(end * 200)
        assert law.cdf(count - 1) < target + slack
        assert law.cdf(count) > target - slack


def _all_resamples(metric, *arrays, paired):
    """The figure on every resample there is."""
    lengths = [len(arrays[0])] if paired else [len(array) for array in arrays]
    draws = [itertools.product(range(n), repeat=n) for n in lengths]
    for chosen in itertools.product(*draws):
        indices = chosen * len(arrays) if paired else chosen
        yield metric(*(np.array(array)[list(i)] for array, i in zip(arrays, indices, strict=True)))


def _share_of_pairs(inside, outside):
    return float(np.mean((inside[:, None] < outside) + 0.5 * (inside[:, None] == outside)))


def test_two_sets_are_drawn_apart_and_one_set_together():
    inside, outside = [0.1, 0.35, 0.6], [0.3, 0.5, 0.9]
    for paired in (True, False):
        exact = np.array(list(_all_resamples(_share_of_pairs, inside, outside, paired=paired)))
        found = metrics.bootstrap(
            _share_of_pairs, inside, outside, paired=paired, num_resamples=2000, level=0.5, seed=1
        )
        for end, target in ((found.lower, 0.25), (found.upper, 0.75)):
            slack = 5 * np.sqrt(0.25 * 0.75 / 2000)
            assert np.mean(exact < end - 1e-9) < target + slack
            assert np.mean(exact <= end + 1e-9) > target - slack


def test_what_is_paired_stays_so(rng):
    values = rng.normal(size=50)
    difference = metrics.bootstrap(lambda a, b: _mean(a) - _mean(b), values, values - 1.0)
    assert difference == pytest.approx((1.0, 1.0, 1.0))
    apart = metrics.bootstrap(lambda a, b: _mean(a) - _mean(b), values, values - 1.0, paired=False)
    assert apart.upper - apart.lower > 0.5


@pytest.mark.parametrize("method", ["percentile", "basic", "bca"])
def test_the_interval_of_a_mean_is_about_the_normal_one(rng, method):
    values = rng.normal(size=400)
    found = metrics.bootstrap(_mean, values, method=method, num_resamples=4000)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose(found[1:], [values.mean() - half, values.mean() + half], atol=0.1 * half)


def test_basic_mirrors_percentile(rng):
    probs, labels = calibrated(rng, 200)
    draw = functools.partial(metrics.bootstrap, metrics.expected_calibration_error, probs, labels, num_resamples=100)
    straight, mirrored = draw(), draw(method="basic")
    assert mirrored[1:] == pytest.approx((2 * straight.value - straight.upper, 2 * straight.value - straight.lower))


def test_resamples_add_to_a_calibration_error_what_chance_does(rng):
    """Why the docstring warns: the percentile interval of a calibrated model's error lies above it."""
    probs, labels = calibrated(rng, 500)
    found = metrics.bootstrap(metrics.adaptive_calibration_error, probs, labels, num_resamples=200)
    assert (found.lower + found.upper) / 2 > found.value


def test_a_report_takes_the_same_draws_for_all(rng):
    probs, labels = calibrated(rng, 100)
    report = metrics.bootstrap_report(
        {"twice": metrics.accuracy, "error": lambda p, y: 1 - metrics.accuracy(p, y)}, probs, labels, num_resamples=50
    )
    assert report["error"] == pytest.approx(
        (1 - report["twice"].value, 1 - report["twice"].upper, 1 - report["twice"].lower)
    )
    assert report["twice"] == metrics.bootstrap(metrics.accuracy, probs, labels, num_resamples=50)


@pytest.mark.parametrize("task", ["classification", "selection", "gaussian", "ood"])
def test_every_metric_of_a_task_has_an_interval(rng, task):
    probs, labels = calibrated(rng, 60)
    arrays = {
        "classification": (probs, labels),
        "selection": (metrics.predictive_entropy(probs), probs.argmax(axis=1) != labels),
        "gaussian": (rng.normal(size=60), np.ones(60), rng.normal(size=60)),
        "ood": (rng.normal(size=60), rng.normal(size=40)),
    }[task]
    report = metrics.bootstrap_report(metrics.metrics_of(task), *arrays, num_resamples=20, paired=task != "ood")
    for name, metric in metrics.metrics_of(task).items():
        assert report[name].value == metric(*arrays)
        assert report[name].lower <= report[name].upper


def test_the_seed_and_nothing_else_decides(rng):
    values = rng.normal(size=30)
    assert metrics.bootstrap(_mean, values, seed=3) == metrics.bootstrap(_mean, values, seed=3)
    assert metrics.bootstrap(_mean, values, seed=3) != metrics.bootstrap(_mean, values, seed=4)


def test_a_seed_interval_is_students(rng):
    values = rng.normal(size=7)
    for level in (0.8, 0.95):
        expected = stats.ttest_1samp(values, 0.0).confidence_interval(level)
        found = metrics.seed_interval(values, level=level)
        np.testing.assert_allclose(found, [values.mean(), expected.low, expected.high], rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.bootstrap(_mean), r"`arrays` must hold 2 or more.*\[\]"),
        (lambda: metrics.bootstrap(_mean, [1.0]), r"`arrays` must hold 2 or more.*\[1\]"),
        (lambda: metrics.bootstrap(_mean, [1.0, 2.0], [1.0] * 3), r"same examples.*\[2, 3\].*paired=False"),
        (lambda: metrics.bootstrap(_mean, [1.0, 2.0], num_resamples=0), "`num_resamples` must be at least 1"),
        (lambda: metrics.bootstrap(_mean, [1.0, 2.0], level=95), "`level` must lie strictly.*95"),
        (lambda: metrics.bootstrap(_mean, [1.0, 1.0], method="bca"), "undefined where all resamples.*percentile"),
        (lambda: metrics.bootstrap(_mean, [1.0, 2.0], method="exact"), "method"),
        (lambda: metrics.seed_interval([0.5]), "`number of values` must be at least 2"),
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()

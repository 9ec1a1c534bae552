"""Claims about calibration errors, against loops, exact expectations and a kernel smoothed by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictors import calibrated, drawn, sharpened
from scipy.integrate import trapezoid
from scipy.optimize import brentq

from bayesconv import metrics

ERRORS = (
    metrics.expected_calibration_error,
    metrics.maximum_calibration_error,
    metrics.adaptive_calibration_error,
    metrics.classwise_calibration_error,
    metrics.smooth_calibration_error,
)


def _bins_by_hand(values, outcomes, num_bins):
    """Each example goes to the bin (lower, upper] it is in; the gap and size of every bin that has one."""
    for b in range(num_bins):
        low, high = b / num_bins, (b + 1) / num_bins
        inside = [i for i, v in enumerate(values) if (low < v or (b == 0 and v == 0)) and v <= high]
        if inside:
            yield len(inside), abs(np.mean([outcomes[i] for i in inside]) - np.mean([values[i] for i in inside]))


@pytest.mark.parametrize("num_bins", [1, 7, 15])
def test_the_maximum_is_that_of_a_loop(rng, num_bins):
    probs, labels = calibrated(rng, 200)
    gaps = [gap for _, gap in _bins_by_hand(probs.max(axis=1), probs.argmax(axis=1) == labels, num_bins)]
    assert metrics.maximum_calibration_error(probs, labels, num_bins=num_bins) == pytest.approx(max(gaps), abs=1e-13)


@pytest.mark.parametrize("num_bins", [1, 7, 15])
def test_classwise_is_the_mean_of_a_loop_over_classes(rng, num_bins):
    probs, labels = calibrated(rng, 200)
    each = [sum(n * gap for n, gap in _bins_by_hand(probs[:, k], labels == k, num_bins)) / 200 for k in range(5)]
    found = metrics.classwise_calibration_error(probs, labels, num_bins=num_bins)
    assert found == pytest.approx(np.mean(each), abs=1e-13)


@pytest.mark.parametrize(("num", "num_bins"), [(200, 15), (15, 15), (16, 15), (7, 15), (105, 7)])
def test_adaptive_bins_hold_equally_many(rng, num, num_bins):
    probs, labels = calibrated(rng, num)
    confidence = np.sort(probs.max(axis=1))
    correct = (probs.argmax(axis=1) == labels)[np.argsort(probs.max(axis=1))]
    ends = [-(-num * j // num_bins) for j in range(num_bins + 1)]
    gaps = [abs((correct[a:b] - confidence[a:b]).sum()) for a, b in itertools.pairwise(ends)]
    found = metrics.adaptive_calibration_error(probs, labels, num_bins=num_bins)
    assert found == pytest.approx(sum(gaps) / num, abs=1e-13)


@pytest.mark.parametrize("error", [*ERRORS, metrics.debiased_squared_calibration_error])
def test_the_order_of_the_examples_does_not_matter(rng, error):
    first = rng.integers(5, 10, 60) / 10  # many equal confidences
    probs, labels = np.stack([first, 1 - first], axis=1), rng.integers(0, 2, 60)
    for _ in range(5):
        order = rng.permutation(60)
        assert error(probs[order], labels[order]) == pytest.approx(error(probs, labels), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 1000))
def test_errors_are_shares_and_the_maximum_is_the_largest(num, num_classes, seed):
    probs, _ = calibrated(np.random.default_rng(seed), num, num_classes)
    labels = np.random.default_rng(seed + 1).integers(0, num_classes, num)
    values = {error.__name__: error(probs, labels) for error in ERRORS}
    assert all(0 <= value <= 1 + 1e-12 for value in values.values())
    assert values["maximum_calibration_error"] >= values["expected_calibration_error"] - 1e-12


def _expectation(error, probs: np.ndarray) -> float:
    """The exact mean over all labels that calibrated probabilities may give."""
    total = 0.0
    for labels in itertools.product(range(probs.shape[1]), repeat=len(probs)):
        total += np.prod(probs[np.arange(len(probs)), labels]) * error(probs, np.array(labels))
    return total


def test_the_debiased_square_of_a_calibrated_model_is_0_on_average_and_other_squares_are_not():
    first = np.array([0.55, 0.62, 0.7, 0.72, 0.9, 0.95, 0.98])
    probs = np.stack([first, 1 - first], axis=1)
    assert abs(_expectation(lambda p, y: metrics.debiased_squared_calibration_error(p, y, num_bins=2), probs)) < 1e-15
    # What it must not be: the plain square, and the correction by the accuracy alone, blind to unequal confidences.
    assert _expectation(lambda p, y: metrics.expected_calibration_error(p, y, num_bins=1) ** 2, probs) > 0.015

    def by_accuracy(p, y):
        accuracy = np.mean(p.argmax(axis=1) == y)
        return (accuracy - p.max(axis=1).mean()) ** 2 - accuracy * (1 - accuracy) / (len(p) - 1)

    assert abs(_expectation(by_accuracy, probs)) > 1e-3


def test_the_debiased_square_is_kumars_where_confidences_are_equal(rng):
    first = rng.choice([0.6, 0.8], 50)
    probs, labels = np.stack([first, 1 - first], axis=1), rng.integers(0, 2, 50)
    expected = 0.0
    for value in (0.6, 0.8):
        hits = labels[first == value] == 0
        n, acc = len(hits), hits.mean()
        expected += n / 50 * ((acc - value) ** 2 - acc * (1 - acc) / (n - 1))
    found = metrics.debiased_squared_calibration_error(probs, labels, num_bins=10)
    assert found == pytest.approx(expected, abs=1e-14)


def test_a_bin_of_one_example_says_nothing_about_the_debiased_square():
    assert metrics.debiased_squared_calibration_error([[0.9, 0.1], [0.4, 0.6]], [1, 0]) == 0.0


def _smoothed_by_hand(probs: np.ndarray, labels: np.ndarray) -> float:
    confidence = probs.max(axis=1)
    gaps = (probs.argmax(axis=1) == labels) - confidence
    t = np.linspace(0, 1, 4001)[:, None]

    def integral(width: float) -> float:
        images = [s * confidence + 2 * k for k in range(-4, 5) for s in (-1, 1)]  # mirrored at 0 and at 1
        kernel = sum(np.exp(-(((t - image) / width) ** 2) / 2) for image in images) / (width * np.sqrt(2 * np.pi))
        return trapezoid(np.abs((kernel * gaps).mean(axis=1)), t[:, 0])

    return brentq(lambda width: integral(width) - width, 1e-3, 2.0)


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_the_smooth_error_is_the_fixed_point_of_a_mirrored_kernel(rng, power):
    probs, labels = calibrated(rng, 40)
    probs = sharpened(probs, power)
    assert metrics.smooth_calibration_error(probs, labels) == pytest.approx(_smoothed_by_hand(probs, labels), abs=2e-4)


def test_the_smooth_error_where_it_is_known():
    assert metrics.smooth_calibration_error([[1.0, 0.0]] * 3, [0, 0, 0]) == 0.0
    assert metrics.smooth_calibration_error([[1.0, 0.0]] * 3, [1, 1, 1]) == pytest.approx(1.0, abs=1e-6)


def test_the_smooth_error_has_no_jumps_where_that_of_bins_does():
    below, above = ([[c, 1 - c], [0.95, 0.05]] for c in (0.8 - 1e-6, 0.8 + 1e-6))
    binned = [metrics.expected_calibration_error(p, [1, 0], num_bins=5) for p in (below, above)]
    smooth = [metrics.smooth_calibration_error(p, [1, 0]) for p in (below, above)]
    assert abs(binned[0] - binned[1]) > 0.04
    assert abs(smooth[0] - smooth[1]) < 2e-4


def test_the_null_of_the_expected_error_is_the_one_made_for_it(rng):
    probs, _ = calibrated(rng, 300)
    general = metrics.calibration_null(metrics.expected_calibration_error, probs, num_draws=500, seed=1)
    special = metrics.ece_null(probs, num_draws=500)
    spread = (special.upper - special.lower) / 3.3
    assert abs(general.mean - special.mean) < 5 * spread * np.sqrt(2 / 500)  # false alarms: 6e-7
    assert abs(general.upper - special.upper) < 5 * spread * np.sqrt(2 * 0.05 * 0.95 / 500) / 0.1


@pytest.mark.parametrize("error", ERRORS)
def test_a_calibrated_model_is_inside_of_its_null_and_an_overconfident_one_is_not(error):
    # The 5 % quantile of 20 draws is near their second, which 2 / 21 of new ones pass on either side: 81 % fall inside,
    # and that 12 or fewer of 30 do has a probability of 1e-6.
    rng, inside = np.random.default_rng(3), 0
    for seed in range(30):
        probs, labels = calibrated(rng, 200)
        band = metrics.calibration_null(error, probs, num_draws=20, seed=seed)
        inside += band.lower <= error(probs, labels) <= band.upper
    assert inside > 12
    probs, labels = calibrated(rng, 1000)
    probs = sharpened(probs, 2.0)
    if error is not metrics.maximum_calibration_error:  # one bin, of few examples, is all that it sees
        assert error(probs, labels) > 1.5 * metrics.calibration_null(error, probs, num_draws=40).upper


def test_labels_of_the_null_follow_the_probabilities():
    probs = np.tile([0.1, 0.0, 0.6, 0.3], [20_000, 1])
    seen = []
    metrics.calibration_null(lambda p, y: seen.append(np.bincount(y, minlength=4) / len(y)) or 0.0, probs, num_draws=1)
    # Five standard errors of a share are 0.017 at most: false alarms 6e-7 each.
    np.testing.assert_allclose(seen[0], probs[0], atol=0.0174)
    assert seen[0][1] == 0.0


@pytest.mark.parametrize("error", [*ERRORS[:4], metrics.debiased_squared_calibration_error])
def test_bins_are_checked(error):
    with pytest.raises(ValueError, match="`num_bins` must be at least 1"):
        error([[0.5, 0.5]], [0], num_bins=0)


def test_draws_are_checked():
    with pytest.raises(ValueError, match=r"`num_draws` must be at least 1\. Received 0"):
        metrics.calibration_null(metrics.expected_calibration_error, [[0.5, 0.5]], num_draws=0)


def test_a_predictor_of_the_truth_is_not_a_predictor_of_chance(rng):
    """The helper of these tests draws what it says: the mean of p(label) is that of sum p^2."""
    probs = calibrated(rng, 4000)[0]
    hits = probs[np.arange(4000), drawn(probs, rng)]
    variance = (probs**3).sum(axis=1) - (probs**2).sum(axis=1) ** 2
    assert abs(hits.sum() - (probs**2).sum()) < 5 * np.sqrt(variance.sum())

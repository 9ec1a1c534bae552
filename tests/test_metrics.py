"""Claims about scores, calibration and uncertainty, against loops, scikit-learn and hand-computed numbers."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
import reference
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss

from bayesconv import metrics


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _predictor(rng: np.random.Generator, num: int, num_classes: int = 5, spread: float = 2.0):
    """Probabilities, and labels drawn from them: calibrated by construction."""
    probs = softmax(rng.normal(size=(num, num_classes)) * spread, axis=1)
    return probs, _draw(probs, rng)


def _draw(probs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (probs.cumsum(axis=1)[:, :-1] < rng.random((len(probs), 1))).sum(axis=1)


def test_scores_equal_their_loops(rng):
    probs, labels = _predictor(rng, 200)
    close = np.testing.assert_allclose
    close(metrics.negative_log_likelihood(probs, labels), reference.negative_log_likelihood(probs, labels), rtol=1e-12)
    close(metrics.brier_score(probs, labels), reference.brier_score(probs, labels), rtol=1e-12)
    close(metrics.predictive_entropy(probs), reference.entropy(probs), rtol=1e-12)
    for num_bins in (1, 10, 15):
        found = metrics.expected_calibration_error(probs, labels, num_bins=num_bins)
        close(found, reference.expected_calibration_error(probs, labels, num_bins), atol=1e-12)


def test_scores_equal_scikit_learn(rng):
    probs, labels = _predictor(rng, 200)
    assert metrics.accuracy(probs, labels) == accuracy_score(labels, probs.argmax(axis=1))
    expected = log_loss(labels, probs, labels=range(5))
    np.testing.assert_allclose(metrics.negative_log_likelihood(probs, labels), expected, rtol=1e-12)


def test_scores_of_hand_computed_cases():
    uniform = np.full([3, 4], 0.25)
    assert metrics.negative_log_likelihood(uniform, [0, 1, 3]) == pytest.approx(np.log(4))
    assert metrics.brier_score(uniform, [0, 1, 3]) == pytest.approx(0.75**2 + 3 * 0.25**2)
    assert metrics.brier_score([[1.0, 0.0]], [1]) == 2.0  # summed over classes: the worst is 2
    assert metrics.expected_calibration_error([[0.9, 0.1]], [0]) == pytest.approx(0.1)
    assert metrics.expected_calibration_error([[0.9, 0.1]], [1]) == pytest.approx(0.9)


def test_a_zero_probability_is_expensive_but_finite():
    assert metrics.negative_log_likelihood([[1.0, 0.0]], [1]) == pytest.approx(87.3365, abs=1e-3)


def test_float32_probabilities_are_accepted(rng):
    probs, labels = _predictor(rng, 1000)
    single = metrics.negative_log_likelihood(probs.astype(np.float32), labels)
    assert single == pytest.approx(metrics.negative_log_likelihood(probs, labels), rel=1e-6)


def test_reliability_curve_bins_add_up_to_the_calibration_error(rng):
    probs, labels = _predictor(rng, 500)
    curve = metrics.reliability_curve(probs, labels, num_bins=12)
    assert curve.count.sum() == 500
    np.testing.assert_allclose(curve.bin_edges, np.arange(13) / 12)
    full = curve.count > 0
    assert (curve.confidence[full] > curve.bin_edges[:-1][full]).all()
    assert (curve.confidence[full] <= curve.bin_edges[1:][full]).all()
    ece = np.nansum(curve.count / 500 * np.abs(curve.accuracy - curve.confidence))
    assert ece == pytest.approx(metrics.expected_calibration_error(probs, labels, num_bins=12))


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    assert metrics.reliability_curve([[0.5, 0.5], [1.0, 0.0]], [0, 0], num_bins=2).count.tolist() == [1, 1]


def test_reliability_curve_is_nan_exactly_where_a_bin_is_empty():
    curve = metrics.reliability_curve([[0.95, 0.05], [0.55, 0.45]], [0, 1], num_bins=10)
    empty = curve.count == 0
    assert empty.tolist() == [True] * 5 + [False] + [True] * 3 + [False]
    for field in (curve.confidence, curve.accuracy, curve.lower, curve.upper):
        assert (np.isnan(field) == empty).all()


def test_reliability_band_holds_a_calibrated_accuracy_nineteen_times_in_twenty(rng):
    inside = []
    for _ in range(300):
        probs, labels = _predictor(rng, 2000)
        curve = metrics.reliability_curve(probs, labels, num_bins=10)
        large = curve.count >= 100  # a small bin's binomial steps over more than 95 %
        inside += list((curve.accuracy >= curve.lower)[large] & (curve.accuracy <= curve.upper)[large])
    # 2,100 bins: a standard error is 0.0044. Discreteness makes it 0.960; a band of 90 % would hold 0.917.
    assert 0.94 < np.mean(inside) < 0.98


def test_reliability_band_is_the_binomial_one():
    curve = metrics.reliability_curve([[0.5, 0.5]] * 100, [0] * 100, num_bins=1)
    # P(X <= 39) = 0.0176 < 0.025 <= P(X <= 40) = 0.0284 for X ~ Binomial(100, 1/2)
    assert (curve.lower[0], curve.upper[0]) == (0.40, 0.60)


def test_null_band_holds_a_calibrated_predictor_and_rejects_an_overconfident_one(rng):
    probs, labels = _predictor(rng, 2000)
    band = metrics.ece_null(probs)
    assert band.lower <= metrics.expected_calibration_error(probs, labels) <= band.upper
    sharp = softmax(2 * np.log(probs), axis=1)
    assert metrics.expected_calibration_error(sharp, labels) > 2 * metrics.ece_null(sharp).upper


def test_null_mean_agrees_with_its_formula(rng):
    probs, labels = _predictor(rng, 2000)
    curve = metrics.reliability_curve(probs, labels)
    n, c = curve.count[curve.count > 0], curve.confidence[curve.count > 0]
    formula = np.sum(n / 2000 * np.sqrt(2 * c * (1 - c) / (np.pi * n)))
    band = metrics.ece_null(probs)
    assert band.mean == pytest.approx(formula, rel=0.1)
    assert band.lower < band.mean < band.upper


def test_null_band_equals_a_simulation_with_whole_labels(rng):
    probs, _ = _predictor(rng, 300)
    errors = []
    for _ in range(1000):
        errors.append(metrics.expected_calibration_error(probs, _draw(probs, rng)))
    band = metrics.ece_null(probs, seed=1)
    spread = np.std(errors) * np.sqrt(2 / 1000)
    assert abs(band.mean - np.mean(errors)) < 4 * spread
    np.testing.assert_allclose(band[1:], np.quantile(errors, [0.025, 0.975]), rtol=0.08)


def test_null_band_is_a_function_of_its_seed(rng):
    probs, _ = _predictor(rng, 50)
    assert metrics.ece_null(probs, seed=3, num_draws=20) == metrics.ece_null(probs, seed=3, num_draws=20)
    assert metrics.ece_null(probs, seed=3, num_draws=20) != metrics.ece_null(probs, seed=4, num_draws=20)


def test_auroc_is_the_share_of_pairs_in_the_right_order(rng):
    familiar, strange = rng.integers(0, 8, 40) / 8, rng.integers(2, 10, 30) / 8  # with ties
    wins = sum((b > a) + 0.5 * (b == a) for a, b in itertools.product(familiar, strange))
    assert metrics.ood_auroc(familiar, strange) == pytest.approx(wins / 1200)
    assert metrics.ood_auroc(strange, familiar) == pytest.approx(1 - wins / 1200)


def test_entropy_splits_into_its_two_parts(rng):
    samples = softmax(3 * rng.normal(size=(7, 50, 5)), axis=-1)
    information = metrics.mutual_information(samples)
    total = metrics.predictive_entropy(samples.mean(axis=0))
    np.testing.assert_allclose(total, metrics.expected_entropy(samples) + information, rtol=1e-13)
    expected = np.mean([reference.entropy(probs) for probs in samples], axis=0)
    np.testing.assert_allclose(metrics.expected_entropy(samples), expected, rtol=1e-12)
    assert (information >= 0).all()
    assert (information <= np.minimum(total, np.log(7))).all()


def test_mutual_information_at_its_bounds(rng):
    one = softmax(rng.normal(size=(1, 200, 10)), axis=-1)
    agreeing = metrics.mutual_information(np.repeat(one, 6, axis=0))
    assert (agreeing >= 0).all()
    assert agreeing.max() < 1e-14
    opposed = np.eye(4)[:, None, :]  # four samples, each sure of another class
    assert metrics.mutual_information(opposed)[0] == pytest.approx(np.log(4))


def test_temperature_is_recovered(rng):
    logits = 3 * rng.normal(size=(20_000, 5))
    probs = metrics.apply_temperature(logits, 2.5)
    labels = _draw(probs, rng)
    assert metrics.temperature_scale(logits, labels) == pytest.approx(2.5, rel=0.05)


def test_temperature_is_the_minimum_of_the_likelihood(rng):
    logits = rng.normal(size=(300, 4)) * 4
    labels = _draw(metrics.apply_temperature(logits, 1.7), rng)
    best = metrics.temperature_scale(logits, labels)

    def loss(temperature: float) -> float:
        return metrics.negative_log_likelihood(metrics.apply_temperature(logits, temperature), labels)

    assert loss(best) < min(loss(best * 1.01), loss(best / 1.01))


def test_temperature_of_weight_samples_fits_their_average(rng):
    logits = rng.normal(size=(400, 3)) * 3 + rng.normal(size=(8, 400, 3))
    labels = _draw(metrics.apply_temperature(logits, 1.7).mean(axis=0), rng)
    best = metrics.temperature_scale(logits, labels)

    def loss(temperature: float) -> float:
        return metrics.negative_log_likelihood(metrics.apply_temperature(logits, temperature).mean(axis=0), labels)

    assert loss(best) < min(loss(best * 1.01), loss(best / 1.01))
    assert metrics.temperature_scale(logits[:1], labels) == pytest.approx(
        metrics.temperature_scale(logits[0], labels), rel=1e-6
    )


def test_temperature_one_is_softmax_and_huge_logits_do_not_overflow(rng):
    logits = rng.normal(size=(2, 6, 3))
    np.testing.assert_allclose(metrics.apply_temperature(logits, 1.0), softmax(logits, axis=-1))
    assert metrics.apply_temperature([[1e6, 0.0]], 0.1).tolist() == [[1.0, 0.0]]


def test_report_holds_the_scores_under_fixed_keys_and_survives_json(rng):
    probs, labels = _predictor(rng, 100)
    report = metrics.classification_report(probs, labels, num_bins=10)
    assert list(report) == ["accuracy", "nll", "brier", "ece", "ece_null"]
    assert list(report["ece_null"]) == ["mean", "lower", "upper"]
    assert report["nll"] == metrics.negative_log_likelihood(probs, labels)
    assert report["ece"] == metrics.expected_calibration_error(probs, labels, num_bins=10)
    assert metrics.NullBand(**report["ece_null"]) == metrics.ece_null(probs, num_bins=10)
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(
    ("probs", "labels", "message"),
    [
        ([0.5, 0.5], [0], r"`probs` must be \[N, K\].*shape \[2\]"),
        (np.zeros([0, 3]), [], r"not empty.*shape \[0, 3\]"),
        ([[1.0]], [0], "K >= 2"),
        ([[0.5, 0.6]], [0], r"sum to one.*off by 0\.1.*apply_temperature"),
        ([[1.5, -0.5]], [0], "not negative.*-0.5"),
        ([[np.nan, 1.0]], [0], "finite"),
        ([[0.5, 0.5]], [0, 1], r"shape \[1\].*Received shape \[2\]"),
        ([[0.5, 0.5]], [[1, 0]], r"labels\.argmax\(-1\)"),
        ([[0.5, 0.5]], [1.0], r"integers.*float64.*astype\(int\)"),
        ([[0.5, 0.5]], [2], r"\[0, 2\).*2 to 2"),
        ([[0.5, 0.5]], [-1], r"\[0, 2\).*-1"),
    ],
)
@pytest.mark.parametrize(
    "score",
    [
        metrics.accuracy,
        metrics.negative_log_likelihood,
        metrics.brier_score,
        metrics.expected_calibration_error,
        metrics.reliability_curve,
        metrics.classification_report,
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(score, probs, labels, message):
    with pytest.raises(ValueError, match=message):
        score(probs, labels)


def test_rows_may_be_off_by_rounding():
    assert metrics.accuracy([[0.50005, 0.5]], [0]) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.mutual_information([[0.5, 0.5]]), r"`sample_probs` must be \[S, N, K\]"),
        (lambda: metrics.expected_calibration_error([[0.5, 0.5]], [0], num_bins=0), "`num_bins`.*Received 0"),
        (lambda: metrics.ece_null([[0.5, 0.5]], num_draws=0), "`num_draws`.*Received 0"),
        (lambda: metrics.ood_auroc([], [1.0]), "`in_scores`.*not empty"),
        (lambda: metrics.ood_auroc([1.0], [np.nan]), "`out_scores`.*finite"),
        (lambda: metrics.apply_temperature([[1.0, 2.0]], 0.0), "`temperature` must be positive"),
        (lambda: metrics.apply_temperature([[1.0, 2.0]], np.nan), "`temperature` must be positive"),
        (lambda: metrics.temperature_scale([1.0, 2.0], [0]), r"`logits_val` must be \[N, K\]"),
        (lambda: metrics.temperature_scale(np.zeros([0, 2]), []), "not empty"),
        (lambda: metrics.temperature_scale([[np.inf, 2.0]], [0]), "finite"),
        (lambda: metrics.temperature_scale([[1.0, 2.0]], [0, 1]), r"`labels`.*shape \[1\]"),
    ],
)
def test_other_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_public_names_are_sorted_and_importing_them_is_light():
    assert metrics.__all__ == sorted(metrics.__all__)
    heavy = "{'matplotlib', 'sklearn', 'tensorflow'}"
    code = f"import sys, bayesconv.metrics; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"

"""Figures of counts are the figures of examples repeated that often; their intervals are those of scipy's bootstrap."""

import functools

import numpy as np
import pytest

from bayesconv import metrics
from bayesconv.metrics import nulls, resampling, weighted_ranks, weighted_scores

N, M, K = 60, 45, 4


@pytest.fixture(scope="module")
def predicted():
    rng = np.random.default_rng(3)
    logits = 2 * rng.normal(size=(N, K))
    logits[20:30] = logits[10:20]  # equal confidences
    probs = metrics.apply_temperature(logits, 1.0)
    return probs, (probs.cumsum(axis=1)[:, :-1] < rng.random((N, 1))).sum(axis=1)


@pytest.fixture(scope="module")
def counts():
    return resampling.draw_counts(np.random.default_rng(5), 8, N)


def repeated(counts, *arrays):
    return [np.repeat(array, counts.astype(int), axis=0) for array in arrays]


class TestFiguresOfCounts:
    def test_a_resample_has_as_many_examples_as_the_data(self, counts):
        assert counts.shape == (8, N)
        assert (counts.sum(axis=1) == N).all()
        drawn = resampling.draw_counts(np.random.default_rng(0), 4000, 5)
        np.testing.assert_allclose(drawn.var(axis=0), 5 * 0.2 * 0.8, rtol=0.15)  # multinomial; 7 standard errors

    def test_class_scores(self, predicted, counts):
        found = weighted_scores.class_scores(*predicted, k=2)(counts)
        for i, row in enumerate(counts):
            p, y = repeated(row, *predicted)
            assert found["accuracy"][i] == pytest.approx(metrics.accuracy(p, y))
            assert found["top_k_accuracy"][i] == pytest.approx(metrics.top_k_accuracy(p, y, k=2))
            assert found["negative_log_likelihood"][i] == pytest.approx(metrics.negative_log_likelihood(p, y))
            assert found["brier_score"][i] == pytest.approx(metrics.brier_score(p, y))

    def test_calibration_scores(self, predicted, counts):
        found = weighted_scores.calibration_scores(*predicted, num_bins=7)(counts)
        assert set(found) == set(weighted_scores.RAISED_BY_RESAMPLING)
        for name, values in found.items():
            metric = getattr(metrics, name)
            is_smooth = name == "smooth_calibration_error"
            metric = metric if is_smooth else functools.partial(metric, num_bins=7)
            expected = [metric(*repeated(row, *predicted)) for row in counts]
            np.testing.assert_allclose(values, expected, rtol=1e-9, atol=5e-4 if is_smooth else 1e-12, err_msg=name)

    def test_the_classwise_error_is_left_out_where_it_would_take_minutes(self, predicted, monkeypatch):
        monkeypatch.setattr(weighted_scores, "CLASSWISE_LIMIT", N * K - 1)
        assert "classwise_calibration_error" not in weighted_scores.calibration_scores(*predicted)(np.ones([1, N]))

    def test_sparsification_scores(self, counts):
        rng = np.random.default_rng(4)
        uncertainty, errors = rng.random(N).round(1), rng.exponential(size=N).round(1)
        (found,) = weighted_ranks.sparsification_scores(uncertainty, errors)(counts).values()
        expected = [metrics.sparsification_error(*repeated(row, uncertainty, errors)) for row in counts]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert weighted_ranks.sparsification_scores(uncertainty, np.zeros(N))(counts)["sparsification_error"].max() == 0

    def test_selection_scores(self, predicted, counts):
        probs, labels = predicted
        uncertainty, wrong = metrics.predictive_entropy(probs).round(1), (probs.argmax(axis=1) != labels).astype(float)
        assert len(np.unique(uncertainty)) < N / 2  # ties of right and wrong examples
        found = weighted_ranks.selection_scores(uncertainty, wrong, coverages=(0.3, 0.83), risks=(0.1, 0.3))(counts)
        metrics_by_name = {
            "area_under_risk_coverage": metrics.area_under_risk_coverage,
            "excess_area_under_risk_coverage": metrics.excess_area_under_risk_coverage,
            "area_under_generalized_risk_coverage": metrics.area_under_generalized_risk_coverage,
            "risk_at_coverage_0.3": functools.partial(metrics.risk_at_coverage, coverage=0.3),
            "risk_at_coverage_0.83": functools.partial(metrics.risk_at_coverage, coverage=0.83),
            "coverage_at_risk_0.1": functools.partial(metrics.coverage_at_risk, risk=0.1),
            "coverage_at_risk_0.3": functools.partial(metrics.coverage_at_risk, risk=0.3),
        }
        assert found.keys() == metrics_by_name.keys()
        for name, metric in metrics_by_name.items():
            expected = [metric(*repeated(row, uncertainty, wrong)) for row in counts]
            np.testing.assert_allclose(found[name], expected, rtol=1e-9, atol=1e-12, err_msg=name)

    def test_selection_takes_losses_of_right_and_wrong_only(self):
        with pytest.raises(ValueError, match=r"`losses` must be 0 or 1. Received values from 0.0 to 0.5"):
            weighted_ranks.selection_scores([0.1, 0.2], [0.0, 0.5])

    @pytest.mark.parametrize("risk", [0.01, 0.05, 0.07, 0.15, 0.29])
    def test_a_risk_that_is_met_exactly_is_met(self, risk):
        for num in (100, 300, 700, 1900):  # 0.29 * 100 is 28.999999999999996
            losses = np.arange(num) < round(risk * num)
            figures = weighted_ranks.selection_scores(np.zeros(num), losses, risks=(risk,))(np.ones([1, num]))
            assert figures[f"coverage_at_risk_{risk:g}"] == metrics.coverage_at_risk(np.zeros(num), losses, risk=risk)
            assert figures[f"coverage_at_risk_{risk:g}"] == 1.0

    def test_ood_figures(self, counts):
        rng = np.random.default_rng(7)
        inside, outside = rng.normal(size=N).round(1), (rng.normal(size=M) + 1).round(1)
        strange = resampling.draw_counts(rng, 8, M)
        found = weighted_ranks.ood_figures(inside, outside)(counts, strange)
        for i, (a, b) in enumerate(zip(counts, strange, strict=True)):
            expected = metrics.ood_report(*repeated(a, inside), *repeated(b, outside))
            for name, value in expected._asdict().items():
                assert found[name][i] == pytest.approx(value), name


class TestIntervals:
    def test_they_are_those_of_the_general_bootstrap(self, predicted):
        figures = weighted_scores.class_scores(*predicted)
        quick = resampling.resampled_intervals(figures, N, num_resamples=4000, seed=1)
        for name, metric in (("accuracy", metrics.accuracy), ("brier_score", metrics.brier_score)):
            slow = metrics.bootstrap(metric, *predicted, num_resamples=1000, seed=2)
            assert quick[name].value == pytest.approx(slow.value)
            width = slow.upper - slow.lower  # ends of two bootstraps differ by chance: 6 standard errors
            np.testing.assert_allclose(quick[name][1:], slow[1:], atol=0.2 * width)

    def test_calibration_errors_are_mirrored_and_end_at_the_least(self, predicted):
        figures = weighted_scores.calibration_scores(*predicted)
        plain = resampling.resampled_intervals(figures, N)["expected_calibration_error"]
        least = {"expected_calibration_error": 0.01}
        basic = resampling.resampled_intervals(figures, N, basic=least)["expected_calibration_error"]
        assert basic.lower == pytest.approx(max(2 * plain.value - plain.upper, 0.01))
        assert basic.upper == pytest.approx(2 * plain.value - plain.lower)

    def test_the_seed_decides_and_blocks_do_not_matter(self, predicted, monkeypatch):
        figures = weighted_scores.class_scores(*predicted)
        whole = resampling.resampled_intervals(figures, N, num_resamples=50, seed=4)
        monkeypatch.setattr(resampling, "_NUMBERS_AT_ONCE", 7 * N)
        assert resampling.resampled_intervals(figures, N, num_resamples=50, seed=4) == whole
        assert resampling.resampled_intervals(figures, N, num_resamples=50, seed=5) != whole

    def test_what_is_undefined_has_no_ends(self):
        found = resampling.resampled_intervals(lambda counts: {"a": np.full(len(counts), np.nan)}, 3)["a"]
        assert np.isnan(found).all()

    def test_a_bad_level_is_refused(self):
        with pytest.raises(ValueError, match="`level` must lie strictly between 0 and 1"):
            resampling.resampled_intervals(lambda counts: {}, 3, level=95)


@pytest.fixture(scope="module")
def bands(predicted):
    return nulls.calibration_nulls(predicted[0], num_draws=2000)


class TestNulls:
    @pytest.mark.parametrize(
        "name",
        ["maximum", "adaptive", "debiased_squared", "smooth", "classwise"],
    )
    def test_bands_are_those_of_labels_drawn_one_set_at_a_time(self, predicted, bands, name):
        name = f"{name}_calibration_error"
        band = bands[name]
        slow = metrics.calibration_null(getattr(metrics, name), predicted[0], num_draws=400, seed=9)
        spread = slow.upper - slow.lower
        # The mean of 200 draws is known to spread / 3.3 / sqrt(200); the classwise band has no more of them.
        assert band.mean == pytest.approx(slow.mean, abs=0.12 * spread + 5e-4)
        np.testing.assert_allclose(band[1:], slow[1:], atol=0.25 * spread + 5e-4)

"""Claims about accumulators: any batches, merged in any way, give the figure of all data, or enclose it."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictors import calibrated

from bayesconv import metrics

SEEDS = st.integers(0, 1000)


def _batches(rng, num):
    """Ends of batches of different sizes."""
    cuts = np.sort(rng.choice(np.arange(1, num), size=min(4, num - 1), replace=False))
    return np.split(np.arange(num), cuts)


def _fed(make, rng, num, update):
    """One accumulator that has seen all batches, and one merged from two that have seen half of them each."""
    whole, parts = make(), (make(), make())
    for i, batch in enumerate(_batches(rng, num)):
        update(whole, batch)
        update(parts[i % 2], batch)
    parts[0].merge(parts[1])
    return whole, parts[0]


MEANS = {
    "accuracy": lambda d: (metrics.accuracy, d["probs"], d["labels"]),
    "top-k": lambda d: (functools.partial(metrics.top_k_accuracy, k=2), d["probs"], d["labels"]),
    "nll": lambda d: (metrics.negative_log_likelihood, d["probs"], d["labels"]),
    "brier": lambda d: (metrics.brier_score, d["probs"], d["labels"]),
    "gaussian nll": lambda d: (metrics.gaussian_negative_log_likelihood, d["mean"], d["stddev"], d["y"]),
    "gaussian crps": lambda d: (metrics.gaussian_crps, d["mean"], d["stddev"], d["y"]),
    "coverage": lambda d: (metrics.interval_coverage, d["mean"] - 1, d["mean"] + 1, d["y"]),
    "width": lambda d: (metrics.mean_interval_width, d["mean"] - 1, d["mean"] + d["stddev"]),
    "interval score": lambda d: (metrics.interval_score, d["mean"] - 1, d["mean"] + 1, d["y"]),
}


@pytest.mark.parametrize("name", MEANS)
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_means_are_those_of_all_data(name, seed):
    rng = np.random.default_rng(seed)
    probs, labels = calibrated(rng, 60)
    mean, stddev, y = rng.normal(size=60), np.exp(rng.normal(size=60)), rng.normal(size=60)
    metric, *arrays = MEANS[name]({"probs": probs, "labels": labels, "mean": mean, "stddev": stddev, "y": y})
    make = functools.partial(metrics.RunningMean, metric)
    for running in _fed(make, rng, 60, lambda r, batch: r.update(*(a[batch] for a in arrays))):
        assert running.result() == pytest.approx(metric(*arrays), rel=1e-12)


def test_samples_have_their_examples_on_the_second_axis(rng):
    samples, y = rng.normal(size=(5, 60)), rng.normal(size=60)
    make = functools.partial(metrics.RunningMean, metrics.sample_crps)
    for running in _fed(make, rng, 60, lambda r, batch: r.update(samples[:, batch], y[batch])):
        assert running.result() == pytest.approx(metrics.sample_crps(samples, y), rel=1e-12)


def test_a_mean_of_batches_is_not_what_is_returned():
    running = metrics.RunningMean(metrics.accuracy)
    running.update([[0.9, 0.1]], [1])
    running.update([[0.9, 0.1]] * 9, [0] * 9)
    assert running.result() == pytest.approx(0.9)  # the batches' own mean is 0.5


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 80), st.integers(1, 20), SEEDS)
def test_calibration_errors_are_those_of_all_data(num, num_bins, seed):
    rng = np.random.default_rng(seed)
    probs, labels = calibrated(rng, num)
    make = functools.partial(metrics.RunningCalibration, num_bins)
    for running in _fed(make, rng, num, lambda r, batch: r.update(probs[batch], labels[batch])):
        for name, value in running.result()._asdict().items():
            assert value == pytest.approx(getattr(metrics, name)(probs, labels, num_bins=num_bins), abs=1e-12)
        expected = metrics.reliability_curve(probs, labels, num_bins=num_bins)
        for mine, whole in zip(running.curve(), expected, strict=True):
            np.testing.assert_allclose(mine, whole, rtol=1e-12)


def test_confusion_is_that_of_all_images(rng):
    found, labels = rng.integers(0, 4, (2, 20, 5, 5))
    labels[:, 0] = 255
    make = functools.partial(metrics.RunningConfusion, num_classes=4, ignored_label=255)
    expected = metrics.confusion_matrix(found, labels, num_classes=4, ignored_label=255)
    for running in _fed(make, rng, 20, lambda r, batch: r.update(found[batch], labels[batch])):
        np.testing.assert_array_equal(running.result(), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 30), SEEDS)
def test_binned_ranks_enclose_the_exact_figures(num, num_edges, seed):
    rng = np.random.default_rng(seed)
    u, strange = rng.normal(size=num).round(1), 0.5 + rng.normal(size=num).round(1)
    losses = (rng.random(num) < 0.4).astype(float)
    edges = np.sort(rng.normal(size=num_edges + 1))

    auroc = _fed(
        lambda: metrics.RunningAuroc(edges), rng, num, lambda r, b: r.update(in_scores=u[b], out_scores=strange[b])
    )
    aurc = _fed(lambda: metrics.RunningRiskCoverage(edges), rng, num, lambda r, b: r.update(u[b], losses[b]))
    exact = metrics.ood_auroc(u, strange), metrics.area_under_risk_coverage(u, losses)
    for pair, figure in ((auroc, exact[0]), (aurc, exact[1])):
        assert pair[0].result() == pair[1].result()
        value, lower, upper = pair[0].result()
        assert lower - 1e-12 <= figure <= upper + 1e-12
        assert lower - 1e-12 <= value <= upper + 1e-12


def test_ends_are_reached_by_the_best_and_the_worst_order(rng):
    """Two bins of examples, ordered within each such that the failures come last, or first."""
    bins, losses = np.repeat([0.0, 1.0], [20, 30]), (rng.random(50) < 0.4).astype(float)
    running = metrics.RunningRiskCoverage([0.5])
    running.update(bins, losses)
    value, lower, upper = running.result()
    assert value == pytest.approx(metrics.area_under_risk_coverage(bins, losses), rel=1e-12)
    assert lower == pytest.approx(metrics.area_under_risk_coverage(bins + 0.1 * losses, losses), rel=1e-12)
    assert upper == pytest.approx(metrics.area_under_risk_coverage(bins - 0.1 * losses, losses), rel=1e-12)


def test_edges_between_all_scores_make_it_exact_and_quantiles_nearly():
    rng = np.random.default_rng(0)
    inside, outside = rng.gamma(0.3, size=5000), rng.gamma(0.9, size=5000)  # near 0 most of the time, as entropies are
    exact = metrics.ood_auroc(inside, outside)

    def result(edges):
        running = metrics.RunningAuroc(edges)
        running.update(in_scores=inside, out_scores=outside)
        return running.result()

    assert result(np.unique(np.append(inside, outside))) == pytest.approx((exact,) * 3, abs=1e-12)
    few = result(np.quantile(inside[:1000], np.linspace(0, 1, 500)[1:-1]))
    assert abs(few.value - exact) < 1e-4
    assert few.upper - few.lower < 0.005


def test_a_long_stream_needs_no_more_memory_than_a_short_one(rng):
    running = metrics.RunningCalibration()
    for _ in range(3):
        running.update(*calibrated(rng, 500))
    assert sum(field.size for field in (*running._top, *running._classwise)) == 4 * 15 * (1 + 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.RunningMean(metrics.accuracy).result(), "`result` needs examples"),
        (lambda: metrics.RunningCalibration().result(), "`result` needs examples"),
        (lambda: metrics.RunningCalibration().curve(), "`result` needs examples"),
        (lambda: metrics.RunningAuroc([0.5]).result(), "`result` needs scores of both sets"),
        (lambda: metrics.RunningRiskCoverage([0.5]).result(), "`result` needs examples"),
        (lambda: metrics.RunningAuroc([0.5, 0.1]), "`edges` must rise"),
        (lambda: metrics.RunningRiskCoverage([0.5]).update([0.1], [0.5]), "`losses` must be 0 or 1"),
        (lambda: metrics.RunningAuroc([0.5]).merge(metrics.RunningAuroc([0.6])), "same edges"),
        (lambda: metrics.RunningCalibration(5).merge(metrics.RunningCalibration(6)), "5 bins. Received one of 6"),
        (
            lambda: metrics.RunningConfusion(num_classes=2).merge(metrics.RunningConfusion(num_classes=3)),
            "2 classes. Received 3",
        ),
    ],
)
def test_bad_use_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_batches_have_one_number_of_classes():
    running = metrics.RunningCalibration()
    running.update([[0.5, 0.5]], [0])
    with pytest.raises(ValueError, match=r"`probs` must have 2 classes.*Received 3"):
        running.update([[0.2, 0.3, 0.5]], [0])

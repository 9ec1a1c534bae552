"""Claims about accumulators: any batches, merged in any way, give the figure of all data, or enclose it."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictors import calibrated

from bayesconv import metrics
from bayesconv.metrics.nulls import counted_quantile_null

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
        assert running.smooth() == pytest.approx(metrics.smooth_calibration_error(probs, labels), abs=1e-8)
        parts = metrics.brier_decomposition(probs, labels, num_bins=num_bins)
        assert running.brier_decomposition() == pytest.approx(parts, abs=1e-12)


def test_null_bands_from_bins_are_those_of_the_probabilities(rng):
    probs, labels = calibrated(rng, 3000)
    running = metrics.RunningCalibration()
    for batch in np.split(np.arange(3000), 3):
        running.update(probs[batch], labels[batch])
    found = running.nulls()
    exact = {"expected_calibration_error": metrics.ece_null(probs), **metrics.calibration_nulls(probs)}
    for name, band in found.items():
        spread = exact[name].upper - exact[name].lower
        assert band.upper - band.lower == pytest.approx(spread, rel=0.15), name  # 1000 draws know an end to 3 %
        assert abs(band.mean - exact[name].mean) < 0.05 * spread, name  # of 1000 draws the mean is within 0.03 of it
        assert getattr(running.result(), name) < 2 * band.upper  # calibrated by construction
    assert len(found) == 3


def test_the_band_of_counted_quantiles_is_that_of_targets():
    for num_levels in (3, 99):
        found = counted_quantile_null(80, num_levels=num_levels, num_draws=4000)
        exact = metrics.quantile_calibration_null(80, num_levels=num_levels, num_draws=4000)
        assert found == pytest.approx(exact, rel=0.06)


def test_the_band_of_given_levels_is_that_of_uniform_targets(rng):
    levels = np.array([0.05, 0.5, 0.9])
    found = counted_quantile_null(60, levels=levels, num_draws=4000)
    shares = (rng.random((4000, 60, 1)) <= levels).mean(axis=1)
    errors = np.abs(shares - levels).mean(axis=1)
    assert found.mean == pytest.approx(errors.mean(), rel=0.05)  # 4000 draws know the mean to 1 %
    for end, level in ((found.lower, 0.025), (found.upper, 0.975)):
        assert end == pytest.approx(np.quantile(errors, level), abs=0.012)  # errors are multiples of 1/180 = 0.0056


def test_confusion_is_that_of_all_images(rng):
    found, labels = rng.integers(0, 4, (2, 20, 5, 5))
    labels[:, 0] = 255
    make = functools.partial(metrics.RunningConfusion, num_classes=4, ignored_label=255)
    expected = metrics.confusion_matrix(found, labels, num_classes=4, ignored_label=255)
    for running in _fed(make, rng, 20, lambda r, batch: r.update(found[batch], labels[batch])):
        np.testing.assert_array_equal(running.result(), expected)


OF_SETS = {
    "auroc": (lambda r: r.result(), metrics.ood_auroc),
    "aupr in": (lambda r: r.aupr(positive="in"), functools.partial(metrics.ood_aupr, positive="in")),
    "aupr out": (lambda r: r.aupr(), metrics.ood_aupr),
    "fpr95": (lambda r: r.fpr(), metrics.ood_fpr),
    "fpr out": (
        lambda r: r.fpr(tpr=0.6, positive="out"),
        functools.partial(metrics.ood_fpr, tpr=0.6, positive="out"),
    ),
}
OF_FAILURES = {
    "aurc": (lambda r: r.result(), metrics.area_under_risk_coverage),
    "e-aurc": (lambda r: r.excess_area(), metrics.excess_area_under_risk_coverage),
    "augrc": (lambda r: r.generalized_area(), metrics.area_under_generalized_risk_coverage),
    "risk": (lambda r: r.risk_at_coverage(0.7), functools.partial(metrics.risk_at_coverage, coverage=0.7)),
    "risk of all": (lambda r: r.risk_at_coverage(1.0), functools.partial(metrics.risk_at_coverage, coverage=1.0)),
    "coverage": (lambda r: r.coverage_at_risk(0.2), functools.partial(metrics.coverage_at_risk, risk=0.2)),
    "coverage of more": (lambda r: r.coverage_at_risk(0.45), functools.partial(metrics.coverage_at_risk, risk=0.45)),
    "no risk": (lambda r: r.coverage_at_risk(0.0), functools.partial(metrics.coverage_at_risk, risk=0.0)),
}


def _auroc(edges, inside, outside):
    running = metrics.RunningAuroc(edges)
    running.update(in_scores=inside, out_scores=outside)
    return running


def _risk_coverage(edges, uncertainty, losses):
    running = metrics.RunningRiskCoverage(edges)
    running.update(uncertainty, losses)
    return running


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 30), SEEDS)
def test_binned_ranks_enclose_the_exact_figures(num, num_edges, seed):
    rng = np.random.default_rng(seed)
    u, strange = rng.normal(size=num).round(1), 0.5 + rng.normal(size=num).round(1)
    losses = (rng.random(num) < 0.4).astype(float)
    edges = np.sort(rng.normal(size=num_edges + 1))

    of_sets = _fed(
        lambda: metrics.RunningAuroc(edges), rng, num, lambda r, b: r.update(in_scores=u[b], out_scores=strange[b])
    )
    of_failures = _fed(lambda: metrics.RunningRiskCoverage(edges), rng, num, lambda r, b: r.update(u[b], losses[b]))
    for pair, figures, other in ((of_sets, OF_SETS, strange), (of_failures, OF_FAILURES, losses)):
        for name, (streamed, exact) in figures.items():
            assert streamed(pair[0]) == streamed(pair[1])
            value, lower, upper = streamed(pair[0])
            assert lower - 1e-12 <= exact(u, other) <= upper + 1e-12, name
            assert lower - 1e-12 <= value <= upper + 1e-12, name


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), SEEDS)
def test_a_bin_for_each_score_gives_the_exact_figures(num, seed):
    rng = np.random.default_rng(seed)
    u, strange = rng.normal(size=num).round(1), 0.5 + rng.normal(size=num).round(1)
    losses, edges = (rng.random(num) < 0.4).astype(float), np.unique(np.append(u, strange))
    for name, (streamed, exact) in OF_SETS.items():
        assert streamed(_auroc(edges, u, strange)).value == pytest.approx(exact(u, strange), abs=1e-12), name
    for name, (streamed, exact) in OF_FAILURES.items():
        assert streamed(_risk_coverage(edges, u, losses)).value == pytest.approx(exact(u, losses), abs=1e-12), name


# Of three in a bin, ties included: 13, and 169 of two bins.
ORDERS = sorted(
    {tuple(np.unique(ranks, return_inverse=True)[1] / 10) for ranks in itertools.product(range(3), repeat=3)}
)
TWO_ORDERS = [np.concatenate(pair) for pair in itertools.product(ORDERS, ORDERS)]


@pytest.mark.parametrize("kinds", [[0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 0, 1]])
@pytest.mark.parametrize("name", OF_SETS)
def test_no_order_within_the_bins_goes_beyond_the_ends_for_sets_and_some_reach_them(name, kinds):
    streamed, exact = OF_SETS[name]
    is_strange, bins = np.array(kinds) == 1, np.repeat([0.0, 1.0], 3)
    _, lower, upper = streamed(_auroc([0.5], bins[~is_strange], bins[is_strange]))
    found = [exact((bins + order)[~is_strange], (bins + order)[is_strange]) for order in TWO_ORDERS]
    assert (min(found), max(found)) == pytest.approx((lower, upper), abs=1e-12)


@pytest.mark.parametrize("losses", [[0, 1, 0, 1, 0, 1], [1, 0, 0, 0, 0, 1]])
@pytest.mark.parametrize("name", OF_FAILURES)
def test_no_order_within_the_bins_goes_beyond_the_ends_for_failures_and_some_reach_them(name, losses):
    streamed, exact = OF_FAILURES[name]
    bins = np.repeat([0.0, 1.0], 3)
    _, lower, upper = streamed(_risk_coverage([0.5], bins, losses))
    found = [exact(bins + order, losses) for order in TWO_ORDERS]
    assert (min(found), max(found)) == pytest.approx((lower, upper), abs=1e-12)


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
    assert running._cells.size == 2**13


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.RunningMean(metrics.accuracy).result(), "`result` needs examples"),
        (lambda: metrics.RunningCalibration().result(), "`result` needs examples"),
        (lambda: metrics.RunningCalibration().curve(), "`result` needs examples"),
        (lambda: metrics.RunningAuroc([0.5]).result(), "`result` needs scores of both sets"),
        (lambda: metrics.RunningAuroc([0.5]).aupr(), "`aupr` needs scores of both sets"),
        (lambda: metrics.RunningAuroc([0.5]).fpr(), "`fpr` needs scores of both sets"),
        (lambda: _auroc([0.5], [0.1], [0.9]).aupr(positive="on"), "must be 'in' or 'out'.* Received 'on'"),
        (lambda: _auroc([0.5], [0.1], [0.9]).fpr(tpr=95), "`tpr` must lie strictly between 0 and 1"),
        (lambda: metrics.RunningRiskCoverage([0.5]).result(), "`result` needs examples"),
        (lambda: metrics.RunningRiskCoverage([0.5]).excess_area(), "`excess_area` needs examples"),
        (lambda: metrics.RunningRiskCoverage([0.5]).coverage_at_risk(), "`coverage_at_risk` needs examples"),
        (lambda: _risk_coverage([0.5], [0.1], [1]).risk_at_coverage(80), "`coverage` must lie strictly"),
        (lambda: metrics.RunningCalibration().nulls(), "`result` needs examples"),
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

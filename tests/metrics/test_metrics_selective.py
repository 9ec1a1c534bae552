"""Claims about risk, coverage and abstention, against loops over orders and thresholds and a law of large numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from bayesconv import metrics


def _all_orders(uncertainty, losses):
    """The losses in every order in which rising uncertainty may put them."""
    groups = [
        list(itertools.permutations([loss for u, loss in zip(uncertainty, losses, strict=True) if u == value]))
        for value in sorted(set(uncertainty))
    ]
    for choice in itertools.product(*groups):
        yield [loss for group in choice for loss in group]


def _risks(losses):
    return [np.mean(losses[:k]) for k in range(1, len(losses) + 1)]


U, LOSSES = [0.3, 0.1, 0.3, 0.7, 0.1, 0.3, 0.9], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]


def test_ties_count_as_the_average_over_their_orders():
    orders = list(_all_orders(U, LOSSES))
    assert len(orders) == 12
    expected = np.mean([np.mean(_risks(losses)) for losses in orders])
    assert metrics.area_under_risk_coverage(U, LOSSES) == pytest.approx(expected, rel=1e-14)
    for coverage, k in ((0.2, 2), (0.5, 4), (5 / 7, 5), (1.0, 7)):
        expected = np.mean([_risks(losses)[k - 1] for losses in orders])
        assert metrics.risk_at_coverage(U, LOSSES, coverage=coverage) == pytest.approx(expected, rel=1e-14)


def test_the_excess_is_over_the_best_of_all_orders():
    best = min(np.mean(_risks(list(losses))) for losses in itertools.permutations(LOSSES))
    found = metrics.excess_area_under_risk_coverage(U, LOSSES)
    assert found == pytest.approx(metrics.area_under_risk_coverage(U, LOSSES) - best, rel=1e-13)
    assert metrics.excess_area_under_risk_coverage(LOSSES, LOSSES) == 0.0


def test_the_best_order_approaches_its_limit(rng):
    losses = (rng.random(20_000) < 0.2).astype(float)
    r = losses.mean()
    assert metrics.area_under_risk_coverage(losses, losses) == pytest.approx(r + (1 - r) * np.log(1 - r), rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 50), st.integers(1, 12), st.integers(0, 1000))
def test_augrc_is_a_function_of_the_failures_auroc(num, num_values, seed):
    rng = np.random.default_rng(seed)
    uncertainty, losses = rng.integers(0, num_values, num), rng.integers(0, 2, num)
    losses[:2] = 0, 1
    r = losses.mean()
    expected = (1 - roc_auc_score(losses, uncertainty)) * r * (1 - r) + r**2 / 2
    found = metrics.area_under_generalized_risk_coverage(uncertainty, losses)
    assert found == pytest.approx(expected, abs=1e-13)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=30), st.integers(0, 1000))
def test_figures_depend_on_the_ranks_only_and_not_on_the_order(pairs, seed):
    u, losses = (np.array(column, float) for column in zip(*pairs, strict=True))
    order = np.random.default_rng(seed).permutation(len(u))
    for metric in metrics.metrics_of("selection").values():
        expected = metric(u, losses)
        assert metric(u[order], losses[order]) == pytest.approx(expected, abs=1e-13)
        assert metric(np.exp(u) - 7, losses) == pytest.approx(expected, abs=1e-13)
    assert metrics.excess_area_under_risk_coverage(u, losses) >= -1e-13


def test_the_curve_and_the_largest_coverage_equal_a_loop_over_thresholds():
    curve = metrics.risk_coverage_curve(U, LOSSES)
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        kept = [loss for u, loss in zip(U, LOSSES, strict=True) if u <= threshold]
        assert (coverage, risk) == pytest.approx((len(kept) / 7, np.mean(kept)))
    assert curve.threshold.tolist() == sorted(set(U))
    for target in (0.0, 0.1, 0.5, 0.55, 0.6, 1.0):
        expected = max([c for c, r in zip(curve.coverage, curve.risk, strict=True) if r <= target], default=0)
        assert metrics.coverage_at_risk(U, LOSSES, risk=target) == expected


def test_a_threshold_for_coverage_keeps_as_little_as_suffices(rng):
    u = rng.normal(size=40)
    for coverage in (0.01, 0.1, 0.55, 0.7, 1.0):  # 0.55 * 40 exceeds 22 by rounding
        threshold = metrics.threshold_for_coverage(u, coverage=coverage)
        assert np.mean(u <= threshold) >= coverage - 1e-12
        assert np.mean(u < threshold) < coverage - 1e-12


def test_a_threshold_without_a_guarantee_is_the_one_of_the_largest_coverage(rng):
    u, losses = rng.integers(0, 20, 80) / 20, (rng.random(80) < 0.3).astype(float)
    for target in (0.2, 0.3, 0.5):
        found = metrics.threshold_for_risk(u, losses, risk=target)
        assert found.coverage == metrics.coverage_at_risk(u, losses, risk=target)
        assert not found.risk > target
        assert found[:3] == metrics.selection(u, losses, threshold=found.threshold)[:3]


def test_where_no_threshold_will_do_everything_is_left_out():
    for level in (None, 0.95):
        found = metrics.threshold_for_risk([0.1, 0.2], [1, 1], risk=0.1, confidence_level=level)
        assert (found.threshold, found.coverage) == (-np.inf, 0.0)
        assert np.isnan(found.risk)
        assert np.isnan(found.risk_bound)


def _world(rng, num):
    """Uncertainty uniform on [0, 1], wrong with probability 0.4 u: the risk of a threshold t is 0.2 t."""
    u = rng.random(num)
    return u, (rng.random(num) < 0.4 * u).astype(float)


def test_the_guarantee_holds_and_the_measured_risk_gives_none():
    # Correct code breaks the target with probability 0.2 at most: 200 sets exceed the limit with probability 1e-6.
    limit = stats.binom.isf(1e-6, 200, 0.2)
    rng, broken, broken_as_measured, coverage = np.random.default_rng(0), 0, 0, []
    for _ in range(200):
        u, losses = _world(rng, 1000)
        guaranteed = metrics.threshold_for_risk(u, losses, risk=0.1, confidence_level=0.8)
        measured = metrics.threshold_for_risk(u, losses, risk=0.1)
        broken += 0.2 * guaranteed.threshold > 0.1
        broken_as_measured += 0.2 * measured.threshold > 0.1
        coverage.append(guaranteed.coverage)
    assert broken <= limit < broken_as_measured
    assert np.mean(coverage) > 0.25  # of 0.5 that knowing the truth would allow: it is no empty promise


def test_the_bound_is_clopper_and_pearsons_shared_among_twenty(rng):
    u, losses = _world(rng, 400)
    found = metrics.threshold_for_risk(u, losses, risk=0.2, confidence_level=0.9)
    kept = u <= found.threshold
    failures, trials = losses[kept].sum(), kept.sum() - 1
    exact = stats.binomtest(int(failures), int(trials), alternative="less").proportion_ci(1 - 0.1 / 20)
    assert found.risk_bound == pytest.approx(exact.high, rel=1e-9)
    assert found.risk <= found.risk_bound <= 0.2
    assert kept.sum() % 20 == 0  # one of the coverages fixed beforehand


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.area_under_risk_coverage([0.1], [0, 1]), r"`losses` must have shape \[1\].*\[2\]"),
        (lambda: metrics.area_under_risk_coverage([np.nan], [0]), "`uncertainty` must be a vector of finite"),
        (lambda: metrics.risk_at_coverage([0.1], [0], coverage=0.0), "`coverage` must lie strictly.*0.0"),
        (lambda: metrics.risk_at_coverage([0.1], [0], coverage=80), "`coverage`.*no percentage.*80"),
        (lambda: metrics.threshold_for_coverage([0.1], coverage=1.2), "`coverage`"),
        (lambda: metrics.threshold_for_risk([0.1], [0], risk=5.0), "`risk` must lie"),
        (lambda: metrics.threshold_for_risk([0.1], [0], risk=0.1, confidence_level=95), "`confidence_level`.*95"),
        (
            lambda: metrics.threshold_for_risk([0.1, 0.2], [0.5, 0], risk=0.1, confidence_level=0.9),
            "`losses` must be 0 or 1 for a guarantee.*drop `confidence_level`.*0.0 to 0.5",
        ),
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()

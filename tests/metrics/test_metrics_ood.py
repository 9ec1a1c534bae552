"""Claims about uncertainties and how they separate two sets, against loops over thresholds, pairs and votes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import roc_curve

from bayesconv import metrics


@pytest.fixture
def sets(rng):
    return rng.integers(0, 8, 40) / 8, rng.integers(2, 10, 30) / 8  # with ties


def _average_precision(positive, negative):
    """Sum over thresholds of precision times the gain in recall, by counting."""
    area, recall = 0.0, 0.0
    for threshold in sorted({*positive, *negative}, reverse=True):
        found = sum(value >= threshold for value in positive)
        precision = found / (found + sum(value >= threshold for value in negative))
        area, recall = area + (found / len(positive) - recall) * precision, found / len(positive)
    return area


def test_aupr_is_that_of_a_loop_both_ways(sets):
    inside, outside = sets
    found = metrics.ood_aupr(inside, outside)
    assert found == pytest.approx(_average_precision(outside, inside))
    other = metrics.ood_aupr(inside, outside, positive="in")
    assert other == pytest.approx(_average_precision(-inside, -outside))
    assert abs(found - other) > 0.01  # two figures, not one


@pytest.mark.parametrize("tpr", [0.05, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("positive", ["in", "out"])
def test_fpr_is_the_least_of_the_roc_curve(sets, tpr, positive):
    inside, outside = sets
    labels, scores = np.repeat([0, 1], [40, 30]), np.concatenate(sets)
    if positive == "in":
        labels, scores = 1 - labels, -scores
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    expected = false[true >= tpr - 1e-12].min()
    assert metrics.ood_fpr(inside, outside, tpr=tpr, positive=positive) == pytest.approx(expected)


def test_twenty_familiar_scores_let_the_twentieth_go():
    inside = np.arange(20.0)
    assert metrics.ood_fpr(inside, [17.5, 18.5, 19.5, 20.5]) == 0.25  # 19 of 20 pass, up to a score of 18


def test_report_holds_the_four(sets):
    report = metrics.ood_report(*sets)
    assert report.auroc == metrics.ood_auroc(*sets)
    assert report.aupr_in == metrics.ood_aupr(*sets, positive="in")
    assert report.aupr_out == metrics.ood_aupr(*sets)
    assert report.fpr95 == metrics.ood_fpr(*sets, tpr=0.95, positive="in")


def test_separated_and_identical_sets():
    assert metrics.ood_report([0.0, 1.0], [2.0, 3.0]) == (1.0, 1.0, 1.0, 0.0)
    same = metrics.ood_report([1.0] * 6, [1.0] * 3)
    assert same == pytest.approx((0.5, 6 / 9, 3 / 9, 1.0))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.lists(st.integers(0, 6), min_size=1, max_size=20))
def test_only_the_order_of_scores_counts(inside, outside):
    before = metrics.ood_report(inside, outside)
    after = metrics.ood_report(np.exp(inside) - 9, np.exp(outside) - 9)
    assert after == pytest.approx(before, abs=1e-12)
    assert all(0 <= value <= 1 for value in before)


# The seven scores.


def test_votes_equal_loops_over_samples_and_pairs(rng):
    samples = softmax(rng.normal(size=(6, 30, 4)), axis=-1)
    top = samples.argmax(axis=-1)
    for n in range(30):
        votes = top[:, n].tolist()
        most = max(votes.count(k) for k in range(4))
        assert metrics.variation_ratio(samples)[n] == pytest.approx(1 - most / 6)
        pairs = [a != b for a, b in itertools.permutations(votes, 2)]
        assert metrics.disagreement(samples)[n] == pytest.approx(np.mean(pairs))
        mean = [np.mean([samples[s, n, k] for s in range(6)]) for k in range(4)]
        k = mean.index(max(mean))
        expected = np.sqrt(np.mean([(samples[s, n, k] - mean[k]) ** 2 for s in range(6)]))
        assert metrics.top_class_stddev(samples)[n] == pytest.approx(expected)


def test_scores_are_the_functions_of_their_names_and_energy_is_of_the_mean_logits(rng):
    logits = 3 * rng.normal(size=(5, 20, 4))
    samples = softmax(logits, axis=-1)
    scores = metrics.ood_scores(logits)
    assert list(scores) == [
        "max_probability", "predictive_entropy", "expected_entropy", "energy",
        "mutual_information", "variation_ratio", "top_class_stddev",
    ]  # fmt: skip
    close = np.testing.assert_allclose
    close(scores["max_probability"], 1 - samples.mean(axis=0).max(axis=1))
    close(scores["predictive_entropy"], metrics.predictive_entropy(samples.mean(axis=0)))
    for name in ("expected_entropy", "mutual_information", "variation_ratio", "top_class_stddev"):
        close(scores[name], getattr(metrics, name)(samples))
    mean = logits.mean(axis=0)
    close(scores["energy"], [-np.log(sum(np.exp(z) for z in row)) for row in mean])


def test_every_score_is_higher_where_the_samples_disagree(rng):
    sure = np.tile([9.0, 0.0, 0.0], (8, 5, 1)) + 0.1 * rng.normal(size=(8, 5, 3))
    torn = 3 * rng.normal(size=(8, 40, 3))
    torn = torn[:, np.argsort(metrics.variation_ratio(softmax(torn, axis=-1)))[-5:]]  # where votes differ most
    familiar, strange = metrics.ood_scores(sure), metrics.ood_scores(torn)
    assert {name: metrics.ood_auroc(familiar[name], strange[name]) for name in familiar} == dict.fromkeys(familiar, 1.0)


def test_a_single_sample_has_no_scores_of_disagreement(rng):
    logits = rng.normal(size=(20, 4))
    names = ["max_probability", "predictive_entropy", "expected_entropy", "energy"]
    assert list(metrics.ood_scores(logits)) == list(metrics.ood_scores(logits[None])) == names


def test_huge_logits_do_not_overflow():
    assert metrics.ood_scores([[1e4, 0.0]])["energy"].tolist() == [-1e4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.ood_aupr([], [1.0]), "`in_scores`.*not empty"),
        (lambda: metrics.ood_aupr([1.0], [1.0], positive="ood"), "`positive` must be 'in' or 'out'.*'ood'"),
        (lambda: metrics.ood_fpr([1.0], [1.0], positive=1), "`positive` must be 'in' or 'out'"),
        (lambda: metrics.ood_fpr([1.0], [np.inf]), "`out_scores`.*finite"),
        (lambda: metrics.ood_fpr([1.0], [1.0], tpr=95), "`tpr` must lie strictly.*95"),
        (lambda: metrics.ood_scores([0.0, 1.0]), r"`sample_logits` must be \[N, K\] or \[S, N, K\].*\[2\]"),
        (lambda: metrics.disagreement([[[0.5, 0.5]]]), "at least 2 samples"),
        (lambda: metrics.variation_ratio([[0.5, 0.5]]), r"`sample_probs` must be \[S, N, K\]"),
        (lambda: metrics.top_class_stddev([[0.5, 0.5]]), r"`sample_probs` must be \[S, N, K\]"),
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()

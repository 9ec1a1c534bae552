"""Claims about top-k accuracy and the parts of the Brier score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictors import calibrated
from sklearn.metrics import top_k_accuracy_score

from bayesconv import metrics


@pytest.mark.parametrize("k", [1, 2, 4, 5])
def test_top_k_accuracy_equals_scikit_learn_and_begins_with_accuracy(rng, k):
    probs, labels = calibrated(rng, 300)
    found = metrics.top_k_accuracy(probs, labels, k=k)
    if k < 5:
        assert found == pytest.approx(top_k_accuracy_score(labels, probs, k=k, labels=range(5)))
    assert metrics.top_k_accuracy(probs, labels, k=1) == metrics.accuracy(probs, labels)
    assert metrics.top_k_accuracy(probs, labels, k=5) == 1.0


def test_of_equal_probabilities_exactly_k_are_guessed():
    uniform = np.full([4, 4], 0.25)
    assert [metrics.top_k_accuracy(uniform, [0, 1, 2, 3], k=k) for k in (1, 2, 3)] == [0.25, 0.5, 0.75]
    assert metrics.accuracy(uniform, [0, 1, 2, 3]) == 0.25


def _grouped(values: np.ndarray, outcomes: np.ndarray):
    """Murphy's three parts, with one group for each value that occurs."""
    base, reliability, resolution = outcomes.mean(), 0.0, 0.0
    for value in set(values.tolist()):
        group = outcomes[values == value]
        reliability += len(group) / len(values) * (value - group.mean()) ** 2
        resolution += len(group) / len(values) * (group.mean() - base) ** 2
    return reliability, resolution, base * (1 - base)


def test_parts_of_the_brier_score_equal_murphys_where_forecasts_are_few(rng):
    first = rng.integers(1, 10, 200) / 10 - 0.05  # the middles of ten bins
    probs, labels = np.stack([first, 1 - first], axis=1), rng.integers(0, 2, 200)
    found = metrics.brier_decomposition(probs, labels, num_bins=10)
    per_class = [_grouped(probs[:, k], (labels == k).astype(float)) for k in range(2)]
    np.testing.assert_allclose(found[:3], np.sum(per_class, axis=0), rtol=1e-12)
    assert abs(found.within_bins) < 1e-14


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(2, 6), st.integers(1, 20), st.integers(0, 1000))
def test_the_parts_add_up_to_the_brier_score(num, num_classes, num_bins, seed):
    probs, _ = calibrated(np.random.default_rng(seed), num, num_classes)
    labels = np.random.default_rng(seed + 1).integers(0, num_classes, num)
    parts = metrics.brier_decomposition(probs, labels, num_bins=num_bins)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bins
    assert total == pytest.approx(metrics.brier_score(probs, labels), abs=1e-13)
    assert min(parts[:3]) >= 0
    assert parts.resolution <= parts.uncertainty + 1e-12


def test_without_the_fourth_part_the_sum_is_off(rng):
    probs, labels = calibrated(rng, 100)
    parts = metrics.brier_decomposition(probs, labels, num_bins=3)
    three = parts.reliability - parts.resolution + parts.uncertainty
    assert abs(three - metrics.brier_score(probs, labels)) > 0.01


@pytest.mark.parametrize("k", [0, 3])
def test_k_is_checked(k):
    with pytest.raises(ValueError, match=f"`k` must lie between 1 and the 2 classes. Received {k}"):
        metrics.top_k_accuracy([[0.5, 0.5]], [0], k=k)


@pytest.mark.parametrize(
    ("task", "arrays"),
    [
        ("classification", ([[0.75, 0.25], [0.5, 0.5]], [0, 1])),
        ("selection", ([0.1, 0.2], [0, 1])),
        ("ood", ([0.1, 0.2], [0.3, 0.4])),
        ("gaussian", ([0.0, 1.0], [1.0, 1.0], [0.5, 0.5])),
    ],
)
def test_every_metric_of_a_task_takes_its_arrays_and_is_public(task, arrays):
    for name, metric in metrics.metrics_of(task).items():
        assert getattr(metrics, name) is metric
        assert np.isfinite(metric(*arrays))


def test_an_unknown_task_is_named():
    with pytest.raises(ValueError, match=r"'classification', 'selection'.*Received 'regresion'"):
        metrics.metrics_of("regresion")

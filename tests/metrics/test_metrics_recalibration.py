"""Claims about vector and isotonic scaling, against scikit-learn, numerical gradients and known distortions."""

from __future__ import annotations

import numpy as np
import pytest
from predictors import drawn
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from bayesconv import metrics


def _loss(logits, labels, scale, bias):
    samples = softmax(scale * logits + bias, axis=-1)
    return metrics.negative_log_likelihood(samples if logits.ndim == 2 else samples.mean(axis=0), labels)


def test_a_known_distortion_of_every_class_is_recovered():
    rng = np.random.default_rng(0)
    logits, scale = 2 * rng.normal(size=(20_000, 3)), np.array([0.5, 1.0, 1.5])
    bias = np.array([0.5, -0.5, 0.0])
    found = metrics.vector_scale(logits, drawn(softmax(scale * logits + bias, axis=1), rng))
    # Standard errors of 20,000 labels are 0.02 and less here.
    np.testing.assert_allclose(found.scale, scale, atol=0.1)
    np.testing.assert_allclose(found.bias, bias, atol=0.1)
    assert found.bias.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shape", [(300, 4), (6, 300, 4)])
def test_vector_scaling_is_a_minimum_of_the_likelihood(rng, shape):
    logits = 2 * rng.normal(size=shape[-2:]) + (rng.normal(size=shape) if len(shape) == 3 else 0)
    labels = drawn(softmax(logits[0] if len(shape) == 3 else logits, axis=1), rng)
    scale, bias = metrics.vector_scale(logits, labels)
    best = _loss(logits, labels, scale, bias)
    for k in range(4):
        for step in (0.02, -0.02):
            assert best < _loss(logits, labels, scale + step * np.eye(4)[k], bias)
            assert best < _loss(logits, labels, scale, bias + step * np.eye(4)[k])
    temperature = metrics.temperature_scale(logits, labels)
    assert best <= _loss(logits, labels, 1 / temperature, 0.0) + 1e-12


def test_two_classes_are_logistic_regression(rng):
    logits = np.stack([np.zeros(500), 2 * rng.normal(size=500)], axis=1)
    labels = drawn(softmax(0.6 * logits + [0.0, 0.4], axis=1), rng)
    found = metrics.apply_vector_scaling(logits, metrics.vector_scale(logits, labels))
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, 1:], labels).predict_proba(logits[:, 1:])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_separable_data_end_at_a_bound():
    scale, bias = metrics.vector_scale([[1.0, 0.0], [0.0, 1.0]], [0, 1])
    assert (scale <= 20).all()
    assert np.isfinite(bias).all()


class _Frozen(ClassifierMixin, BaseEstimator):
    """Whose features are its probabilities."""

    def __init__(self, num_classes=3):
        self.num_classes = num_classes

    def fit(self, x, y):
        self.classes_ = np.arange(self.num_classes)
        return self

    def predict_proba(self, x):
        return x

    def predict(self, x):
        return x.argmax(axis=1)


def test_isotonic_scaling_equals_scikit_learns(rng):
    calibration = pytest.importorskip("sklearn.calibration")
    frozen = pytest.importorskip("sklearn.frozen")
    probs = softmax(2 * rng.normal(size=(400, 3)), axis=1)
    labels = drawn(softmax(0.5 * np.log(probs), axis=1), rng)
    model = frozen.FrozenEstimator(_Frozen().fit(probs, labels))
    expected = calibration.CalibratedClassifierCV(model, method="isotonic", ensemble=False)
    scaling = metrics.isotonic_scale(probs, labels)
    new = softmax(2 * rng.normal(size=(100, 3)), axis=1)
    expected = expected.fit(probs, labels).predict_proba(new)
    np.testing.assert_allclose(metrics.apply_isotonic_scaling(new, scaling), expected, atol=1e-12)


def test_isotonic_scaling_mends_an_overconfident_model():
    rng = np.random.default_rng(1)
    truth = softmax(2 * rng.normal(size=(6000, 3)), axis=1)
    labels, probs = drawn(truth, rng), softmax(2.5 * np.log(truth), axis=1)
    scaling = metrics.isotonic_scale(probs[:3000], labels[:3000])
    mended = metrics.apply_isotonic_scaling(probs[3000:], scaling)
    for error in (metrics.expected_calibration_error, metrics.classwise_calibration_error):
        assert error(mended, labels[3000:]) < error(probs[3000:], labels[3000:]) / 3


def test_a_row_whose_steps_are_all_0_becomes_uniform_and_others_are_divided_by_their_sum():
    # Steps: class 0 rises from 0 at 0.1 to 1 at 0.2, class 1 is 0, class 2 rises from 0 at 0.6 to 1 at 0.8.
    scaling = metrics.isotonic_scale([[0.2, 0.2, 0.6], [0.1, 0.1, 0.8]], [0, 2])
    found = metrics.apply_isotonic_scaling([[0.1, 0.4, 0.5], [0.15, 0.1, 0.75], [0.3, 0.6, 0.1]], scaling)
    np.testing.assert_allclose(found, [[1 / 3, 1 / 3, 1 / 3], [0.4, 0.0, 0.6], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.vector_scale([1.0, 2.0], [0]), r"`logits_val` must be \[N, K\]"),
        (lambda: metrics.vector_scale([[1.0, 2.0]], [2]), r"`labels` must lie in \[0, 2\)"),
        (
            lambda: metrics.apply_vector_scaling([[1.0, 2.0, 3.0]], metrics.VectorScaling(np.ones(2), np.zeros(2))),
            r"`logits` must have the 2 classes.*\[1, 3\]",
        ),
        (lambda: metrics.isotonic_scale([[0.5, 0.6]], [0]), "sum to one"),
        (
            lambda: metrics.apply_isotonic_scaling([[0.5, 0.5]], metrics.isotonic_scale([[0.2, 0.3, 0.5]], [0])),
            r"`probs` must have the 3 classes.*\[1, 2\]",
        ),
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Members of an ensemble count equally, whatever their draws: a point member beside one of eight draws."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

import bayesconv as bc
from bayesconv import decisions, evaluation
from bayesconv.evaluation import classification, draws

X = np.random.default_rng(0).normal(size=[60, 4]).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 3, 60)
WEIGHTS = np.array([1 / 2] + [1 / 16] * 8)
SAME = decisions.Calibration("temperature", "logits", {"temperature": 1.0})


def members(outputs):
    """Two networks that say quite different things."""
    bc.set_seed(0)
    point, spread = bc.Affine(4, outputs), bc.Affine(4, outputs, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    point(X[:1])
    point.trainable_variables[0].assign(3 * point.trainable_variables[0])
    return [point, spread]


@pytest.fixture(scope="module")
def unequal():
    found = bc.predict(members(3), X, num_samples=8)
    assert found.draws_by_member == (1, 8)
    return found


def repeated(values):
    """As often as they count: 16 times the weight."""
    return np.repeat(values, [8] + [1] * 8, axis=0)


def test_averages_and_weights_are_those_of_repeated_draws(unequal):
    np.testing.assert_allclose(draws.weights_of(unequal), WEIGHTS)
    means = draws.average(unequal.logits.astype(float), draws.weights_of(unequal))
    np.testing.assert_allclose(means, repeated(unequal.logits.astype(float)).mean(axis=0))
    evened = draws.evened(unequal, 16)
    np.testing.assert_array_equal(evened.logits, repeated(unequal.logits))
    np.testing.assert_allclose(draws.weights_of(evened), 1 / 16)


def test_a_temperature_of_one_changes_nothing(unequal):
    after = decisions.calibrated(SAME, unequal)
    assert np.abs(softmax(unequal.logits, axis=-1).mean(axis=0) - unequal.mean).max() > 0.1  # if draws counted equally
    for name in ("mean", "std", "predictive_entropy", "expected_entropy", "mutual_information", "votes"):
        np.testing.assert_allclose(getattr(after, name), getattr(unequal, name), atol=2e-6, err_msg=name)


@pytest.mark.parametrize("fit", [bc.metrics.temperature_scale, bc.metrics.vector_scale])
def test_what_is_fitted_is_fitted_to_draws_that_count(unequal, fit):
    logits, weights = draws.scalable(unequal, "logits")
    is_right = np.random.default_rng(0).random(len(LABELS)) < 0.7  # or no temperature is high enough
    labels = np.where(is_right, unequal.mean.argmax(axis=1), LABELS)
    found, expected = fit(logits, labels, weights=4 * weights), fit(repeated(logits), labels)
    for one, other in zip(np.atleast_2d(found), np.atleast_2d(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    plain = fit(logits, labels)
    assert np.abs(np.subtract(np.ravel(plain), np.ravel(expected))).max() > 0.01
    method = fit.__name__.removesuffix("_scale")
    stored = decisions.fit_calibration(method, unequal, labels).parameters
    np.testing.assert_allclose(np.ravel(list(stored.values())), np.ravel(found), rtol=1e-6)


def test_weights_that_are_none_are_refused(unequal):
    with pytest.raises(ValueError, match=r"`weights` must be positive. Received 0"):
        bc.metrics.temperature_scale(unequal.logits, LABELS, weights=[0.0] + [1.0] * 8)
    with pytest.raises(ValueError, match=r"`weights` must have shape \[9\]"):
        bc.metrics.vector_scale(unequal.logits, LABELS, weights=[1.0])


def test_energy_is_of_the_weighted_mean_of_logits(unequal):
    energy = evaluation.uncertainty_scores(unequal)["energy"]
    mean = repeated(unequal.logits.astype(float)).mean(axis=0)
    np.testing.assert_allclose(energy, -logsumexp(mean, axis=-1), rtol=1e-6)


def test_the_report_scales_temperatures_of_the_weighted_mean(unequal):
    split = SimpleNamespace(x=X, y=LABELS)
    dataset = SimpleNamespace(validation_held_out=True, validation=split, test=split)
    found = classification._temperature_scaled(unequal, lambda x, name: unequal, dataset, 0)
    assert found["scaled"] == "logits"
    scaled = softmax(repeated(unequal.logits.astype(float)) / found["softmax_temperature"], axis=-1).mean(axis=0)
    assert found["nll"] == pytest.approx(bc.metrics.negative_log_likelihood(scaled, LABELS), rel=1e-6)


def test_crps_is_that_of_the_mixture_that_nll_is_of():
    from scipy.stats import norm

    y = X[:, :1] + 1.0
    found = bc.predict(members(1), X, num_samples=8, likelihood={"name": "normal", "scale": 0.5})
    assert found.draws_by_member == (1, 8)
    scores = evaluation.regression.scores(found, y)
    grid = np.linspace(-30, 30, 6001)
    cdf = sum(w * norm.cdf((grid[:, None] - m[:, 0]) / 0.5) for w, m in zip(WEIGHTS, found.logits, strict=True))
    crps = np.trapezoid((cdf - (grid[:, None] >= y[:, 0])) ** 2, grid, axis=0).mean()
    equal = np.mean([norm.cdf((grid[:, None] - m[:, 0]) / 0.5) for m in found.logits], axis=0)
    assert abs(np.trapezoid((equal - (grid[:, None] >= y[:, 0])) ** 2, grid, axis=0).mean() / crps - 1) > 0.1
    assert scores["crps"] == pytest.approx(crps, rel=0.02)  # 1,017 draws for each of 60 examples

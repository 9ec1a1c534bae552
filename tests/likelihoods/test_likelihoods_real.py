"""Claims about likelihoods of real targets, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from bayesconv import likelihoods

RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(size=(6, 4))
TARGETS = RNG.normal(size=(6, 2))
LOCATION, SCALE = OUTPUTS[:, :2], np.exp(OUTPUTS[:, 2:]) + 0.01


def _cases():
    known = np.full_like(LOCATION, 0.7)
    yield likelihoods.heteroscedastic_normal(min_scale=0.01), OUTPUTS, scipy.stats.norm(LOCATION, SCALE)
    yield likelihoods.student_t(df=3.0, min_scale=0.01), OUTPUTS, scipy.stats.t(3.0, LOCATION, SCALE)
    yield likelihoods.student_t(df=5.0, scale=0.7), LOCATION, scipy.stats.t(5.0, LOCATION, known)
    yield likelihoods.normal(scale=0.7), LOCATION, scipy.stats.norm(LOCATION, known)


CASES = list(_cases())


@pytest.mark.parametrize(("family", "outputs", "expected"), CASES)
def test_density_mean_entropy_and_variance_are_those_of_scipy(family, outputs, expected):
    outputs = tf.constant(outputs)
    np.testing.assert_allclose(family.log_prob(outputs, TARGETS), expected.logpdf(TARGETS).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(family.mean(outputs), LOCATION, rtol=1e-12)
    np.testing.assert_allclose(family.entropy(outputs), expected.entropy().sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(family.variance(outputs), expected.var(), rtol=1e-9)


@pytest.mark.parametrize(("family", "outputs", "expected"), CASES)
def test_distribution_function_and_quantiles_are_those_of_scipy(family, outputs, expected):
    location, scale = family.noise.parameters(outputs)
    z = (TARGETS - location) / scale
    np.testing.assert_allclose(family.noise.log_density(z) - np.log(scale), expected.logpdf(TARGETS), rtol=1e-9)
    np.testing.assert_allclose(family.noise.cdf(z), expected.cdf(TARGETS), rtol=1e-9)
    np.testing.assert_allclose(location + scale * family.noise.quantile(0.05), expected.ppf(0.05), rtol=1e-9)


def test_float32_is_right_to_its_own_precision():
    family = likelihoods.heteroscedastic_normal()
    found = family.log_prob(tf.constant(OUTPUTS, tf.float32), TARGETS.astype(np.float32))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, family.log_prob(tf.constant(OUTPUTS), TARGETS), rtol=2e-5)


def test_targets_may_leave_the_axis_of_one_output_out():
    family = likelihoods.heteroscedastic_normal()
    one = tf.constant(OUTPUTS[:, :2])
    np.testing.assert_array_equal(family.log_prob(one, TARGETS[:, 0]), family.log_prob(one, TARGETS[:, :1]))


def test_beta_multiplies_the_gradient_by_the_variance_to_that_power_and_leaves_the_likelihood_alone():
    outputs, targets = tf.Variable(OUTPUTS), TARGETS

    def gradient(of):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(of(outputs, targets))
        return tape.gradient(total, outputs).numpy()

    plain, weighted = likelihoods.heteroscedastic_normal(), likelihoods.heteroscedastic_normal(beta=0.5)
    factor = (np.exp(OUTPUTS[:, 2:]) + 1e-4) ** (2 * 0.5)
    expected = gradient(plain.log_prob) * np.concatenate([factor, factor], axis=1)
    np.testing.assert_allclose(gradient(weighted.training_log_prob), expected, rtol=1e-9)
    np.testing.assert_array_equal(weighted.log_prob(outputs, targets), plain.log_prob(outputs, targets))
    assert plain.training_log_prob is None
    whole = likelihoods.heteroscedastic_normal(beta=1.0)  # then the means see squared errors
    np.testing.assert_allclose(gradient(whole.training_log_prob)[:, :2], targets - LOCATION, rtol=1e-9)


@pytest.mark.parametrize("df", [1.0, 2.0])
def test_few_degrees_of_freedom_have_no_finite_variance(df):
    assert np.isinf(likelihoods.student_t(df=df).variance(tf.constant(OUTPUTS))).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: likelihoods.heteroscedastic_normal(beta=1.5), r"must lie in \[0, 1\].*Received 1.5"),
        (
            lambda: likelihoods.heteroscedastic_normal(min_scale=0),
            "min_scale of heteroscedastic_normal must be positive",
        ),
        (lambda: likelihoods.student_t(df=-1.0), "The df of student_t must be positive. Received -1"),
        (lambda: likelihoods.student_t(scale=0.0), "The scale of student_t must be positive"),
        (lambda: likelihoods.student_t(scale=float("nan")), "The scale of student_t must be positive"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_targets_that_do_not_fit_the_outputs_are_refused():
    check = likelihoods.heteroscedastic_normal().check_targets
    check(TARGETS, (4,))
    with pytest.raises(ValueError, match=r"takes 2 outputs a target. Received a model with 3 outputs"):
        check(TARGETS, (3,))
    with pytest.raises(ValueError, match=r"takes targets \[N, 1\], since the model has 2 outputs"):
        check(TARGETS, (2,))
    with pytest.raises(ValueError, match=r"takes real numbers. Received dtype complex128"):
        check(TARGETS * 1j, (4,))
    missing = np.where(np.arange(12).reshape(6, 2) < 2, [np.nan, np.inf], TARGETS)
    with pytest.raises(ValueError, match=r"takes finite targets. Received 2 of 12 that are not; leave out"):
        check(missing, (4,))


def test_options_are_recorded_and_make_the_same_likelihood_again():
    family = likelihoods.student_t(df=7, scale=0.5)
    again = likelihoods.get(family.name)(**dict(family.options))
    np.testing.assert_array_equal(again.log_prob(LOCATION, TARGETS), family.log_prob(LOCATION, TARGETS))
    assert family.num_outputs(3) == 3
    assert likelihoods.student_t().num_outputs(3) == 6

"""Predictions from moments: against many draws, against quadrature, and exact where they are."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats

from bayesconv import likelihoods
from bayesconv.moments import Moments, predictive

RNG = np.random.default_rng(0)
MEAN, VARIANCE = RNG.normal(size=(20, 5)), RNG.uniform(0.1, 2.0, (20, 5))
ROOT = RNG.normal(size=(20, 5, 5)) * 0.5
COVARIANCE = ROOT @ ROOT.transpose(0, 2, 1)


def of_draws(logits):
    probs = special.softmax(logits, axis=-1)
    mean = probs.mean(0)
    return mean, probs.std(0), stats.entropy(mean, axis=-1), stats.entropy(probs, axis=-1).mean(0)


@pytest.mark.parametrize("covariance", [None, COVARIANCE])
def test_class_probabilities_are_those_of_many_draws(covariance):
    z = RNG.normal(size=(20_000, 20, 5))
    noise = z * np.sqrt(VARIANCE) if covariance is None else np.einsum("nij,mnj->mni", ROOT, z)
    variance = VARIANCE if covariance is None else np.diagonal(covariance, axis1=1, axis2=2)
    moments = Moments(tf.constant(MEAN), tf.constant(variance), covariance=covariance)
    got, expected = predictive(moments, likelihoods.categorical()), of_draws(MEAN + noise)
    for part, reference, tolerance in zip(got[:4], expected, (0.01, 0.02, 0.02, 0.03), strict=True):
        np.testing.assert_allclose(part, reference, atol=tolerance)
    assert (got.predictive_entropy >= got.expected_entropy).numpy().all()


def test_covariance_between_classes_counts():
    same = np.full([20, 5, 5], 4.0)  # a deviation that all logits share changes nothing
    moments = Moments(tf.constant(MEAN), tf.fill([20, 5], tf.constant(4.0, tf.float64)), covariance=tf.constant(same))
    got = predictive(moments, likelihoods.categorical())
    np.testing.assert_allclose(got.mean, special.softmax(MEAN, axis=-1), atol=1e-3)
    apart = predictive(moments._replace(covariance=None), likelihoods.categorical())
    assert np.abs(apart.mean - special.softmax(MEAN, axis=-1)).max() > 0.05


def test_without_variance_it_is_the_likelihood_of_the_mean():
    for covariance in (None, tf.zeros([20, 5, 5])):
        moments = Moments(tf.constant(MEAN, tf.float32), tf.zeros([20, 5]), covariance=covariance)
        got = predictive(moments, likelihoods.categorical())
        np.testing.assert_allclose(got.mean, special.softmax(MEAN, axis=-1), rtol=1e-5)
        np.testing.assert_allclose(got.std, np.zeros([20, 5]), atol=1e-5)
        np.testing.assert_allclose(got.predictive_entropy, got.expected_entropy, atol=1e-5)


def test_bernoulli_is_an_integral_for_every_target():
    got = predictive(Moments(tf.constant(MEAN), tf.constant(VARIANCE)), likelihoods.bernoulli())

    def expectation(f, m, v):
        return integrate.quad(lambda z: f(m + np.sqrt(v) * z) * stats.norm.pdf(z), -10, 10)[0]

    def entropy(x):
        p = special.expit(x)
        return special.entr(p) + special.entr(1 - p)

    for i, j in ((0, 0), (3, 2), (7, 4)):
        exact = expectation(special.expit, MEAN[i, j], VARIANCE[i, j])
        square = expectation(lambda x: special.expit(x) ** 2, MEAN[i, j], VARIANCE[i, j])
        np.testing.assert_allclose(got.mean[i, j], exact, atol=1e-6)
        np.testing.assert_allclose(got.std[i, j], np.sqrt(square - exact**2), atol=1e-5)
    expected = sum(expectation(entropy, MEAN[0, j], VARIANCE[0, j]) for j in range(5))
    np.testing.assert_allclose(got.expected_entropy[0], expected, rtol=1e-6)


@pytest.mark.parametrize("covariance", [None, COVARIANCE])
def test_normal_targets_are_exact(covariance):
    variance = VARIANCE if covariance is None else np.diagonal(covariance, axis1=1, axis2=2)
    moments = Moments(tf.constant(MEAN), tf.constant(variance), covariance=covariance)
    got = predictive(moments, likelihoods.normal(scale=0.7))
    np.testing.assert_allclose(got.mean, MEAN)
    np.testing.assert_allclose(got.std, np.sqrt(variance))
    for i in (0, 9):
        whole = (np.diag(variance[i]) if covariance is None else covariance[i]) + 0.49 * np.eye(5)
        np.testing.assert_allclose(got.predictive_entropy[i], stats.multivariate_normal(np.zeros(5), whole).entropy())
        np.testing.assert_allclose(got.expected_entropy[i], 5 * stats.norm(0, 0.7).entropy())


def test_a_likelihood_of_your_own_is_averaged_over_draws_and_its_mixture_may_be_unknown():
    own = likelihoods.normal()._replace(name="own", mean=tf.exp)
    got = predictive(Moments(tf.constant(MEAN), tf.constant(0.1 * VARIANCE)), own)
    np.testing.assert_allclose(got.mean, np.exp(MEAN + 0.05 * VARIANCE), rtol=0.02)
    assert np.isnan(got.predictive_entropy).all()


def test_it_is_the_same_at_every_call_and_in_a_graph():
    moments = Moments(tf.constant(MEAN), tf.constant(VARIANCE))
    first = predictive(moments, likelihoods.categorical())
    spec = tf.TensorSpec([None, 5], tf.float64)
    compiled = tf.function(lambda m, v: predictive(Moments(m, v), likelihoods.categorical()), [spec, spec])
    np.testing.assert_allclose(first.mean, compiled(*moments[:2]).mean, rtol=1e-12)
    assert first.mean.dtype == tf.float64


def test_outputs_are_rows():
    with pytest.raises(ValueError, match=r"outputs \[N, K\]"):
        predictive(Moments(tf.zeros([2, 3, 4]), tf.zeros([2, 3, 4])), likelihoods.categorical())

"""Claims about likelihoods, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf
from scipy.special import expit, softmax

from bayesconv import likelihoods

OUTPUTS = np.random.default_rng(0).normal(size=(6, 3)) * 3
LABELS = np.array([0, 1, 2, 0, 1, 2])
BITS = np.random.default_rng(1).integers(0, 2, size=(6, 3))
PROBS = softmax(OUTPUTS, axis=-1)


def test_categorical():
    family = likelihoods.categorical()
    np.testing.assert_allclose(family.log_prob(OUTPUTS, LABELS), np.log(PROBS[np.arange(6), LABELS]), rtol=1e-12)
    np.testing.assert_allclose(family.mean(OUTPUTS), PROBS, rtol=1e-12)
    np.testing.assert_allclose(family.entropy(tf.constant(OUTPUTS)), reference.entropy(PROBS), rtol=1e-12)
    np.testing.assert_allclose(family.entropy_of_mean(tf.constant(PROBS)), reference.entropy(PROBS), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_of_any_integer_type_are_the_same(dtype):
    family = likelihoods.categorical()
    expected = family.log_prob(OUTPUTS, LABELS)
    np.testing.assert_array_equal(family.log_prob(OUTPUTS, LABELS.astype(dtype)), expected)


def test_bernoulli():
    family = likelihoods.bernoulli()
    probs = expit(OUTPUTS)
    expected = scipy.stats.bernoulli(probs).logpmf(BITS).sum(axis=-1)
    np.testing.assert_allclose(family.log_prob(tf.constant(OUTPUTS), BITS), expected, rtol=1e-9)
    np.testing.assert_allclose(family.mean(OUTPUTS), probs, rtol=1e-12)
    entropy = scipy.stats.bernoulli(probs).entropy().sum(axis=-1)
    np.testing.assert_allclose(family.entropy(tf.constant(OUTPUTS)), entropy, rtol=1e-9)
    one = likelihoods.bernoulli().log_prob(tf.constant(OUTPUTS[:, :1]), BITS[:, 0])  # targets [N] for one output
    np.testing.assert_allclose(one, scipy.stats.bernoulli(probs[:, 0]).logpmf(BITS[:, 0]), rtol=1e-9)


def test_certain_predictions_have_no_entropy_and_no_nan():
    certain = tf.constant([[1.0, 0.0, 0.0]], tf.float64)
    np.testing.assert_allclose(likelihoods.categorical().entropy_of_mean(certain), [0.0], atol=1e-12)
    np.testing.assert_allclose(likelihoods.bernoulli().entropy_of_mean(certain), [0.0], atol=1e-12)
    np.testing.assert_allclose(likelihoods.categorical().entropy(tf.constant([[1e4, 0.0]])), [0.0], atol=1e-6)


def test_normal():
    family = likelihoods.normal(scale=0.3)
    targets = OUTPUTS + 0.1
    expected = scipy.stats.norm(OUTPUTS, 0.3).logpdf(targets).sum(axis=-1)
    np.testing.assert_allclose(family.log_prob(tf.constant(OUTPUTS), targets), expected, rtol=1e-9)
    np.testing.assert_allclose(family.entropy(tf.constant(OUTPUTS)), 3 * scipy.stats.norm(0, 0.3).entropy(), rtol=1e-9)
    np.testing.assert_array_equal(family.mean(OUTPUTS), OUTPUTS)
    assert family.entropy_of_mean is None


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_noise_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match=r"The scale of a normal likelihood must be positive. Received"):
        likelihoods.normal(scale=scale)

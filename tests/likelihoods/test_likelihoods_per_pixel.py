"""Claims about classes of pixels."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import tensorflow as tf
from scipy.special import log_softmax, softmax

from bayesconv import likelihoods

RNG = np.random.default_rng(0)
LOGITS = 3 * RNG.normal(size=(2, 3, 4, 5))
LABELS = RNG.integers(0, 5, size=(2, 3, 4))
IGNORING = likelihoods.categorical_per_pixel(ignored_label=255)


def _log_probs(labels):
    return np.take_along_axis(log_softmax(LOGITS, axis=-1), labels[..., np.newaxis], axis=-1)[..., 0]


def test_an_image_has_the_sum_of_its_pixels():
    found = likelihoods.categorical_per_pixel().log_prob(tf.constant(LOGITS), LABELS)
    np.testing.assert_allclose(found, _log_probs(LABELS).sum(axis=(1, 2)), rtol=1e-12)
    terms = IGNORING.log_prob_of_labels(tf.constant(LOGITS), LABELS)
    np.testing.assert_allclose(terms, _log_probs(LABELS), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_ignored_pixels_count_nothing_and_have_no_gradient(dtype):
    labels = LABELS.astype(dtype).copy()
    labels[0, 0], logits = 255, tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(IGNORING.log_prob(logits, labels))
    expected = _log_probs(LABELS)
    expected[0, 0] = 0
    np.testing.assert_allclose(total, expected.sum(), rtol=1e-12)
    gradient = tape.gradient(total, logits).numpy()
    assert not gradient[0, 0].any()
    assert gradient[0, 1].all()


def test_means_and_entropies_are_those_of_single_pixels():
    probs = softmax(LOGITS, axis=-1)
    np.testing.assert_allclose(IGNORING.mean(tf.constant(LOGITS)), probs, rtol=1e-12)
    expected = reference.entropy(probs.reshape(-1, 5)).reshape(2, 3, 4)
    np.testing.assert_allclose(IGNORING.entropy(tf.constant(LOGITS)), expected, rtol=1e-12)
    np.testing.assert_allclose(IGNORING.entropy_of_mean(tf.constant(probs)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:, :2], r"integer labels \[N, 3, 4\], one for every pixel .* Received shape \(2, 2, 4\)"),
        (LABELS.astype(float), "dtype float64"),
        (np.full_like(LABELS, 254), r"in \[0, 5\).*from 254 to 254.*option ignored_label"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    IGNORING.check_targets(np.full_like(LABELS, 255), (3, 4, 5))
    with pytest.raises(ValueError, match=message):
        IGNORING.check_targets(labels, (3, 4, 5))

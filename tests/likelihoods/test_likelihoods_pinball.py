"""Claims about quantile regression, against scikit-learn's pinball loss and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from sklearn.metrics import mean_pinball_loss

from bayesconv import likelihoods

RNG = np.random.default_rng(0)
LEVELS = (0.1, 0.25, 0.5, 0.9)
OUTPUTS = 5 * RNG.normal(size=(7, 8))  # two targets
TARGETS = RNG.normal(size=(7, 2))
FAMILY = likelihoods.quantiles(levels=LEVELS, scale=0.5)


def _by_hand(outputs):
    gaps = np.log1p(np.exp(outputs.reshape(-1, 4, 2)))
    median = outputs.reshape(-1, 4, 2)[:, 2]
    return [median - gaps[:, 1] - gaps[:, 0], median - gaps[:, 1], median, median + gaps[:, 3]]


def test_quantiles_are_the_median_and_gaps_that_never_cross():
    found = [FAMILY.quantile(OUTPUTS, level) for level in LEVELS]
    np.testing.assert_allclose(found, _by_hand(OUTPUTS), rtol=1e-12)
    assert all((lower < upper).all() for lower, upper in itertools.pairwise(found))
    np.testing.assert_array_equal(FAMILY.mean(tf.constant(OUTPUTS)), found[2])


def test_log_prob_is_the_mean_of_asymmetric_laplace_densities():
    found = FAMILY.log_prob(tf.constant(OUTPUTS), TARGETS)
    expected = np.zeros(7)
    for level, quantile in zip(LEVELS, _by_hand(OUTPUTS), strict=True):
        kappa = np.sqrt(level / (1 - level))
        ald = scipy.stats.laplace_asymmetric(kappa, quantile, 0.5 / np.sqrt(level * (1 - level)))
        expected += ald.logpdf(TARGETS).sum(axis=1) / 4
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_differences_of_log_prob_are_those_of_the_pinball_loss():
    one, other = (FAMILY.log_prob(tf.constant(OUTPUTS), targets).numpy().sum() for targets in (TARGETS, TARGETS + 1))
    losses = [
        np.mean(
            [mean_pinball_loss(t.ravel(), q.ravel(), alpha=p) for p, q in zip(LEVELS, _by_hand(OUTPUTS), strict=True)]
        )
        for t in (TARGETS, TARGETS + 1)
    ]
    np.testing.assert_allclose(one - other, (losses[1] - losses[0]) * TARGETS.size / 0.5, rtol=1e-9)


def test_there_is_no_entropy_and_no_variance():
    assert np.isnan(FAMILY.entropy(tf.constant(OUTPUTS))).all()
    assert FAMILY.variance is None
    assert FAMILY.num_outputs(2) == 8


def test_a_level_that_is_not_known_is_refused():
    with pytest.raises(
        ValueError, match=r"knows the levels \[0.1, 0.25, 0.5, 0.9\]. Received 0.2: .* a central interval of 0.8\."
    ):
        FAMILY.quantile(OUTPUTS, 0.2)


@pytest.mark.parametrize("levels", [(0.1, 0.9), (0.5, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0), ()])
def test_levels_increase_and_hold_the_median(levels):
    with pytest.raises(ValueError, match=r"increase, lie in .* and have 0.5 among them"):
        likelihoods.quantiles(levels=levels)

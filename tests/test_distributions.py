"""Claims about the distributions that posteriors, priors and divergences share."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions, random

tfd = tfp.distributions
SYMMETRIC, NORMAL = distributions.SIGN_SYMMETRIC, distributions.INDEPENDENT_NORMAL


def test_our_normal_draws_by_our_sequence_and_is_tfps_in_all_else():
    loc, scale = np.array([1.0, -2.0]), np.array([0.5, 2.0])
    ours, theirs = distributions.Normal(loc, scale), tfd.Normal(loc, scale)
    seed = tf.constant([3, 0])
    np.testing.assert_allclose(ours.sample(5, seed=seed), loc + scale * random.normal([5, 2], seed, tf.float64))
    np.testing.assert_array_equal(ours.log_prob([0.0, 1.0]), theirs.log_prob([0.0, 1.0]))
    assert ours.kl_divergence(distributions.Normal(loc, 1.0)).shape == (2,)
    assert ours.reparameterization_type == tfd.FULLY_REPARAMETERIZED


def test_our_normal_draws_the_same_eagerly_in_a_graph_and_under_xla():
    normal, seed = distributions.Normal(np.zeros(7, np.float32), np.float32(2.0)), tf.constant([3, 1])
    eager = normal.sample(seed=seed)
    np.testing.assert_allclose(tf.function(lambda s: normal.sample(seed=s))(seed), eager, rtol=1e-6)
    np.testing.assert_allclose(tf.function(lambda s: normal.sample(seed=s), jit_compile=True)(seed), eager, rtol=1e-5)


def test_the_mean_field_normal_starts_where_it_is_told_and_keeps_its_scale_positive():
    loc, scale = np.array([[1.0, 2.0]]), np.array([[0.1, 3.0]])
    q = distributions.mean_field_normal(loc, scale, "kernel")
    assert [v.name for v in q.trainable_variables] == ["kernel/loc:0", "kernel/untransformed_scale:0"]
    np.testing.assert_allclose(q.mean(), loc)
    np.testing.assert_allclose(q.stddev(), scale, rtol=1e-12)
    assert q.event_shape == (1, 2)
    q.trainable_variables[1].assign([[-50.0, -1.0]])
    np.testing.assert_allclose(q.stddev(), np.exp([[-50.0, -1.0]]), rtol=1e-12)
    assert (q.stddev().numpy() > 0).all()


def test_a_normal_mixture_has_the_density_of_its_components():
    mixture = distributions.normal_mixture((0.5, 2.0), (0.25, 0.75), tf.float64)
    w = np.linspace(-3, 3, 7)
    density = lambda s: np.exp(-(w**2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi))  # noqa: E731
    np.testing.assert_allclose(mixture.prob(w), 0.25 * density(0.5) + 0.75 * density(2.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (tfd.Independent(tfd.Normal(tf.zeros([2, 3]), 1.0), 2), {SYMMETRIC, NORMAL}),
        (tfd.Sample(tfd.Normal(0.0, 1.0), [2, 3]), {SYMMETRIC, NORMAL}),
        (tfd.Sample(tfd.Laplace(0.0, 1.0), [2]), {SYMMETRIC}),
        (tfd.Sample(tfd.StudentT(3.0, 0.0, 1.0), [2]), {SYMMETRIC}),
        (tfd.Normal(tf.zeros([2]), 1.0), {SYMMETRIC, NORMAL}),
        (tfd.Sample(tfd.Gumbel(0.0, 1.0), [2]), set()),
        (tfd.MultivariateNormalDiag(tf.zeros([2])), set()),
        (tfd.Independent(tfd.MultivariateNormalDiag(tf.zeros([3, 2])), 1), set()),
    ],
)
def test_traits_are_those_of_independent_elements(distribution, expected):
    assert distributions.traits(distribution) == expected


def test_a_new_type_can_state_its_traits():
    class Triangle(tfd.Triangular):
        pass

    assert distributions.element_traits(Triangle(0.0, 2.0, 1.0)) == set()
    distributions.element_traits.register(Triangle, lambda _: frozenset({SYMMETRIC}))
    assert distributions.traits(tfd.Sample(Triangle(0.0, 2.0, 1.0), [3])) == {SYMMETRIC}

"""Claims about the distributions that posteriors, priors and divergences share."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

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


# Whole weights


def _variable(*shape):
    return tf.Variable(np.random.default_rng(0).normal(size=shape))


def test_a_joint_distribution_counts_its_kernels_and_their_elements():
    q = distributions.Radial(_variable(2, 3, 4, 5), _variable(2, 3, 4, 5), batch_ndims=2)
    assert (q.num_kernels, q.size, q.matrix_shape) == (6, 20, (4, 5))
    assert (q.event_shape, q.batch_shape) == ((2, 3, 4, 5), ())
    rows = q.rows_of(tf.zeros([7, 2, 3, 4, 5]))
    assert rows.shape == (7, 6, 20)
    assert q.weights_of(rows, num_leading=1).shape == (7, 2, 3, 4, 5)


def test_a_point_mass_is_where_it_is():
    q = distributions.PointMass(_variable(2, 3))
    np.testing.assert_array_equal(q.sample(2, seed=(0, 1)), np.stack([q.mean()] * 2))
    np.testing.assert_array_equal(q.stddev(), np.zeros([2, 3]))
    assert not distributions.has_density(q)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (distributions.Flat([2, 3], tf.float32), "A flat prior is improper: nothing can be drawn from it"),
        (distributions.RankOneFactors([2, 3], tf.float32, 1.0, 0.1), "says nothing of the kernel that they multiply"),
    ],
)
def test_priors_of_what_is_not_a_weight_have_no_density_and_no_draws(prior, message):
    assert (prior.event_shape, prior.batch_shape, prior.dtype) == ((2, 3), (), tf.float32)
    assert not distributions.has_density(prior)
    with pytest.raises(NotImplementedError, match=message):
        prior.sample(seed=(0, 1))


def test_a_derived_parameter_follows_its_variables_and_lets_gradients_through():
    a, b = tf.Variable([1.0, 2.0]), tf.Variable([[3.0], [4.0]])
    q = distributions.independent(distributions.Normal(0.0, distributions.derived(tf.multiply, a, b, shape=[2, 2])))
    assert {id(v) for v in q.trainable_variables} == {id(a), id(b)}
    np.testing.assert_array_equal(q.stddev(), [[3.0, 6.0], [4.0, 8.0]])
    a.assign([2.0, 2.0])
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(q.stddev())
    np.testing.assert_array_equal(value, 28.0)
    np.testing.assert_array_equal(tape.gradient(value, b), [[4.0], [4.0]])


def test_a_positive_variable_is_stored_untransformed():
    for parameterization, value in (("exp", math.log(2.0)), ("softplus", math.log(math.expm1(2.0)))):
        scale = distributions.positive_variable(tf.constant(2.0), "untransformed_scale", parameterization)
        (variable,) = scale.trainable_variables
        assert variable.name == "untransformed_scale:0"
        np.testing.assert_allclose(variable, value, rtol=1e-6)
        np.testing.assert_allclose(scale, 2.0, rtol=1e-6)
    with pytest.raises(ValueError, match="Unknown parameterization of a scale 'square'"):
        distributions.positive_variable(tf.constant(2.0), "untransformed_scale", "square")


# Elements with tails


def test_our_laplace_and_student_t_are_tfps_in_all_but_their_draws():
    w = np.linspace(-2.0, 3.0, 7)
    pairs = [
        (distributions.Laplace(np.float64(0.3), np.float64(0.7)), tfd.Laplace(np.float64(0.3), np.float64(0.7))),
        (distributions.StudentT(*np.float64([5.0, 0.3, 0.7])), tfd.StudentT(*np.float64([5.0, 0.3, 0.7]))),
    ]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.log_prob(w), theirs.log_prob(w))
        np.testing.assert_array_equal(ours.stddev(), theirs.stddev())
        assert ours.reparameterization_type == tfd.FULLY_REPARAMETERIZED
        assert distributions.traits(distributions.identically_distributed(ours, [3])) == {SYMMETRIC}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("df", [1.0, 2.5, 30.0])
def test_draws_have_the_distribution_of_their_name(df, dtype):
    # Kolmogorov and Smirnov, at a rate of false alarms of 1e-6; 50,000 draws find a distance of 0.012.
    zero, one = dtype(0.0), dtype(1.0)
    draws = distributions.StudentT(dtype(df), zero, one).sample(50_000, seed=tf.constant([1, 2]))
    assert draws.dtype == dtype
    assert stats.kstest(draws.numpy().astype(float), stats.t(df).cdf).pvalue > 1e-6
    assert stats.kstest(draws.numpy().astype(float), stats.t(1.2 * df).cdf).pvalue < 1e-6 or df > 2
    draws = distributions.Laplace(zero, one).sample(50_000, seed=tf.constant([1, 2])).numpy().astype(float)
    assert np.isfinite(draws).all()
    assert stats.kstest(draws, "laplace").pvalue > 1e-6
    assert stats.kstest(draws, stats.norm(0, math.sqrt(2)).cdf).pvalue < 1e-6

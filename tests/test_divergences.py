"""Claims about divergences: which way is taken, on which draws, and that exact means exact."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import reference
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import divergences, random

tfd = tfp.distributions
RNG = np.random.default_rng(0)
LOC, SCALE = RNG.normal(size=(3, 2)), RNG.uniform(0.1, 2.0, size=(3, 2))
Q = bc.KernelBias(tfd.Independent(tfd.Normal(LOC, SCALE), 2), tfd.Independent(tfd.Normal(LOC[0], SCALE[0]), 1))
ZERO, ONE = np.float64(0.0), np.float64(1.3)


def _prior(element):
    return bc.KernelBias(tfd.Sample(element, [3, 2]), tfd.Sample(element, [2]))


NORMAL, STUDENT = _prior(tfd.Normal(ZERO, ONE)), _prior(tfd.StudentT(np.float64(4.0), ZERO, ONE))


def _no_draw():
    raise AssertionError("must not draw")


def test_exact_is_the_closed_form_summed_over_kernel_and_bias():
    expected = reference.normal_kl(LOC, SCALE, 0.0, 1.3) + reference.normal_kl(LOC[0], SCALE[0], 0.0, 1.3)
    np.testing.assert_allclose(divergences.exact(Q, NORMAL).penalty(_no_draw, None), expected, rtol=1e-12)
    only = bc.KernelBias(Q.kernel), bc.KernelBias(NORMAL.kernel)
    expected = reference.normal_kl(LOC, SCALE, 0.0, 1.3)
    np.testing.assert_allclose(divergences.exact(*only).penalty(_no_draw, None), expected, rtol=1e-12)


def test_a_distribution_has_no_divergence_from_itself():
    np.testing.assert_allclose(divergences.exact(Q, Q).penalty(_no_draw, None), 0.0, atol=1e-12)


def test_a_joint_prior_with_a_closed_form_is_exact_too():
    flat = bc.KernelBias(tfd.MultivariateNormalDiag(LOC[:, 0], SCALE[:, 0]))
    prior = bc.KernelBias(tfd.MultivariateNormalDiag(np.zeros(3), np.ones(3)))
    expected = reference.normal_kl(LOC[:, 0], SCALE[:, 0], 0.0, 1.0)
    np.testing.assert_allclose(divergences.exact(flat, prior).penalty(_no_draw, None), expected, rtol=1e-12)


def _log_ratio(weights, prior):
    q = Q.kernel.log_prob(weights.kernel) + Q.bias.log_prob(weights.bias)
    return q - prior.kernel.log_prob(weights.kernel) - prior.bias.log_prob(weights.bias)


def test_monte_carlo_is_the_log_ratio_at_the_layers_draw():
    draws = []

    def draw():
        draws.append(divergences.sample(Q, tf.constant([1, 2])))
        return draws[-1]

    value = divergences.monte_carlo(Q, STUDENT).penalty(draw, tf.constant([3, 4]))
    assert len(draws) == 1
    np.testing.assert_allclose(value, _log_ratio(draws[0], STUDENT), rtol=1e-12)


def test_more_samples_average_the_layers_draw_with_others():
    drawn, seed = divergences.sample(Q, tf.constant([1, 2])), tf.constant([3, 4])
    value = divergences.monte_carlo(Q, STUDENT, num_samples=3).penalty(lambda: drawn, seed)
    others = [divergences.sample(Q, s) for s in random.split(seed, 3)[1:]]
    np.testing.assert_allclose(value, np.mean([_log_ratio(w, STUDENT) for w in (drawn, *others)]), rtol=1e-12)


def test_the_penalty_is_computed_on_the_draw_that_extra_result_shows():
    def factory(*args, **options):
        return bc.make_kernel_bias_flipout(*args, prior="student_t", **options)

    layer = bc.Convolution(2, 3, 2, make_kernel_bias_fn=factory, dtype=tf.float64)
    layer(np.ones([2, 4, 4, 2]))
    w, q, p = layer.extra_result, layer.posterior, layer.prior
    expected = (
        q.kernel.log_prob(w.kernel) + q.bias.log_prob(w.bias) - p.kernel.log_prob(w.kernel) - p.bias.log_prob(w.bias)
    )
    np.testing.assert_allclose(layer.extra_loss, expected, rtol=1e-12)


def test_best_effort_is_exact_only_if_kernel_and_bias_both_are_and_says_so():
    assert divergences.best_effort(Q, NORMAL).name == "exact"
    assert divergences.best_effort(Q, STUDENT).name == "monte_carlo(num_samples=1)"
    mixed = bc.KernelBias(NORMAL.kernel, STUDENT.bias)
    assert divergences.best_effort(Q, mixed, num_samples=4).name == "monte_carlo(num_samples=4)"


def test_exact_without_a_closed_form_is_refused_with_the_alternatives():
    with pytest.raises(
        ValueError, match=r"no closed form of KL\(Normal \|\| StudentT\)\. Use divergence='monte_carlo'"
    ):
        divergences.exact(Q, STUDENT)


# Sticking the landing.


def _variables():
    return [tf.Variable(value) for value in (LOC, SCALE)]


def _q(loc, scale):
    return bc.KernelBias(tfd.Independent(tfd.Normal(loc, scale), 2))


def _gradients(prior, loc, scale, num, *, stick_the_landing):
    """Values and gradients of single-draw estimates, for the draws of `num` seeds."""
    q = _q(loc, scale)
    divergence = divergences.monte_carlo(q, prior, stick_the_landing=stick_the_landing)

    def one(index):
        seed = random.fold_in(random.as_seed(0), index)
        with tf.GradientTape() as tape:
            value = divergence.penalty(lambda: divergences.sample(q, seed), seed)
        return value, *tape.gradient(value, [loc, scale])

    signature = (tf.float64,) * 3
    draw_all = tf.function(lambda: tf.map_fn(one, tf.range(num), fn_output_signature=signature), autograph=False)
    return [part.numpy() for part in draw_all()]


def test_where_posterior_and_prior_agree_the_gradient_of_a_draw_is_exactly_zero():
    loc, scale = _variables()
    prior = bc.KernelBias(tfd.Independent(tfd.Normal(LOC, SCALE), 2))
    landed = _gradients(prior, loc, scale, 20, stick_the_landing=True)
    assert all(np.abs(part).max() == 0.0 for part in landed)
    plain = _gradients(prior, loc, scale, 20, stick_the_landing=False)
    assert np.abs(plain[1]).max() > 0.1  # the score: nothing on average, but not for a draw


def test_sticking_the_landing_changes_no_value_and_no_expected_gradient():
    loc, scale = _variables()
    prior = bc.KernelBias(tfd.Independent(tfd.Normal(LOC + 0.3, 1.5 * SCALE), 2))
    plain, landed = (_gradients(prior, loc, scale, 4_000, stick_the_landing=flag) for flag in (False, True))
    np.testing.assert_allclose(landed[0], plain[0], rtol=1e-12)
    with tf.GradientTape() as tape:
        exact = divergences.exact(_q(loc, scale), prior).penalty(_no_draw, None)
    for estimates, expected in zip(landed[1:], tape.gradient(exact, [loc, scale]), strict=True):
        errors = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
        z = np.abs(estimates.mean(axis=0) - expected) / errors
        assert z.max() < 5.5  # 12 comparisons, false alarm below 1e-6
        assert (np.abs(estimates.mean(axis=0)) > 10 * errors).any()  # a gradient of zero would be found


def test_near_the_prior_sticking_the_landing_has_far_less_variance():
    loc, scale = _variables()
    prior = bc.KernelBias(tfd.Independent(tfd.Normal(LOC + 0.02, 1.02 * SCALE), 2))
    plain, landed = (_gradients(prior, loc, scale, 500, stick_the_landing=flag) for flag in (False, True))
    for with_score, without in zip(plain[1:], landed[1:], strict=True):
        assert (without.var(axis=0) < 0.05 * with_score.var(axis=0)).all()


def test_sticking_the_landing_averages_over_several_draws_of_an_estimator():
    loc, scale = _variables()
    q, seed = _q(loc, scale), tf.constant([1, 2])
    with tf.GradientTape() as tape:
        several = divergences.sample(q, seed, 5)
        value = divergences.log_ratio(q, _kernel(STUDENT), several, stick_the_landing=True)
    found = tape.gradient(value, loc)
    with tf.GradientTape() as tape:
        draws = tf.unstack(divergences.sample(q, seed, 5).kernel)
        single = [divergences.log_ratio(q, _kernel(STUDENT), bc.KernelBias(w), stick_the_landing=True) for w in draws]
        mean = tf.add_n(single) / 5
    np.testing.assert_allclose(value, mean, rtol=1e-12)
    np.testing.assert_allclose(found, tape.gradient(mean, loc), rtol=1e-12)


def test_sticking_the_landing_is_an_option_of_a_factory_and_shown():
    choice = {"name": "best_effort", "stick_the_landing": True}
    factory = functools.partial(bc.make_kernel_bias_reparameterization, prior="student_t", divergence=choice)
    assert (
        "monte_carlo(num_samples=1, stick_the_landing=True)" in bc.Affine(3, 2, make_kernel_bias_fn=factory).summary()
    )


# Distributions without a density, and without a closed form.


class _Confined(tfd.Distribution):
    """Weights whose elements are all equal: a line in the space of weights."""

    def __init__(self, loc):
        self.loc = loc
        super().__init__(loc.dtype, tfd.FULLY_REPARAMETERIZED, False, True, parameters={"loc": loc})

    def _event_shape(self):
        return tf.TensorShape([3, 2])

    def _batch_shape(self):
        return tf.TensorShape([])

    def _sample_n(self, n, seed=None):
        return tf.fill([n, 3, 2], self.loc)


class _Same(_Confined):
    """Another one, with a closed form."""


@tfd.RegisterKL(_Same, _Same)
def _kl_same(q, p, name=None):
    return tf.square(q.loc - p.loc)


class _Unfinished(_Confined):
    """A prior whose closed form covers some cases only."""

    def _log_prob(self, value):
        return -tf.reduce_sum(tf.square(value), axis=[-2, -1])


@tfd.RegisterKL(tfd.Independent, _Unfinished)
def _kl_unfinished(q, p, name=None):
    raise NotImplementedError("not for this q")


def _kernel(pair):
    return bc.KernelBias(pair.kernel)


@pytest.mark.parametrize("name", divergences.names())
def test_a_posterior_without_density_and_closed_form_is_refused_with_the_reason_and_the_remedy(name):
    q = bc.KernelBias(_Confined(np.float64(1.0)))
    with pytest.raises(ValueError, match=r"weights of _Confined are confined to fewer.*prior='rank_1' for rank-1"):
        divergences.get(name)(q, _kernel(NORMAL))


def test_a_posterior_without_density_is_exact_where_a_closed_form_is_registered():
    q, p = (bc.KernelBias(_Same(np.float64(loc))) for loc in (1.0, 3.0))
    assert divergences.best_effort(q, p).name == "exact"
    assert float(divergences.exact(q, p).penalty(_no_draw, None)) == 4.0
    with pytest.raises(ValueError, match=r"Use divergence='exact', which this pair has"):
        divergences.monte_carlo(q, p)


@pytest.mark.parametrize("name", divergences.names())
def test_a_prior_without_density_is_refused_with_the_rule(name):
    with pytest.raises(ValueError, match=r"may be improper, but needs `log_prob`\. Received _Confined, without"):
        divergences.get(name)(_kernel(Q), bc.KernelBias(_Confined(np.float64(1.0))))


def test_a_closed_form_that_gives_up_falls_back_to_monte_carlo():
    prior = bc.KernelBias(_Unfinished(np.float64(0.0)))
    assert divergences.best_effort(_kernel(Q), prior).name == "monte_carlo(num_samples=1)"
    with pytest.raises(ValueError, match=r"no closed form of KL\(Normal \|\| _Unfinished\)\. Use divergence="):
        divergences.exact(_kernel(Q), prior)


def test_an_improper_prior_will_do_and_its_constant_has_no_gradient():
    class Flat(_Unfinished):
        def _log_prob(self, value):
            return tf.zeros(tf.shape(value)[:-2], value.dtype)

        def _sample_n(self, n, seed=None):
            raise NotImplementedError("improper")

    prior, drawn = bc.KernelBias(Flat(np.float64(0.0))), divergences.sample(_kernel(Q), tf.constant([1, 2]))
    value = divergences.monte_carlo(_kernel(Q), prior).penalty(lambda: drawn, tf.constant([3, 4]))
    np.testing.assert_allclose(value, Q.kernel.log_prob(drawn.kernel), rtol=1e-12)


@pytest.mark.parametrize("num_samples", [0, -1, 1.5, True])
def test_a_number_of_samples_that_is_none_is_refused(num_samples):
    with pytest.raises(ValueError, match=r"needs num_samples >= 1. Received"):
        divergences.monte_carlo(Q, NORMAL, num_samples=num_samples)


def test_a_draw_depends_on_the_seed_alone_and_kernel_and_bias_are_independent():
    first, again = (divergences.sample(Q, tf.constant([1, 2])) for _ in range(2))
    np.testing.assert_array_equal(first.kernel, again.kernel)
    noise = (first.kernel[0] - LOC[0]) / SCALE[0], (first.bias - LOC[0]) / SCALE[0]
    assert np.abs(noise[0] - noise[1]).max() > 1e-3


# The KL of two normals where they agree.


@pytest.mark.parametrize("ratio", [1.0001, 1.001, 0.95, 1.2, 3.0, 0.01])
@pytest.mark.parametrize("prior", ["normal", "tied_mean"])
def test_many_weights_near_the_prior_have_an_accurate_divergence(ratio, prior):
    shape, scale = [1000, 1000], np.float32(0.2)
    wide = np.full(shape, scale * np.float32(ratio))
    q = tfd.Independent(tfd.Normal(np.zeros(shape, np.float32), wide), 2)
    p = {
        "normal": tfd.Sample(tfd.Normal(np.float32(0.0), scale), shape),
        "tied_mean": bc.distributions.TiedMeanNormal(shape, scale),
    }[prior]
    u = (wide.astype(float) - float(scale)) / float(scale)
    expected = np.sum(0.5 * u**2 + u - np.log1p(u))
    for compute in (divergences.closed_form, tf.function(divergences.closed_form, autograph=False)):
        np.testing.assert_allclose(compute(q, p), expected, rtol=2e-6, atol=2e-7 * np.abs(u).sum())


@pytest.mark.parametrize("size", [1e-3, 0.5])
def test_the_gradients_of_the_divergence_are_those_of_its_formula(size):
    values = [tf.Variable(0.1 * LOC * size), tf.Variable(1.0 + size * SCALE), tf.Variable(1.1), tf.Variable(0.2)]
    values = [tf.Variable(tf.cast(value, tf.float32)) for value in values]

    def formula(loc, scale, prior_scale, prior_loc):
        square = tf.square(scale / prior_scale) + tf.square((loc - prior_loc) / prior_scale)
        return tf.reduce_sum(0.5 * (square - 1.0) - tf.math.log(scale / prior_scale))

    def library(loc, scale, prior_scale, prior_loc):
        q = tfd.Independent(tfd.Normal(loc, scale), 2)
        return divergences.closed_form(q, tfd.Sample(tfd.Normal(prior_loc, prior_scale), [3, 2]))

    found = []
    for function in (library, formula):
        with tf.GradientTape(persistent=True) as outer:
            with tf.GradientTape() as tape:
                value = function(*values)
            gradients = tape.gradient(value, values)
        found.append([*gradients, outer.gradient(gradients[1], values[1])])  # the second derivative too
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


# Posteriors and priors that have no divergence.


def _bound(posterior, prior, divergence="best_effort", **options):
    factory = functools.partial(
        bc.make_kernel_bias_variational, posterior=posterior, prior=prior, divergence=divergence, **options
    )
    return bc.Affine(3, 2, make_kernel_bias_fn=factory, use_bias=False)


def _of(make):
    """A posterior with a trainable location."""
    return lambda specs: bc.map_kernel_bias(
        lambda spec: tfd.Independent(make(tf.Variable(tf.zeros(spec.shape))), len(spec.shape)), specs
    )


class _WithoutReparameterization(tfd.Normal):
    def __init__(self, loc, scale):
        super().__init__(loc, scale)
        self._reparameterization_type = tfd.NOT_REPARAMETERIZED


@pytest.mark.parametrize("divergence", ["monte_carlo", "best_effort"])
def test_monte_carlo_refuses_a_posterior_whose_draws_have_no_gradient(divergence):
    posterior = _of(lambda loc: _WithoutReparameterization(loc, 0.1))
    with pytest.raises(
        ValueError, match=r"must be reparameterized. Received _Without.*Use a reparameterized posterior"
    ):
        _bound(posterior, "student_t", divergence, estimator="mean")
    assert _bound(posterior, "normal", estimator="mean").divergence.name == "exact"


@pytest.mark.parametrize("divergence", divergences.names())
@pytest.mark.parametrize("prior", ["normal", "tied_mean", "student_t"])
def test_the_divergence_of_a_point_is_infinite_and_refused(divergence, prior):
    with pytest.raises(ValueError, match=r"of a point from a density is infinite.*posterior='deterministic'"):
        _bound(_of(tfd.Deterministic), prior, divergence, estimator="reparameterization")


def test_the_entropy_of_masked_weights_is_not_trusted():
    posterior = _of(lambda loc: tfd.Masked(tfd.Normal(loc, 0.1), [[True, False]] * 3))
    with pytest.raises(ValueError, match="needs `log_prob`"):
        _bound(posterior, "tied_mean", estimator="reparameterization")


@pytest.mark.parametrize("make", [lambda loc: tfd.Cauchy(loc, 0.1), lambda loc: tfd.StudentT(2.0, loc, 0.1)])
def test_moments_that_are_infinite_leave_monte_carlo(make):
    assert _bound(_of(make), "empirical_bayes", estimator="reparameterization").divergence.name.startswith("monte")
    with pytest.raises(ValueError, match="There is no closed form"):
        _bound(_of(make), "empirical_bayes", "exact", estimator="reparameterization")
    with pytest.raises(ValueError, match="Use a prior of single weights"):
        _bound(_of(make), "tied_mean", estimator="reparameterization")


@pytest.mark.parametrize(
    "prior",
    [
        tfd.Exponential(1.0),
        tfd.Gamma(2.0, 1.0),
        tfd.Beta(2.0, 2.0),
        tfd.LogNormal(0.0, 1.0),
        tfd.HalfNormal(1.0),
        tfd.Uniform(-100.0, 100.0),
        tfd.Bernoulli(0.5, dtype=tf.float32),
        tfd.Poisson(1.0),
        tfd.Deterministic(0.0),
        tfd.Masked(tfd.Normal(0.0, 1.0), True),
        tfd.Exponential(1.0, validate_args=True),
        tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 0.0]), tfd.Gamma([1.0, 2.0], 1.0)),
        lambda specs: bc.map_kernel_bias(lambda spec: tfd.Sample(tfd.HalfCauchy(0.0, 1.0), spec.shape), specs),
    ],
)
def test_a_prior_of_some_values_only_is_refused(prior):
    with pytest.raises(
        ValueError, match=r"has a density wherever the posterior has one.*Use one over all real numbers"
    ):
        _bound("mean_field_normal", prior)


def test_a_positive_prior_suits_a_positive_posterior_and_mixtures_suit_all():
    positive = _of(lambda loc: tfd.LogNormal(loc, 0.1))
    assert _bound(positive, tfd.Gamma(2.0, 1.0), estimator="reparameterization").divergence.name == "exact"
    mixture = tfd.Mixture(tfd.Categorical(logits=[0.0, 0.0]), [tfd.Exponential(1.0), tfd.Laplace(0.0, 1.0)])
    assert _bound("mean_field_normal", mixture).divergence.name.startswith("monte_carlo")

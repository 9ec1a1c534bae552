"""Priors whose elements depend on one another, against dense matrices, grids and conjugate posteriors."""

from __future__ import annotations

import itertools
import math

import bounds
import numpy as np
import prior_oracles
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import draws
from scipy import integrate, optimize, stats

import bayesconv as bc
from bayesconv import distributions, divergences, priors
from bayesconv.weights import KernelBias, WeightSpec

pytestmark = pytest.mark.slow

tfd = tfp.distributions
RNG = np.random.default_rng(0)
KERNELS = [((3, 2, 2), 0), ((3, 2, 2, 1), 0), ((2, 2, 2, 1, 2), 0), ((2, 2, 2, 1, 2), 1), ((2, 2, 3, 2, 1), 2)]


def prior_of(name, shape, batch_ndims=0, fan_in=8, **options):
    spec = WeightSpec(shape, tf.float64, fan_in, batch_ndims)
    return priors.resolve({"name": name, **options})(KernelBias(spec)).kernel


def mean_field(mean, scale):
    return distributions.independent(distributions.Normal(tf.constant(mean), tf.constant(scale)))


def random_posterior(shape, rng=RNG):
    mean, scale = rng.normal(size=shape), np.exp(rng.normal(size=shape) - 1.0)
    return mean_field(mean, scale), mean, scale


def exact(q, p):
    return float(divergences.exact(KernelBias(q), KernelBias(p)).penalty(None, None))


# Correlated normal


def _dense(shape, batch_ndims, length_scale, scale):
    over_taps = prior_oracles.tap_covariance(shape[batch_ndims:-2], length_scale, scale)
    return prior_oracles.dense_covariance(shape, batch_ndims, over_taps)


@pytest.mark.parametrize(("shape", "batch_ndims"), KERNELS)
def test_the_correlated_density_and_kl_are_those_of_a_dense_normal(shape, batch_ndims):
    prior = prior_of("correlated_normal", shape, batch_ndims, length_scale=1.5, scale=0.4)
    covariance = _dense(shape, batch_ndims, 1.5, 0.4)
    w = RNG.normal(size=(3, *shape))
    expected = stats.multivariate_normal(np.zeros(len(covariance)), covariance).logpdf(w.reshape(3, -1))
    np.testing.assert_allclose(prior.log_prob(w), expected, rtol=1e-9)
    np.testing.assert_allclose(tf.reshape(prior.variance(), [-1]), np.diag(covariance), rtol=1e-9)
    q, mean, scale = random_posterior(shape)
    kl = prior_oracles.dense_kl(mean.ravel(), np.diag(scale.ravel() ** 2), covariance)
    assert exact(q, prior) == pytest.approx(kl, rel=1e-9)


@pytest.mark.parametrize(("shape", "batch_ndims"), KERNELS)
def test_draws_of_the_correlated_prior_have_its_covariance(shape, batch_ndims):
    prior = prior_of("correlated_normal", shape, batch_ndims, length_scale=1.5, scale=0.4)
    w = prior.sample(20_000, seed=(1, 2)).numpy().reshape(20_000, -1)
    covariance = _dense(shape, batch_ndims, 1.5, 0.4)
    assert bounds.compare_means(w, 0.0).agrees
    assert bounds.compare_covariances(w, covariance).agrees
    assert not bounds.compare_covariances(w, np.diag(np.diag(covariance))).agrees
    assert not bounds.compare_covariances(w, _dense(shape, batch_ndims, 1.0, 0.4)).agrees


def squared_exponential(taps, length_scale, scale):
    places = np.indices(taps).reshape(len(taps), -1).T
    squares = np.sum(np.square(places[:, np.newaxis] - places), axis=-1)
    return scale**2 * (np.exp(-squares / (2 * length_scale**2)) + 1e-6 * np.eye(len(places)))


def test_another_kernel_function_or_a_forgotten_determinant_is_found():
    shape = (2, 3, 1, 2)
    prior = prior_of("correlated_normal", shape, length_scale=1.5, scale=0.4)
    q, mean, scale = random_posterior(shape)
    other = prior_oracles.dense_covariance(shape, 0, squared_exponential((2, 3), 1.5, 0.4))
    wrong = prior_oracles.dense_kl(mean.ravel(), np.diag(scale.ravel() ** 2), other)
    assert abs(exact(q, prior) - wrong) > 1.0
    half_log_determinant = 0.5 * np.linalg.slogdet(_dense(shape, 0, 1.5, 0.4))[1]
    assert abs(half_log_determinant) > 1.0  # so a KL that forgets it is wrong by as much


def test_weights_without_taps_are_independent():
    for shape, batch_ndims in [((4, 3), 0), ((3,), 0), ((2, 4, 3), 1), ((1, 1, 4, 3), 0), ((2, 3), 1)]:
        prior = prior_of("correlated_normal", shape, batch_ndims, scale=0.4)
        assert type(distributions.elementwise(prior)) is distributions.Normal
    assert distributions.elementwise(prior_of("correlated_normal", (3, 4, 3), 0)) is None


def test_the_correlated_kl_of_other_independent_posteriors_is_exact_and_of_dependent_ones_sampled():
    shape = (3, 1, 2)
    prior = prior_of("correlated_normal", shape, scale=0.4)
    laplace = tfd.Independent(tfd.Laplace(RNG.normal(size=shape), np.full(shape, 0.2)), 3)
    w = laplace.sample(50_000, seed=(1, 2))
    log_ratio = (laplace.log_prob(w) - prior.log_prob(w)).numpy()[:, np.newaxis]
    assert bounds.compare_means(log_ratio, exact(laplace, prior)).agrees
    joint = prior_of("correlated_normal", shape, scale=0.3)
    assert divergences.closed_form(joint, prior) is None
    assert "monte_carlo" in divergences.best_effort(KernelBias(joint), KernelBias(prior)).name


# Empirical Bayes


@pytest.mark.parametrize("options", [{}, {"concentration": 1.0, "rate": 10.0}, {"concentration": 4.0, "rate": 0.01}])
def test_the_empirical_bayes_kl_is_the_minimum_over_the_variance(options):
    prior = prior_of("empirical_bayes", (3, 4), **options)
    a, b = options.get("concentration", 2.01), options.get("rate", 1.01 * 0.25)
    for _ in range(5):
        q, mean, scale = random_posterior((3, 4))
        variance, smallest = prior_oracles.empirical_bayes_minimum(mean, scale, a, b)
        assert exact(q, prior) == pytest.approx(smallest, rel=1e-10, abs=1e-9)
        found = float(prior.best_variance(tf.constant(np.sum(mean**2 + scale**2))))
        assert found == pytest.approx(variance, rel=1e-6)


def test_an_optimum_without_the_inverse_gamma_or_with_half_its_terms_is_found():
    a, b = 2.01, 1.01 * 0.25
    q, mean, scale = random_posterior((2, 2))
    kl, square = exact(q, prior_of("empirical_bayes", (2, 2))), np.sum(mean**2 + scale**2)
    for mutant in (square / 4, (square + b) / (4 + 2 * a + 2), (square + 2 * b) / (4 + 2 * a)):
        assert prior_oracles.empirical_bayes_objective(mutant, mean, scale, a, b) > kl + 1e-3


def test_the_empirical_bayes_density_is_a_multivariate_students():
    prior = prior_of("empirical_bayes", (3, 2), concentration=1.7, rate=0.3)
    w = RNG.normal(size=(4, 3, 2))
    student = stats.multivariate_t(np.zeros(6), np.eye(6) * 0.3 / 1.7, df=2 * 1.7)
    np.testing.assert_allclose(prior.log_prob(w), student.logpdf(w.reshape(4, 6)), rtol=1e-10)
    half = stats.multivariate_t(np.zeros(6), np.eye(6) * 0.3 / 1.7, df=1.7)
    assert np.abs(prior.log_prob(w) - half.logpdf(w.reshape(4, 6))).min() > 1e-3


def test_empirical_bayes_draws_share_one_variance():
    prior = prior_of("empirical_bayes", (3, 2), concentration=20.0, rate=5.0)
    w = prior.sample(50_000, seed=(1, 2)).numpy().reshape(-1, 6)
    assert bounds.compare_variances(w, 5.0 / 19.0).agrees
    # E v^2 = b^2 / (a - 1)(a - 2), and E w_i^2 w_j^2 is the same, larger than (E v)^2
    squares = (w[:, 0] ** 2 * w[:, 1] ** 2)[:, np.newaxis]
    assert bounds.compare_means(squares, 25.0 / (19 * 18)).agrees
    quantiles = stats.kstest(w[:, 0], stats.t(40.0, scale=math.sqrt(5.0 / 20.0)).cdf)
    assert quantiles.pvalue > 1e-6


def test_the_default_variance_of_empirical_bayes_suits_the_width():
    prior = prior_of("empirical_bayes", (3, 2), fan_in=50)
    assert prior.rate / (prior.concentration - 1) == pytest.approx(2 / 50)


def test_monte_carlo_is_unbiased_for_the_other_bound():
    prior = prior_of("empirical_bayes", (1,), concentration=1.5, rate=0.2)
    q = mean_field(np.array([0.3]), np.array([0.2]))
    student = stats.t(3.0, scale=math.sqrt(0.2 / 1.5))

    def ratio(w):
        return stats.norm.logpdf(w, 0.3, 0.2) - student.logpdf(w)

    expected = stats.norm(0.3, 0.2).expect(ratio, lb=-2.1, ub=2.7)
    divergence = divergences.monte_carlo(KernelBias(q), KernelBias(prior))
    found = draws(lambda s: divergence.penalty(lambda: divergences.sample(KernelBias(q), s), s), 20_000)[:, None]
    assert bounds.compare_means(found, expected).agrees
    assert not bounds.compare_means(found, exact(q, prior)).agrees


# Tied mean


def test_the_tied_mean_kl_leaves_the_mean_free_and_holds_for_dependent_weights_too():
    q, mean, scale = random_posterior((3, 2))
    prior = prior_of("tied_mean", (3, 2), scale=0.1)
    expected = np.sum(np.log(0.1 / scale) + scale**2 / 0.02 - 0.5)
    assert exact(q, prior) == pytest.approx(expected, rel=1e-10)
    factor = np.tril(RNG.normal(size=(3, 3))) + 2 * np.eye(3)
    joint, prior = tfd.MultivariateNormalTriL(mean[:, 0], factor), prior_of("tied_mean", (3,), scale=0.5)
    expected = prior_oracles.dense_kl(np.zeros(3), factor @ factor.T, 0.25 * np.eye(3))
    assert exact(joint, prior) == pytest.approx(expected, rel=1e-10)
    with pytest.raises(ValueError, match=r"needs `log_prob`\. Received TiedMeanNormal"):
        divergences.monte_carlo(KernelBias(q), KernelBias(prior_of("tied_mean", (3, 2))))


# Group horseshoe


def _log_density_of_a_filter(w, scale):
    """Its scale integrated out, `integral N(w; 0, t^2 I) HalfCauchy(t; scale) dt`, over log t."""
    size, squares = len(w), float(np.sum(w**2))

    def log_integrand(u):
        t = math.exp(u)
        return (
            stats.halfcauchy.logpdf(t, 0, scale) + u - size * (u + 0.5 * math.log(2 * math.pi)) - squares / (2 * t * t)
        )

    peak = optimize.minimize_scalar(lambda u: -log_integrand(u), bounds=(-20, 20), method="bounded").x
    top = log_integrand(peak)
    edges = [peak - 10, peak - 1, peak, peak + 1, peak + 10, peak + 60]
    parts = itertools.pairwise(edges)
    area = sum(
        integrate.quad(lambda u: math.exp(log_integrand(u) - top), *p, epsabs=1e-14, limit=200)[0] for p in parts
    )
    return top + math.log(area)


@pytest.mark.parametrize(("shape", "batch_ndims"), [((1, 4), 0), ((2, 3), 0), ((3, 3, 2, 2), 0), ((2, 3, 2, 2), 1)])
@pytest.mark.parametrize("size", [1e-3, 0.3, 20.0])
def test_the_group_horseshoe_integrates_one_scale_per_filter_out(shape, batch_ndims, size):
    prior = prior_of("group_horseshoe", shape, batch_ndims, scale=0.4)
    w = size * RNG.normal(size=shape)
    batches = w.reshape(math.prod(shape[:batch_ndims]), -1, shape[-1])
    expected = sum(_log_density_of_a_filter(batch[:, f], 0.4) for batch in batches for f in range(shape[-1]))
    assert float(prior.log_prob(w)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_group_of_one_weight_is_a_horseshoe_and_larger_ones_are_no_product_of_them():
    w = RNG.normal(size=(1, 5))
    elements = distributions.Horseshoe(np.float64(0.4)).log_prob(w)
    assert float(prior_of("group_horseshoe", (1, 5), scale=0.4).log_prob(w)) == pytest.approx(
        np.sum(elements), rel=1e-9
    )
    assert abs(float(prior_of("group_horseshoe", (5, 1), scale=0.4).log_prob(w.T)) - np.sum(elements)) > 0.1
    bias = priors.get("group_horseshoe")(
        KernelBias(WeightSpec((5, 2), tf.float64, 5), WeightSpec((2,), tf.float64, 5))
    ).bias
    assert isinstance(distributions.elementwise(bias), distributions.Horseshoe)


def test_draws_of_the_group_horseshoe_share_their_scale_within_a_filter_only():
    prior = prior_of("group_horseshoe", (2, 2, 2), scale=0.4)
    w = prior.sample(20_000, seed=(1, 2)).numpy()
    quartile = 0.4 / prior_oracles.HORSESHOE_PER_STDDEV * stats.norm.ppf(0.75)  # of every weight, as of a horseshoe
    inside = (np.abs(w) < quartile).reshape(-1, 8).astype(float)
    assert bounds.compare_means(inside, 0.5).agrees
    covariance = np.cov(inside.T).reshape(2, 2, 2, 2, 2, 2)
    assert covariance[0, 0, 0, 1, 1, 0] > 0.05
    assert abs(covariance[0, 0, 0, 1, 1, 1]) < 5 * 0.25 / math.sqrt(20_000)


def test_the_gradient_of_the_group_horseshoe_is_finite_wherever_weights_are():
    prior = prior_of("group_horseshoe", (4, 3))
    for size in (0.0, 1e-12, 1.0, 1e12):
        w = tf.constant(size * RNG.normal(size=(4, 3)))
        with tf.GradientTape() as tape:
            tape.watch(w)
            log_prob = prior.log_prob(w)
        assert np.isfinite(log_prob)
        assert np.isfinite(tape.gradient(log_prob, w)).all()


# Scales


@pytest.mark.parametrize(("a", "b"), [(0.5, 1.0), (0.5, 0.3), (2.0, 4.0)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (tfd.Gamma, lambda a, b: stats.gamma(a, scale=1 / b)),
        (tfd.InverseGamma, lambda a, b: stats.invgamma(a, scale=b)),
    ],
)
def test_the_kl_of_a_log_normal_scale_equals_quadrature(ours, theirs, a, b):
    p = theirs(a, b)
    for m, s in [(0.0, 0.5), (-1.0, 1.0), (0.7, 0.1)]:
        cross_entropy = stats.norm(m, s).expect(
            lambda u: -u - p.logpdf(math.exp(u)), lb=m - 9 * s, ub=m + 9 * s, epsabs=1e-11
        )
        found = tfd.kl_divergence(tfd.LogNormal(np.float64(m), np.float64(s)), ours(np.float64(a), np.float64(b)))
        assert float(found) == pytest.approx(cross_entropy - stats.norm(m, s).entropy(), rel=1e-8, abs=1e-9)


# What holds of all

SCALES = st.floats(-4.0, 2.0).map(math.exp)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), SCALES), min_size=6, max_size=6), SCALES, st.floats(0.1, 5.0))
def test_a_proper_kl_is_never_negative(weights, scale, length_scale):
    mean, stddev = (np.array(column).reshape(3, 2, 1) for column in zip(*weights, strict=True))
    q = mean_field(mean, stddev)
    for prior in (
        prior_of("correlated_normal", (3, 2, 1), scale=scale, length_scale=length_scale),
        prior_of("tied_mean", (3, 2, 1), scale=scale),
    ):
        assert exact(q, prior) >= -1e-9


@settings(max_examples=20, deadline=None)
@given(SCALES)
def test_a_kl_vanishes_where_the_posterior_is_the_prior(scale):
    q = mean_field(np.zeros((3, 2, 1)), np.full((3, 2, 1), scale))
    far = prior_of("correlated_normal", (3, 2, 1), scale=scale, length_scale=1e-3, jitter=0.0)
    tied = prior_of("tied_mean", (3, 2, 1), scale=scale)
    learnable = prior_of("learnable_normal", (3, 2, 1), initial_scale=scale)
    for prior in (far, tied, learnable):
        assert exact(q, prior) == pytest.approx(0.0, abs=1e-9)


# Type-II maximum likelihood


def _orthogonal_regression():
    """Targets `y = X w + noise` with `X'X = c I`: the mean-field bound is the evidence."""
    rng, size, noise = np.random.default_rng(3), 6, 0.5
    x = np.linalg.qr(rng.normal(size=(40, size)))[0] * 3.0
    y = x @ rng.normal(scale=0.7, size=size) + noise * rng.normal(size=40)
    projections = x.T @ y / 9.0  # N(0, t^2 + noise^2 / 9) under the prior N(0, t^2)
    best = math.sqrt(np.mean(projections**2) - noise**2 / 9.0)
    return x, y, noise, best


def _negative_bound(layer, x, y, noise):
    q = layer.posterior.kernel
    mean, variance = q.mean(), q.variance()
    residual = tf.reduce_sum(tf.square(y - tf.squeeze(x @ mean, -1))) + tf.reduce_sum((x**2) @ variance)
    return residual / (2 * noise**2) + layer.divergence.penalty(None, None)


def test_a_learnable_scale_is_trained_to_the_largest_evidence():
    x, y, noise, best = _orthogonal_regression()
    log_evidence = [
        stats.multivariate_normal(np.zeros(40), noise**2 * np.eye(40) + t**2 * x @ x.T).logpdf(y)
        for t in (0.98 * best, best, 1.02 * best)
    ]
    assert log_evidence[1] > max(log_evidence[0], log_evidence[2])
    factory = bc.kernel_bias.factory("reparameterization", prior={"name": "learnable_normal", "initial_scale": 3.0})
    layer = bc.Affine(6, 1, use_bias=False, make_kernel_bias_fn=factory, dtype=tf.float64)
    optimizer = tf.keras.optimizers.Adam(0.05)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = _negative_bound(layer, x, y, noise)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables, strict=True)
        )

    for _ in range(800):
        step()
    found = math.exp(float(layer.named_variables["prior/kernel/untransformed_scale"]))
    assert found == pytest.approx(best, rel=1e-3)
    posterior_variance = 1.0 / (1.0 / best**2 + 9.0 / noise**2)
    np.testing.assert_allclose(layer.posterior.kernel.variance(), posterior_variance, rtol=1e-2)


def test_empirical_bayes_with_a_faint_hyperprior_finds_the_same_scale():
    x, y, noise, best = _orthogonal_regression()
    variance = 1.0 / (1.0 / best**2 + 9.0 / noise**2)
    mean = variance * (x.T @ y) / noise**2
    prior = prior_of("empirical_bayes", (6,), concentration=1e-9, rate=1e-9)
    found = float(prior.best_variance(tf.constant(np.sum(mean**2 + variance))))
    assert found * (6 + 2) / 6 == pytest.approx(
        best**2, rel=1e-6
    )  # the inverse gamma's own 2 counts as two weights more


def test_the_scales_of_a_learnable_prior_are_named_variables_with_the_gradient_of_the_kl():
    layer = bc.Convolution(1, 2, 3, make_kernel_bias_fn=bc.kernel_bias.factory(prior="learnable_normal"))
    variables = [v for name, v in layer.named_variables.items() if name.startswith("prior/")]
    assert list(layer.named_variables)[-2:] == ["prior/kernel/untransformed_scale", "prior/bias/untransformed_scale"]
    with tf.GradientTape() as tape:
        layer(np.ones([1, 4, 4, 1], np.float32))
        loss = layer.extra_loss
    for gradient, q, p in zip(tape.gradient(loss, variables), layer.posterior, layer.prior, strict=True):
        # d KL / d log t = W - sum(m^2 + s^2) / t^2
        squares = np.sum(q.mean() ** 2 + q.variance()) / np.square(tf.convert_to_tensor(p.distribution.scale))
        assert float(gradient) == pytest.approx(np.prod(q.event_shape) - squares, rel=1e-4)


@pytest.mark.parametrize("name", sorted(prior_oracles.WHOLE_WEIGHTS | {"correlated_normal"}))
def test_kernel_and_bias_have_a_prior_each(name):
    spec = WeightSpec((3, 3, 1, 2), tf.float32, 9)
    pair = priors.get(name)(KernelBias(spec, spec._replace(shape=(2,))))
    assert [tuple(p.event_shape) for p in pair] == [(3, 3, 1, 2), (2,)]
    assert {p.dtype for p in pair} == {tf.float32}

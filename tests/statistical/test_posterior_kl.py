"""Densities and divergences of every posterior against SciPy, quadrature and draws.

Closed forms are `-E log p - H[q]`, with the moments of `posterior_oracles` and entropies written here in NumPy, to
1e-9. That this is the KL is shown by 100,000 draws of `log q - log p`, both by SciPy: a z-test with a false alarm rate
of 1e-6 that finds a bias of 0.021 standard deviations of the log-ratio, some hundredths of a nat, 19 times in 20.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import bounds
import numpy as np
import oracles
import posterior_oracles
import pytest
import reference
import tensorflow as tf
import tensorflow_probability as tfp
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import draws
from scipy import integrate, special, stats
from test_posterior_moments import SHAPES, moments_of, randomized, values_of

import bayesconv as bc
from bayesconv import distributions, divergences, posteriors, priors, random

pytestmark = pytest.mark.slow

tfd = tfp.distributions
NUM_DRAWS = 100_000
HE_STDDEV = math.sqrt(2 / 4)  # the specs of `randomized` have a fan-in of 4
NORMALS = ("k_tied_normal", "low_rank_normal", "matrix_normal", "mean_field_normal")
EXACT = (*NORMALS, "gaussian_dropout", "variational_dropout", "laplace", "radial", "student_t")
DENSE = (*EXACT, "mixture_of_means")
FIXED = tuple(posterior_oracles.OWN_PRIORS)


def prior_for(q: Any, name: str = "normal", **options: Any) -> Any:
    spec = bc.WeightSpec(tuple(q.event_shape), q.dtype, 4)
    return priors.resolve({"name": name, **options})(bc.KernelBias(spec)).kernel


def kl_of(q: Any, p: Any) -> float:
    return float(divergences.exact(bc.KernelBias(q), bc.KernelBias(p)).penalty(None, None))


# Densities


def _radial_log_prob(w: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    # A direction on the sphere of area A_D, and a length of density 2 phi(r), r > 0, spread over r^(D-1).
    size, z = len(mean), (w - mean) / scale
    length = np.linalg.norm(z, axis=-1)
    area = math.log(2) + size / 2 * math.log(math.pi) - special.gammaln(size / 2)
    return stats.halfnorm.logpdf(length) - area - (size - 1) * np.log(length) - np.log(scale).sum()


def log_prob(name: str, values: dict[str, np.ndarray], w: np.ndarray) -> np.ndarray:
    """Log-density of one kernel, `[..]` for `[.., D]`."""
    mean, spread = posterior_oracles.MEMBERS[name](values)
    scale = np.exp(values.get("untransformed_scale", np.zeros(1))).ravel()
    if name == "laplace":
        return stats.laplace.logpdf(w, mean, scale).sum(axis=-1)
    if name == "student_t":
        return stats.t.logpdf(w, 8.0, mean, scale).sum(axis=-1)
    if name == "radial":
        return _radial_log_prob(w, mean, scale)
    if name == "mixture_of_means":
        locs = values["loc"].reshape([len(values["loc"]), -1])
        return special.logsumexp([stats.norm.logpdf(w, loc, scale).sum(axis=-1) for loc in locs], axis=0) - math.log(2)
    covariance = np.diag(spread) if spread.ndim == 1 else spread
    return stats.multivariate_normal(mean, covariance, allow_singular=True).logpdf(w)


@pytest.mark.parametrize("shape", ["kernel", "bias"])
@pytest.mark.parametrize("name", DENSE)
def test_densities_are_scipys(name, shape):
    q = randomized(posteriors, name, {}, shape)
    rtol = 1e-6 if "dropout" in name else 1e-10  # a weight of zero keeps a little noise
    draws = q.sample([3, 2], seed=tf.constant([1, 2]))
    expected = log_prob(name, values_of(q), draws.numpy().reshape([3, 2, -1]))
    assert q.log_prob(draws).shape == (3, 2)
    np.testing.assert_allclose(q.log_prob(draws), expected, rtol=rtol)
    np.testing.assert_allclose(q.log_prob(draws[0, 0]), expected[0, 0], rtol=rtol)


@pytest.mark.parametrize("name", ["low_rank_normal", "matrix_normal", "mixture_of_means", "radial"])
def test_the_density_of_a_batch_of_kernels_is_the_product_of_theirs(name):
    q = randomized(posteriors, name, {}, "batch")
    draws = q.sample(3, seed=tf.constant([1, 2]))
    axis = {"factors": 1, "loc": int(name == "mixture_of_means")}
    expected = sum(
        log_prob(
            name,
            {k: np.take(v, i, axis.get(k, 0)) for k, v in values_of(q).items()},
            draws[:, i].numpy().reshape(3, -1),
        )
        for i in range(2)
    )
    np.testing.assert_allclose(q.log_prob(draws), expected, rtol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_radial_density_integrates_to_one_and_in_one_dimension_it_is_a_normal(size):
    q = distributions.Radial(tf.zeros([size], tf.float64), tf.fill([size], tf.constant(0.7, tf.float64)))
    area = 2 * math.pi ** (size / 2) / math.gamma(size / 2)

    def shell(r: float) -> float:  # of all points at that distance, which have one density
        point = np.eye(size)[0] * r
        return area * r ** (size - 1) * float(tf.exp(q.log_prob(point)))

    assert integrate.quad(shell, 0, 7, epsabs=1e-9)[0] == pytest.approx(1.0, abs=1e-7)
    if size == 1:
        np.testing.assert_allclose(q.log_prob([0.3]), stats.norm.logpdf(0.3, 0, 0.7), rtol=1e-12)
        np.testing.assert_allclose(q.entropy(), stats.norm.entropy(0, 0.7), rtol=1e-12)


@pytest.mark.parametrize("name", FIXED)
def test_what_is_confined_to_fewer_dimensions_has_no_density(name):
    q = randomized(posteriors, name, {}, "kernel")
    assert not distributions.has_density(q)
    with pytest.raises(NotImplementedError):
        q.log_prob(q.mean())


# Exact divergences from normals


@functools.cache
def _of_length() -> tuple[float, float]:
    """`-E log 2 phi(|r|)` and `E log |r|` of a standard normal."""
    expectation = lambda f: 2 * integrate.quad(lambda r: stats.norm.pdf(r) * f(r), 0, 12)[0]  # noqa: E731
    return expectation(lambda r: -stats.halfnorm.logpdf(r)), expectation(np.log)


def entropy(name: str, values: dict[str, np.ndarray]) -> float:
    mean, spread = posterior_oracles.MEMBERS[name](values)
    scale = np.exp(values.get("untransformed_scale", np.zeros(1))).ravel()
    if name == "laplace":
        return float(np.log(2 * math.e * scale).sum())
    if name == "student_t":
        return float(sum(stats.t.entropy(8.0, scale=s) for s in scale))
    if name == "radial":
        size = len(mean)
        area = math.log(2) + size / 2 * math.log(math.pi) - special.gammaln(size / 2)
        of_length, log_length = _of_length()
        return float(np.log(scale).sum() + area + of_length + (size - 1) * log_length)
    covariance = np.diag(spread) if spread.ndim == 1 else spread
    return 0.5 * np.linalg.slogdet(2 * math.pi * math.e * covariance)[1]


def kl_from_normal(name: str, values: dict[str, np.ndarray], loc: float, scale: float) -> float:
    mean, spread = posterior_oracles.MEMBERS[name](values)
    variance = spread if spread.ndim == 1 else np.diag(spread)
    squares = (variance + np.square(mean - loc)) / (2 * scale**2)
    return float(np.sum(squares + 0.5 * np.log(2 * math.pi * scale**2))) - entropy(name, values)


@pytest.mark.parametrize("shape", ["kernel", "bias"])
@pytest.mark.parametrize("name", EXACT)
def test_divergences_from_normals_are_exact(name, shape):
    q = randomized(posteriors, name, {}, shape)
    rtol = 1e-5 if "dropout" in name else 1e-9
    assert kl_of(q, prior_for(q)) == pytest.approx(kl_from_normal(name, values_of(q), 0.0, HE_STDDEV), rel=rtol)
    expected = kl_from_normal(name, values_of(q), 0.3, 0.7)
    assert kl_of(q, prior_for(q, loc=0.3, scale=0.7)) == pytest.approx(expected, rel=rtol)


@pytest.mark.parametrize("name", ["low_rank_normal", "matrix_normal", "radial"])
def test_kernels_of_a_batch_add_up_and_priors_may_differ_by_element(name):
    q = randomized(posteriors, name, {}, "batch")
    variances = np.stack([np.diag(covariance) for _, covariance in moments_of(q, name, 2)])
    parts = [{k: np.take(v, i, int(k == "factors")) for k, v in values_of(q).items()} for i in range(2)]
    apart = sum(kl_from_normal(name, part, 0.0, HE_STDDEV) for part in parts)
    assert kl_of(q, prior_for(q)) == pytest.approx(apart, rel=1e-9)
    # An independent normal of the same marginals is as far as the entropies differ.
    p = distributions.independent(distributions.Normal(q.mean(), np.sqrt(variances.reshape(q.event_shape))))
    expected = sum(np.log(2 * math.pi * math.e * variances).ravel()) / 2 - sum(entropy(name, part) for part in parts)
    assert kl_of(q, p) == pytest.approx(expected, rel=1e-9)
    assert kl_of(q, p) > 0


def log_ratios(name: str, q: Any, loc: float, scale: float) -> np.ndarray:
    draws = q.sample(NUM_DRAWS, seed=tf.constant([4, 0])).numpy().reshape([NUM_DRAWS, -1])
    return log_prob(name, values_of(q), draws) - stats.norm.logpdf(draws, loc, scale).sum(axis=-1)


@pytest.mark.parametrize("name", EXACT)
def test_exact_divergences_are_means_of_log_ratios(name):
    q = randomized(posteriors, name, {}, "kernel")
    ratios = log_ratios(name, q, 0.3, 0.7)[:, np.newaxis]
    kl = kl_of(q, prior_for(q, loc=0.3, scale=0.7))
    assert bounds.compare_means(ratios, kl).agrees
    assert not bounds.compare_means(ratios, kl + 0.2).agrees


def test_the_divergence_of_a_mixture_of_means_is_estimated_without_bias():
    q = randomized(posteriors, "mixture_of_means", {}, "kernel")
    pair = bc.KernelBias(q), bc.KernelBias(prior_for(q, loc=0.3, scale=0.7))
    assert divergences.best_effort(*pair).name == "monte_carlo(num_samples=1)"
    divergence = divergences.monte_carlo(*pair, num_samples=4)
    estimates = draws(lambda seed: divergence.penalty(lambda: divergences.sample(pair[0], seed), seed), 2_000, salt=8)
    ratios = log_ratios("mixture_of_means", q, 0.3, 0.7)
    assert bounds.compare_two_means(estimates[:, np.newaxis], ratios[:, np.newaxis]).agrees


# Single weights, by quadrature


def _integral(density: Callable[[float], float], function: Callable[[float], float], points: list[float]) -> float:
    def weighted(w: float) -> float:
        p = density(w)
        return p * function(w) if p else 0.0  # far out a log-density may be minus infinity

    edges = itertools.pairwise([-np.inf, *sorted(points), np.inf])
    return math.fsum(integrate.quad(weighted, a, b, epsabs=1e-12, epsrel=1e-11, limit=200)[0] for a, b in edges)


LOCS_AND_SCALES = list(itertools.product([-1.2, 0.0, 0.3], [0.05, 0.4]))
SINGLE = {
    "laplace": (tfd.Laplace, stats.laplace),
    "normal": (tfd.Normal, stats.norm),
    "student_t": (functools.partial(tfd.StudentT, np.float64(8.0)), functools.partial(stats.t, 8.0)),
}


@pytest.mark.parametrize("other", ["normal", "laplace"])
@pytest.mark.parametrize("name", ["laplace", "student_t"])
def test_divergences_of_single_weights_equal_quadrature(name, other):
    if (name, other) == ("student_t", "laplace"):
        return  # has none
    for (m, s), (a, t) in itertools.product(LOCS_AND_SCALES, [(0.0, 0.5), (0.3, 0.7)]):
        q, p = SINGLE[name][1](m, s), SINGLE[other][1](a, t)
        exact = _integral(q.pdf, lambda w, q=q, p=p: q.logpdf(w) - p.logpdf(w), [m - 9 * s, m, m + 9 * s, a])
        ours = tfd.kl_divergence(
            SINGLE[name][0](np.float64(m), np.float64(s)), SINGLE[other][0](np.float64(a), np.float64(t))
        )
        assert float(ours) == pytest.approx(exact, rel=1e-7, abs=1e-8)


def test_student_t_against_others_than_normals_is_sampled():
    q = randomized(posteriors, "student_t", {}, "kernel")
    for prior in ("laplace", "student_t"):
        assert divergences.best_effort(bc.KernelBias(q), bc.KernelBias(prior_for(q, prior))).name.startswith("monte")
    few = distributions.independent(distributions.StudentT(np.float64(2.0), q.mean(), np.float64(1.0)))
    assert divergences.closed_form(few, prior_for(q)) is None


def _kl_log_uniform(log_alpha: float) -> float:
    # E log |w| - log s + (gamma + log 2) / 2 for N(1, s^2), which vanishes as s grows.
    s = math.exp(log_alpha / 2)
    edges = [1 - 9 * s, 1 - s, 0.0, 1 + s, 1 + 9 * s]
    mean = _integral(stats.norm(1, s).pdf, lambda w: math.log(abs(w)) if w else 0.0, edges)
    return mean - math.log(s) + (np.euler_gamma + math.log(2)) / 2


def approximate_log_uniform(log_alpha: float) -> float:
    q = distributions.independent(distributions.Normal(np.ones(1), np.exp([log_alpha / 2])))
    return kl_of(q, prior_for(q, "log_uniform"))


def of_the_wrong_sign(log_alpha: float) -> float:
    return 0.63576 * special.expit(1.8732 + 1.48695 * log_alpha) - np.log1p(np.exp(-log_alpha)) / 2 - 0.63576


@pytest.mark.parametrize(("form", "is_right"), [(approximate_log_uniform, True), (of_the_wrong_sign, False)])
def test_the_divergence_from_the_log_uniform_is_within_a_hundredth_of_a_nat(form, is_right):
    errors = [abs(form(log_alpha) - _kl_log_uniform(log_alpha)) for log_alpha in np.linspace(-8, 8, 17)]
    assert (max(errors) < 0.011) == is_right


# Factors


def test_the_divergence_of_rank_1_is_of_its_factors():
    q = randomized(posteriors, "rank_1", {}, "batch")
    v, p = values_of(q), prior_for(q, "rank_1", loc=0.5, scale=0.3)
    locs = np.concatenate([v["input_loc"].ravel(), v["output_loc"].ravel()])
    scales = np.exp(np.concatenate([v["untransformed_input_scale"].ravel(), v["untransformed_output_scale"].ravel()]))
    expected = reference.normal_kl(locs, scales, np.array(0.5), np.array(0.3))
    assert kl_of(q, p) == pytest.approx(expected, rel=1e-10)
    slopes = _slopes(lambda: divergences.closed_form(q, p), q)
    assert slopes["loc"] is None  # a point estimate
    assert all(slopes[key] is not None for key in v if key != "loc")


def test_with_several_components_it_is_a_bound_within_the_logarithm_of_their_number():
    q = randomized(posteriors, "rank_1", {"num_components": 3}, "kernel")
    v, rng = values_of(q), np.random.default_rng(0)
    loc = np.concatenate([v["input_loc"], v["output_loc"]], axis=1)
    scale = np.exp(np.concatenate([v["untransformed_input_scale"], v["untransformed_output_scale"]], axis=1))
    chosen = rng.integers(3, size=NUM_DRAWS)
    factors = loc[chosen] + scale[chosen] * rng.normal(size=(NUM_DRAWS, loc.shape[1]))
    of_components = stats.norm.logpdf(factors[:, np.newaxis], loc, scale).sum(axis=-1)
    log_q = special.logsumexp(of_components, axis=1) - math.log(3)
    kl = np.mean(log_q - stats.norm.logpdf(factors, 1.0, 0.5).sum(axis=-1))
    assert kl < kl_of(q, prior_for(q, "rank_1", scale=0.5)) < kl + math.log(3)


@pytest.mark.parametrize("name", FIXED)
def test_point_estimates_and_fixed_noise_have_no_penalty_under_their_priors(name):
    bias = randomized(posteriors, name, {}, "bias")
    assert kl_of(bias, prior_for(bias, "flat")) == 0.0
    for fixed in ("filterwise_dropout", "batch_ensemble"):
        kernel = randomized(posteriors, fixed, {}, "kernel")
        assert kl_of(kernel, prior_for(kernel, "flat")) == 0.0


@pytest.mark.parametrize("divergence", ["exact", "monte_carlo", "best_effort"])
@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("rank_1", "normal"),
        ("filterwise_dropout", "laplace"),
        ("rank_1", "flat"),
        ("filterwise_dropout", "rank_1"),
        ("batch_ensemble", "normal"),
        ("batch_ensemble", "rank_1"),
    ],
)
def test_priors_of_another_kind_are_refused_with_the_reason(name, prior, divergence):
    q = randomized(posteriors, name, {}, "kernel")
    with pytest.raises(ValueError, match="confined to fewer dimensions than they have"):
        divergences.get(divergence)(bc.KernelBias(q), bc.KernelBias(prior_for(q, prior)))


@pytest.mark.parametrize("prior", ["flat", "rank_1"])
def test_priors_without_a_density_are_refused_for_posteriors_with_one(prior):
    q = randomized(posteriors, "mean_field_normal", {}, "kernel")
    with pytest.raises(ValueError, match="needs `log_prob`"):
        divergences.best_effort(bc.KernelBias(q), bc.KernelBias(prior_for(q, prior)))
    with pytest.raises(NotImplementedError, match=r"improper|says nothing of the kernel"):
        prior_for(q, prior).sample(seed=tf.constant([0, 1]))


# Zero, and never below


@pytest.mark.parametrize("name", NORMALS)
def test_a_normal_is_at_zero_from_itself_written_otherwise(name):
    q = randomized(posteriors, name, {}, "kernel")
    for key in ("factors", "row_entries", "column_entries"):  # what makes weights dependent
        for variable in q.variables:
            if variable.name.endswith(f"/{key}:0"):
                variable.assign(tf.zeros_like(variable))
    p = distributions.independent(distributions.Normal(q.mean().numpy(), q.stddev().numpy()))
    assert kl_of(q, p) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", DENSE)
def test_the_log_ratio_of_a_posterior_with_itself_is_zero(name):
    pair = bc.KernelBias(randomized(posteriors, name, {}, "kernel"))
    seed = random.as_seed(0)
    assert float(divergences.monte_carlo(pair, pair).penalty(lambda: divergences.sample(pair, seed), seed)) == 0.0


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), loc=st.floats(-2, 2), log_scale=st.floats(-4, 2), spread=st.floats(0.01, 3))
def test_exact_divergences_are_never_negative(name, seed, loc, log_scale, spread):
    q, rng = _one_for_all(name), np.random.default_rng(seed)
    for variable in q.variables:
        variable.assign(rng.normal(0, spread, variable.shape))
    assert kl_of(q, prior_for(q, loc=loc, scale=math.exp(log_scale))) >= 0.0


@functools.cache
def _one_for_all(name: str) -> Any:
    return randomized(posteriors, name, {}, "kernel")


# Bayesian linear regression: with the true posterior the bound is the evidence, which no mean-field one reaches


def _low_rank_of(mean: np.ndarray, covariance: np.ndarray) -> Any:
    values, vectors = np.linalg.eigh(covariance)
    own = 0.5 * values[0]
    factors = (vectors * np.sqrt(values - own)).T
    return distributions.LowRankNormal(*map(tf.constant, (mean, np.full(mean.shape, math.sqrt(own)), factors)))


def _matrix_of(mean: np.ndarray, covariance: np.ndarray) -> Any:
    cholesky = np.linalg.cholesky(covariance)
    below = np.tril((cholesky / np.diag(cholesky)[:, np.newaxis])[1:, :-1])
    rows = distributions.CovarianceFactor(tf.constant(np.diag(cholesky)), tfp.math.fill_triangular_inverse(below))
    columns = distributions.CovarianceFactor(tf.ones([1], tf.float64))
    return distributions.MatrixNormal(tf.constant(mean[:, np.newaxis]), rows, columns)


def _mean_field_of(mean: np.ndarray, covariance: np.ndarray) -> Any:
    return distributions.independent(distributions.Normal(mean, np.diag(np.linalg.inv(covariance)) ** -0.5))


@pytest.mark.parametrize(("make", "is_tight"), [(_low_rank_of, True), (_matrix_of, True), (_mean_field_of, False)])
def test_the_evidence_bound_is_tight_at_the_true_posterior(make, is_tight):
    rng, noise = np.random.default_rng(2), 0.3
    x = rng.normal(size=(20, 4)) @ rng.normal(size=(4, 4))
    y = x @ rng.normal(size=4) + noise * rng.normal(size=20)
    precision = np.eye(4) / HE_STDDEV**2 + x.T @ x / noise**2
    covariance = np.linalg.inv(precision)
    q = make(covariance @ x.T @ y / noise**2, covariance)
    mean, variance = q.mean().numpy().ravel(), covariance if is_tight else np.diag(q.variance())
    squares = np.sum((y - x @ mean) ** 2) + np.trace(x @ variance @ x.T)
    bound = -10 * math.log(2 * math.pi * noise**2) - squares / (2 * noise**2) - kl_of(q, prior_for(q))
    marginal = noise**2 * np.eye(20) + HE_STDDEV**2 * x @ x.T
    evidence = stats.multivariate_normal(np.zeros(20), marginal).logpdf(y)
    assert (bound == pytest.approx(evidence, rel=1e-9)) == is_tight
    assert bound < evidence + 1e-9


# Extremes


def _slopes(function: Callable[[], Any], q: Any) -> dict[str, Any]:
    with tf.GradientTape() as tape:
        value = function()
    names = [v.name.partition("/")[2].removesuffix(":0") for v in q.trainable_variables]
    return dict(zip(names, tape.gradient(value, q.trainable_variables), strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", posteriors.names())
def test_gradients_are_finite_wherever_an_optimizer_takes_the_scales(name, shape):
    # A scale that is a product of two, or of a location, has half of the exponent in each.
    q = randomized(posteriors, name, {}, shape, tf.float32)
    p = prior_for(q, "flat" if shape == "bias" and name in FIXED else posterior_oracles.OWN_PRIORS.get(name, "normal"))
    divergence = divergences.best_effort(bc.KernelBias(q), bc.KernelBias(p))
    halves = 0.5 if name in ("k_tied_normal", "matrix_normal", "rank_1") else 1.0

    def loss() -> Any:
        draw = divergences.sample(bc.KernelBias(q), random.as_seed(1))
        return tf.reduce_sum(tf.square(draw.kernel)) + divergence.penalty(lambda: draw, random.as_seed(2))

    for value in (-30.0, -10.0, 0.0, 10.0, 30.0):
        for variable in q.variables:
            if "untransformed_" in variable.name:
                variable.assign(tf.fill(variable.shape, halves * value))
        assert np.isfinite(loss()), value
        for key, slope in _slopes(loss, q).items():
            assert slope is not None, key
            assert np.isfinite(slope).all(), (key, value)


# Layers


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("case_name", ["conv2d", "affine"])
def test_the_extra_loss_of_a_layer_is_the_sum_over_kernel_and_bias(case_name, name, dtype):
    case = oracles.CASES[case_name]
    layer = oracles.make_layer(case, dtype=dtype, posterior=name, estimator="reparameterization")
    layer(oracles.inputs_of(case), seed=0)
    he_stddev = math.sqrt(2 / np.prod(case.kernel_shape[:-1]))
    variables = {key: variable.numpy().astype(np.float64) for key, variable in layer.named_variables.items()}
    expected = sum(kl_from_normal(name, part, 0.0, he_stddev) for part in posterior_oracles.parts_of(variables))
    assert float(layer.extra_loss) == pytest.approx(expected, rel=1e-5)
    assert layer.divergence.name == "exact"


# Mutants


def _cross_entropy(q: Any, variance: Any, scale: float = 0.7, loc: float = 0.3) -> Any:
    return tf.reduce_sum((variance + (q.mean() - loc) ** 2) / (2 * scale**2) + 0.5 * math.log(2 * math.pi * scale**2))


def _without_capacitance(q: Any) -> Any:
    return 0.5 * math.log(2 * math.pi * math.e) * q.size + tf.reduce_sum(tf.math.log(q.scale))


def _rows_for_columns(q: Any) -> Any:
    num_rows, num_columns = q.matrix_shape
    logs = num_rows * tf.reduce_sum(tf.math.log(q.rows.scale)) + num_columns * tf.reduce_sum(
        tf.math.log(q.columns.scale)
    )
    return 0.5 * math.log(2 * math.pi * math.e) * q.size + logs


MUTANTS = {
    "radial_as_if_normal": ("radial", lambda q: _cross_entropy(q, q.scale**2) - q.entropy()),
    "radial_up_to_a_constant": (
        "radial",
        lambda q: _cross_entropy(q, q.variance()) - tf.reduce_sum(tf.math.log(q.scale)),
    ),
    "low_rank_trace": ("low_rank_normal", lambda q: _cross_entropy(q, q.scale**2) - q.entropy()),
    "low_rank_determinant": ("low_rank_normal", lambda q: _cross_entropy(q, q.variance()) - _without_capacitance(q)),
    "matrix_determinant": ("matrix_normal", lambda q: _cross_entropy(q, q.variance()) - _rows_for_columns(q)),
    "laplace_variance": ("laplace", lambda q: _cross_entropy(q, q.distribution.scale**2) - q.entropy()),
    "student_variance": ("student_t", lambda q: _cross_entropy(q, q.distribution.scale**2) - q.entropy()),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_wrong_closed_forms_are_found(mutant):
    name, form = MUTANTS[mutant]
    q = randomized(posteriors, name, {}, "kernel")
    assert float(form(q)) != pytest.approx(kl_from_normal(name, values_of(q), 0.3, 0.7), rel=1e-3)
    assert not bounds.compare_means(log_ratios(name, q, 0.3, 0.7)[:, np.newaxis], float(form(q))).agrees

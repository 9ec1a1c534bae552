"""Claims about priors: their densities, their default width, and what they refuse."""

from __future__ import annotations

import functools
import math
import re

import numpy as np
import pytest
import reference
import scipy.integrate
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
from covering import diagonal

import bayesconv as bc
from bayesconv import posteriors, priors

tfd = tfp.distributions

SPECS = bc.KernelBias(bc.WeightSpec((2, 3), tf.float64, fan_in=8), bc.WeightSpec((3,), tf.float64, fan_in=8))
HE = math.sqrt(2 / 8)
W = np.random.default_rng(0).normal(size=(2, 3))


def _normal(scale):
    return scipy.stats.norm(0, scale)


def _horseshoe(w, scale):
    """The scale of each weight integrated out."""

    def density(x):
        def of_scale(t):
            return _normal(t).pdf(x) * scipy.stats.halfcauchy(0, scale).pdf(t)

        parts = [(0.0, abs(x)), (abs(x), 10 * scale), (10 * scale, np.inf)]
        return math.fsum(scipy.integrate.quad(of_scale, *part, epsabs=1e-13, epsrel=1e-11)[0] for part in parts)

    return np.log(np.vectorize(density)(w))


# Priors whose weights depend on one another or on the posterior: tests/statistical/test_whole_weight_priors.py
WHOLE = {"empirical_bayes", "flat", "group_horseshoe", "rank_1", "tied_mean"}
IMPROPER = {"flat", "log_uniform"}
WITHOUT_DRAWS = IMPROPER | {"rank_1", "tied_mean"}
WITH_VARIABLES = {"anchored_normal", "learnable_normal"}
DENSITIES = [
    ("normal", {}, _normal(HE).logpdf),
    ("normal", {"loc": 1.0, "scale": 0.3}, scipy.stats.norm(1.0, 0.3).logpdf),
    ("normal", {"variance_factor": 1.0}, _normal(math.sqrt(1 / 8)).logpdf),
    ("cauchy", {}, scipy.stats.cauchy(0, scipy.stats.norm.ppf(0.75) * HE).logpdf),
    ("cauchy", {"loc": 1.0, "scale": 0.2}, scipy.stats.cauchy(1, 0.2).logpdf),
    ("horseshoe", {"scale": 0.2}, lambda w: _horseshoe(w, 0.2)),
    ("log_uniform", {}, lambda w: -np.log(np.abs(w))),
    ("learnable_normal", {"initial_scale": 0.3}, _normal(0.3).logpdf),
    ("anchored_normal", {"initial_scale": 0.3}, _normal(0.3).logpdf),
    ("correlated_normal", {"scale": 0.3}, _normal(0.3).logpdf),  # without taps
    ("laplace", {}, scipy.stats.laplace(0, HE / math.sqrt(2)).logpdf),
    ("laplace", {"scale": 0.1}, scipy.stats.laplace(0, 0.1).logpdf),
    ("laplace", {"stddev": 0.1, "loc": -1.0}, scipy.stats.laplace(-1, 0.1 / math.sqrt(2)).logpdf),
    ("student_t", {}, scipy.stats.t(3, 0, HE / math.sqrt(3)).logpdf),
    ("student_t", {"df": 1.0, "scale": 0.2}, scipy.stats.t(1, 0, 0.2).logpdf),
    ("student_t", {"df": 6.0, "stddev": 0.2}, scipy.stats.t(6, 0, 0.2 * math.sqrt(4 / 6)).logpdf),
    (
        "scale_mixture",
        {"scales": [0.1, 1.0], "probs": [0.2, 0.8]},
        lambda w: np.log(0.2 * _normal(0.1).pdf(w) + 0.8 * _normal(1.0).pdf(w)),
    ),
    (
        "spike_and_slab",
        {"slab_probability": 0.3},
        lambda w: np.log(0.7 * _normal(0.1 * HE).pdf(w) + 0.3 * _normal(2 * HE).pdf(w)),
    ),
    (
        "spike_and_slab",
        {"spike_scale": 0.05, "slab_scale": 3.0},
        lambda w: np.log(0.5 * _normal(0.05).pdf(w) + 0.5 * _normal(3.0).pdf(w)),
    ),
]


@pytest.mark.parametrize(("name", "options", "log_density"), DENSITIES)
def test_the_density_is_the_product_over_the_weights(name, options, log_density):
    prior = priors.resolve({"name": name, **options})(SPECS)
    expected = log_density(W)
    np.testing.assert_allclose(prior.kernel.log_prob(W), expected.sum(), rtol=1e-9)
    np.testing.assert_allclose(prior.bias.log_prob(W[0]), expected[0].sum(), rtol=1e-9)


def test_every_prior_is_among_the_densities():
    assert {name for name, *_ in DENSITIES} | WHOLE == set(priors.names())


@pytest.mark.parametrize(
    "name", sorted({"normal", "laplace", "student_t", "scale_mixture", "learnable_normal", "anchored_normal"})
)
def test_the_default_standard_deviation_is_the_one_that_suits_the_width(name):
    element = priors.get(name)(SPECS).kernel.distribution
    np.testing.assert_allclose(element.stddev(), np.broadcast_to(HE, element.batch_shape), rtol=1e-6)


@pytest.mark.parametrize("name", priors.names())
def test_priors_have_no_variables_but_those_that_say_so(name):
    prior = priors.get(name)(SPECS)
    assert bool(prior.kernel.variables) == (name in WITH_VARIABLES)
    assert bool(prior.kernel.trainable_variables) == (name == "learnable_normal")
    assert all(variable.name.startswith("prior/") for variable in prior.kernel.variables)
    assert priors.get(name)(bc.KernelBias(SPECS.kernel)).bias is None


@pytest.mark.parametrize("name", priors.names())
def test_priors_draw_in_the_dtype_or_say_why_they_cannot(name):
    prior = priors.get(name)(SPECS).kernel
    if name in WITHOUT_DRAWS:
        with pytest.raises(NotImplementedError):
            prior.sample(seed=(1, 2))
        return
    w = prior.sample(5, seed=(1, 2))
    assert (w.dtype, w.shape) == (tf.float64, (5, 2, 3))
    np.testing.assert_array_equal(w, prior.sample(5, seed=(1, 2)))
    assert np.isfinite(prior.log_prob(w)).all()


def test_why_a_prior_cannot_be_drawn_from_is_said():
    for name, message in (("log_uniform", "is improper.*Choose a proper prior"), ("tied_mean", "takes its mean from")):
        with pytest.raises(NotImplementedError, match=message):
            priors.get(name)(SPECS).kernel.sample(seed=(1, 2))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("normal", {"scale": 0.0}, "The scale of a prior must be positive. Received 0.0"),
        ("laplace", {"scale": [1.0, 2.0]}, "one number for all weights of a layer. Received"),
        ("normal", {"scale": -1.0}, "must be positive. Received -1.0"),
        ("normal", {"scale": 1.0, "variance_factor": 1.0}, "Give `scale` or `variance_factor`, not both"),
        ("normal", {"variance_factor": -1.0}, "must be positive. Received -1.0"),
        ("cauchy", {"scale": 0.0}, "must be positive"),
        ("horseshoe", {"scale": -1.0}, "must be positive"),
        ("group_horseshoe", {"scale": -1.0}, "must be positive"),
        ("tied_mean", {"scale": 0.0}, "must be positive"),
        ("learnable_normal", {"initial_scale": 0.0}, "must be positive"),
        ("anchored_normal", {"initial_scale": 0.0}, "must be positive"),
        ("empirical_bayes", {"concentration": 1.0}, "needs concentration > 1 unless `rate` is given"),
        ("empirical_bayes", {"concentration": -1.0, "rate": 1.0}, "must be positive. Received -1.0, 1.0"),
        ("empirical_bayes", {"rate": 0.0}, "must be positive"),
        ("correlated_normal", {"length_scale": 0.0}, "must be positive"),
        ("correlated_normal", {"scale": -1.0}, "must be positive"),
        ("correlated_normal", {"jitter": -1e-6}, "jitter of a correlated prior must not be negative"),
        ("laplace", {"scale": 1.0, "stddev": 1.0}, "Give `scale` or `stddev`, not both"),
        ("laplace", {"stddev": -1.0}, "must be positive"),
        ("student_t", {"df": 2.0}, "needs df > 0, and df > 2 unless `scale` is given"),
        ("student_t", {"df": 2.0, "stddev": 1.0}, "its standard deviation is infinite"),
        ("student_t", {"df": 0.0, "scale": 1.0}, "needs df > 0"),
        ("scale_mixture", {"scales": [1.0]}, r"one probability per scale.*Received scales=\[1.0\], probs=\[0.5, 0.5\]"),
        ("scale_mixture", {"probs": (0.5, 0.6)}, "that sum to one"),
        ("scale_mixture", {"probs": (-0.5, 1.5)}, "none negative"),
        ("scale_mixture", {"scales": [1.0, 0.0]}, "must be positive. Received 1.0, 0.0"),
        ("spike_and_slab", {"slab_probability": 1.5}, "none negative"),
        ("spike_and_slab", {"spike_scale": 0.0}, "must be positive"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        priors.get(name)(SPECS, **options)


# Distributions and functions as priors


def _layer(prior, **options):
    factory = functools.partial(bc.make_kernel_bias_flipout, prior=prior)
    return bc.Affine(4, 3, make_kernel_bias_fn=factory, **options)


def test_a_distribution_of_a_single_element_is_spread_over_the_weights():
    layer = _layer(tfd.Normal(0.0, 0.1))
    assert layer.prior.kernel.event_shape == (4, 3)
    assert layer.prior.bias.event_shape == (3,)
    assert layer.divergence.name == "exact"
    w = np.ones([4, 3], np.float32)
    np.testing.assert_allclose(layer.prior.kernel.log_prob(w), _normal(0.1).logpdf(w).sum(), rtol=1e-5)
    assert _layer(tfd.Gumbel(0.0, 0.1)).prior.kernel.event_shape == (4, 3)


def test_a_batch_that_broadcasts_to_the_weight_is_one_event():
    scales = np.array([0.1, 0.2, 0.3], np.float32)  # one for each output
    layer = _layer(tfd.Normal(np.float32(0.0), scales))
    np.testing.assert_allclose(layer.prior.kernel.stddev(), np.broadcast_to(scales, [4, 3]), rtol=1e-6)
    np.testing.assert_allclose(layer.prior.bias.stddev(), scales, rtol=1e-6)
    assert layer.divergence.name == "exact"
    layer(np.ones([2, 4], np.float32))
    expected = sum(
        reference.normal_kl(q.mean().numpy(), q.stddev().numpy(), np.zeros(q.event_shape), p.stddev().numpy())
        for q, p in zip(layer.posterior, layer.prior, strict=True)
    )
    np.testing.assert_allclose(layer.extra_loss, expected, rtol=1e-4)


def test_a_batch_that_trains_is_broadcast_too():
    scales = tf.Variable([0.1, 0.2, 0.3], name="prior_scales")
    layer = _layer(tfd.Normal(0.0, scales), use_bias=False)
    with tf.GradientTape() as tape:
        layer(np.ones([2, 4], np.float32))
        loss = layer.extra_loss
    assert np.abs(tape.gradient(loss, scales)).min() > 0


def test_a_distribution_of_the_whole_weight_is_taken_as_it_is_and_kernel_and_bias_may_differ():
    kernel = tfd.Sample(tfd.Laplace(0.0, 0.2), [4, 3])
    assert _layer(kernel, use_bias=False).prior.kernel is kernel
    layer = _layer(bc.KernelBias(kernel, tfd.Normal(0.0, 1.0)))
    assert layer.prior.kernel is kernel
    assert type(layer.prior.bias.distribution) is tfd.Normal


def test_a_trainable_distribution_is_trained():
    layer = _layer(tfd.Normal(0.0, tfp.util.TransformedVariable(1.0, tfp.bijectors.Exp(), name="prior_scale")))
    assert "prior_scale" in layer.named_variables
    assert len(layer.trainable_variables) == 5


def test_a_distribution_that_fits_nothing_is_refused_with_both_shapes():
    with pytest.raises(
        ValueError, match=r"its event is the weight\. Received batch shape \(\) and event shape \(4, 3\) for"
    ):
        _layer(tfd.Sample(tfd.Normal(0.0, 1.0), [4, 3]))
    with pytest.raises(ValueError, match=r"Received batch shape \(5,\)"):
        _layer(tfd.Normal(np.zeros(5, np.float32), 1.0))
    with pytest.raises(ValueError, match=r"dtype float32\. Received event shape"):
        _layer(tfd.Normal(np.float64(0.0), np.float64(1.0)))


def test_a_function_of_the_specs_is_a_prior():
    layer = _layer(lambda specs: bc.map_kernel_bias(lambda s: tfd.Sample(tfd.Normal(0.0, 1.0), s.shape), specs))
    assert layer.divergence.name == "exact"
    with pytest.raises(TypeError, match="A prior must be a name, a mapping"):
        _layer(3)


# Every posterior with every prior and every divergence


# The default posterior meets every prior; those that suit few priors, and are refused at once elsewhere, meet all too.
EVERYWHERE = ("mean_field_normal", "rank_1", "filterwise_dropout")


@pytest.mark.parametrize(("prior", "posterior"), diagonal(priors.names(), posteriors.names(), always=EVERYWHERE))
def test_every_pair_is_exact_or_sampled_or_refused_with_a_sentence(prior, posterior):
    x = np.ones([2, 5, 5, 1], np.float32)
    for divergence in ("exact", "monte_carlo", "best_effort"):
        factory = bc.kernel_bias.factory("reparameterization", posterior, prior, divergence)
        try:
            layer = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory)
        except ValueError as error:
            assert re.search(r"[Uu]se |Define|Choose|Give", str(error)), error  # noqa: PT017
            continue
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, seed=1) ** 2) + layer.extra_loss
        assert np.isfinite(loss), divergence
        gradients = tape.gradient(loss, layer.trainable_variables, unconnected_gradients="zero")
        assert all(np.isfinite(gradient).all() for gradient in gradients), divergence

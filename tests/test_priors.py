"""Claims about priors: their densities, their default width, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import bayesconv as bc
from bayesconv import priors

SPECS = bc.KernelBias(bc.WeightSpec((2, 3), tf.float64, fan_in=8), bc.WeightSpec((3,), tf.float64, fan_in=8))
HE = math.sqrt(2 / 8)
W = np.random.default_rng(0).normal(size=(2, 3))


def _normal(scale):
    return scipy.stats.norm(0, scale)


DENSITIES = [
    ("normal", {}, _normal(HE).logpdf),
    ("normal", {"loc": 1.0, "scale": 0.3}, scipy.stats.norm(1.0, 0.3).logpdf),
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
    np.testing.assert_allclose(prior.kernel.log_prob(W), log_density(W).sum(), rtol=1e-9)
    np.testing.assert_allclose(prior.bias.log_prob(W[0]), log_density(W[0]).sum(), rtol=1e-9)


def test_every_prior_is_among_the_densities():
    assert {name for name, *_ in DENSITIES} == set(priors.names())


@pytest.mark.parametrize("name", [name for name in priors.names() if name != "spike_and_slab"])
def test_the_default_standard_deviation_is_the_one_that_suits_the_width(name):
    element = priors.get(name)(SPECS).kernel.distribution
    np.testing.assert_allclose(element.stddev(), HE, rtol=1e-6)


@pytest.mark.parametrize("name", priors.names())
def test_priors_have_no_variables_and_draw_in_the_dtype(name):
    prior = priors.get(name)(SPECS)
    assert prior.kernel.trainable_variables == ()
    assert prior.kernel.sample(seed=(1, 2)).dtype == tf.float64
    assert priors.get(name)(bc.KernelBias(SPECS.kernel)).bias is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("normal", {"scale": 0.0}, "The scale of a prior must be positive. Received 0.0"),
        ("normal", {"scale": -1.0}, "must be positive. Received -1.0"),
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

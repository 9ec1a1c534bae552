"""Separable convolution is bilinear in two independent sets of weights: exact moments of a product.

y_a = sum_m P_mo D_am + b_o for a = (example, position), D = A k for the depthwise kernel k with unit responses A. With
P and k independent,

    E[y_ao y_a'o'] = sum_mm' E[P_mo P_m'o'] E[D_am D_a'm'] + Cov(b_o, b_o'),

where E[P_mo P_m'o'] = E P_mo E P_m'o' + Var P_mo if m = m' and o = o', and the same for D with the covariance A' V A.
Two examples share both draws under reparameterization, and under flipout neither: their covariance is zero.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import bounds
import numpy as np
import oracles
import pytest
import tensorflow as tf
from sampling import draws
from test_output_moments import NUM_DRAWS, NUM_DRAWS_OF_A_MUTANT, check_within_examples, per_position_signs

import bayesconv as bc

pytestmark = pytest.mark.slow

DEPTHWISE = oracles.CASES["depthwise"]  # SAME, strides 2, two filters for each of two channels
C_OUT = 2


def make_layer(estimator: Any) -> bc.SeparableConvolution:
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=estimator)
    arguments = {**DEPTHWISE.arguments, "output_size": C_OUT, "make_kernel_bias_fn": factory, "dtype": tf.float64}
    return oracles.randomized(bc.SeparableConvolution(**arguments))


def moments_of(layer: bc.SeparableConvolution, x: np.ndarray, mutant: str = "") -> oracles.Moments:
    case = DEPTHWISE._replace(arguments={**DEPTHWISE.arguments, "use_bias": False})
    between = oracles.output_moments(case, x, *oracles.moments_of(layer.depthwise))
    channels = case.num_outputs
    mean_d = between.mean.reshape([-1, channels])
    cov_d = between.covariance.reshape([*mean_d.shape, *mean_d.shape])  # [a, m, a', m']
    mean, variance = oracles.moments_of(layer.pointwise)
    mean_p, var_p = (part[: channels * C_OUT].reshape([channels, C_OUT]) for part in (mean, variance))
    mean_b, var_b = mean[channels * C_OUT :], variance[channels * C_OUT :]
    exact = np.einsum("mo,ambn,nq->aobq", mean_p, cov_d, mean_p)  # noise of the first alone
    second = np.einsum("am,bm->abm", mean_d, mean_d)
    if mutant != "without the product of variances":
        second = second + np.einsum("ambm->abm", cov_d)
    noise = np.einsum("mo,abm->abo", var_p, second) + var_b
    for o in range(C_OUT):
        exact[:, o, :, o] += noise[:, :, o]
    if mutant == "first alone":
        exact = np.einsum("mo,ambn,nq->aobq", mean_p, cov_d, mean_p)
    outputs = mean_d @ mean_p + mean_b
    size = outputs.size
    num, positions = len(x), len(mean_d) // len(x)
    example, position = np.unravel_index(np.arange(size) // C_OUT, (num, positions))
    return oracles.Moments(outputs.ravel(), exact.reshape([size, size]), example, position)


@functools.cache
def sampled(estimator: Any, num: int = NUM_DRAWS) -> tuple[np.ndarray, bc.SeparableConvolution, np.ndarray]:
    layer, x = make_layer(estimator), oracles.inputs_of(DEPTHWISE)
    outputs = draws(lambda seed: layer(tf.constant(x), seed=seed, is_training=False), num)
    return outputs.reshape([num, -1]), layer, x


@pytest.mark.parametrize("estimator", ["reparameterization", "flipout"])
def test_outputs_have_the_moments_of_the_product(estimator):
    outputs, layer, x = sampled(estimator)
    exact = moments_of(layer, x)
    comparisons = check_within_examples(outputs, exact)
    assert all(comparison.agrees for comparison in comparisons.values()), comparisons
    shared = estimator == "reparameterization"
    for is_shared in (True, False):
        expected = exact.covariance if is_shared else np.zeros_like(exact.covariance)
        comparison = bounds.compare_covariances(outputs, expected, where=~exact.same_example)
        assert comparison.agrees == (is_shared == shared), comparison


def test_the_oracle_is_that_of_the_convolution_with_the_product_of_the_kernels():
    layer, x = make_layer("reparameterization"), oracles.inputs_of(DEPTHWISE)
    exact = moments_of(layer, x)
    np.testing.assert_allclose(layer(x, weights="mean").numpy().ravel(), exact.mean, rtol=1e-10)
    for part in (layer.depthwise, layer.pointwise):  # without noise in one, the other's moments alone
        scale = part.posterior.kernel.distribution.scale
        scale.assign(tf.fill(tf.shape(scale), tf.constant(1e-9, tf.float64)))
    quiet = moments_of(layer, x)
    biases = np.tile(oracles.moments_of(layer.pointwise)[1][-C_OUT:], math.prod(exact.mean.shape) // C_OUT)
    np.testing.assert_allclose(np.diag(quiet.covariance), biases, rtol=1e-6)


@pytest.mark.parametrize("mutant", ["without the product of variances", "first alone"])
def test_wrong_formulas_are_found(mutant):
    outputs, layer, x = sampled("flipout")
    comparisons = check_within_examples(outputs, moments_of(layer, x, mutant))
    assert comparisons["mean"].agrees
    assert not comparisons["variance"].agrees


def test_signs_of_their_own_at_every_position_are_found():
    outputs, layer, x = sampled(per_position_signs, NUM_DRAWS_OF_A_MUTANT)
    comparisons = check_within_examples(outputs, moments_of(layer, x))
    assert comparisons["mean"].agrees
    assert comparisons["variance"].agrees
    assert not comparisons["covariance"].agrees

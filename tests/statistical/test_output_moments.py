"""Outputs of every estimator have the posterior's mean, variances and covariances, position by position.

y = A w, so E y = A E[w] and Cov y = A Cov(w) A': the unit responses A come from a NumPy convolution. With 4,000 draws
and up to 500 comparisons a test finds, 19 times in 20, a mean that is off by 0.12 standard deviations and a variance or
covariance that is off by 17 % of the standard deviations' product; a false alarm has probability 1e-6. What is looked
for is larger: a scale that is not the exponential of its variable, covariances between positions that are zero, a bias
without noise.

A covariance between two examples is found, 19 times in 20, if it is 0.12 of the standard deviations' product; the
shared noise that is looked for has correlations of 0.2 to 1.
"""

from __future__ import annotations

import functools
from typing import Any

import bounds
import numpy as np
import oracles
import posterior_oracles
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from covering import diagonal
from sampling import draws
from scipy import stats

from bayesconv import distributions, estimators, posteriors, random
from bayesconv.estimators import Estimate
from bayesconv.weights import map_kernel_bias

NUM_DRAWS = 4_000
NUM_DRAWS_OF_A_MUTANT = 2_000
MEAN_FIELD = "mean_field_normal"
# Every estimator that is exact with shared weights in a diagonal of geometries, so that each geometry meets one; the
# others where they refuse or have no noise; all of them in the two simplest.
SIMPLEST = ("conv2d", "affine")
EXACT = [
    name
    for name, oracle in oracles.ESTIMATOR_ORACLES.items()
    if oracle.is_noisy and oracle.is_exact(oracles.CASES["conv2d"])
]
OTHERS = [name for name in estimators.names() if name not in EXACT]
GRID = [*diagonal(EXACT, oracles.CASES, always=SIMPLEST), *diagonal(OTHERS, oracles.CASES, always=SIMPLEST)]


@functools.cache
def sampled(case_name: str, estimator: Any, posterior: Any, num: int = NUM_DRAWS) -> Any:
    """Draws `[R, D]` of a layer's outputs, and their exact moments."""
    case = oracles.CASES[case_name]
    if isinstance(estimator, tuple):
        estimator = dict(estimator)
    prior = posterior_oracles.OWN_PRIORS.get(posterior, "normal")
    layer = oracles.make_layer(case, estimator=estimator, posterior=posterior, prior=prior)
    x = oracles.inputs_of(case)
    outputs = draws(lambda seed: layer(tf.constant(x), seed=seed, is_training=False), num)
    name = posterior if isinstance(posterior, str) else MEAN_FIELD
    exact = oracles.output_moments(case, x, *oracles.moments_of(layer, name))
    return outputs.reshape([num, -1]), exact


def check_within_examples(outputs: np.ndarray, exact: oracles.Moments) -> dict[str, bounds.Comparison]:
    return {
        "mean": bounds.compare_means(outputs, exact.mean),
        "variance": bounds.compare_variances(outputs, np.diag(exact.covariance)),
        "covariance": bounds.compare_covariances(outputs, exact.covariance, where=exact.same_example),
    }


def is_exact(estimator: str, case_name: str) -> bool:
    oracle = oracles.oracle_of(oracles.ESTIMATOR_ORACLES, "estimator", estimator)
    return oracle.is_exact(oracles.CASES[case_name])


@pytest.mark.parametrize(("estimator", "case_name"), GRID)
def test_outputs_have_the_posteriors_moments_where_the_estimator_is_exact(estimator, case_name):
    if not is_exact(estimator, case_name):
        case = oracles.CASES[case_name]
        with pytest.raises(ValueError, match=estimator):  # when it is built, or when it sees the inputs
            oracles.make_layer(case, estimator=estimator)(oracles.inputs_of(case))
        return
    if not oracles.ESTIMATOR_ORACLES[estimator].is_noisy:
        outputs, exact = sampled(case_name, estimator, MEAN_FIELD, num=8)
        np.testing.assert_allclose(outputs, np.broadcast_to(exact.mean, outputs.shape), rtol=1e-9, atol=1e-12)
        return
    outputs, exact = sampled(case_name, estimator, MEAN_FIELD)
    comparisons = check_within_examples(outputs, exact)
    assert all(comparison.agrees for comparison in comparisons.values()), comparisons


@pytest.mark.slow
@pytest.mark.parametrize("posterior", posteriors.names())
def test_outputs_have_the_moments_of_every_posterior(posterior):
    comparisons = check_within_examples(*sampled("conv2d", "reparameterization", posterior))
    assert all(comparison.agrees for comparison in comparisons.values()), comparisons


@pytest.mark.parametrize("estimator", estimators.names())
@pytest.mark.parametrize("case_name", ["conv2d", "affine"])
def test_every_output_of_a_normal_posterior_is_normal(estimator, case_name):
    oracle = oracles.oracle_of(oracles.ESTIMATOR_ORACLES, "estimator", estimator)
    if not (oracle.is_normal and is_exact(estimator, case_name)):
        return
    outputs, exact = sampled(case_name, estimator, MEAN_FIELD)
    z = (outputs - exact.mean) / np.sqrt(np.diag(exact.covariance))
    smallest = min(stats.kstest(column, "norm").pvalue for column in z.T)
    assert smallest * z.shape[1] > bounds.ALPHA  # Bonferroni over the outputs
    # So is a difference of two outputs of an example: signs must not make the joint distribution a mixture.
    difference = outputs[:, 0] - outputs[:, 1]
    contrast = np.r_[1.0, -1.0, np.zeros(len(exact.mean) - 2)]
    z = (difference - contrast @ exact.mean) / np.sqrt(contrast @ exact.covariance @ contrast)
    assert stats.kstest(z, "norm").pvalue > bounds.ALPHA


def laplace_posterior(specs: Any) -> Any:
    """Zero mean and standard deviations of 0.3 to 0.9."""

    def one(spec: Any) -> Any:
        stddev = np.linspace(0.3, 0.9, np.prod(spec.shape)).reshape(spec.shape)
        loc = tf.zeros(spec.shape, spec.dtype)
        return distributions.independent(tfp.distributions.Laplace(loc, tf.constant(stddev / np.sqrt(2.0), spec.dtype)))

    return map_kernel_bias(one, specs)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["flipout", "grouped_flipout", "sliced", "antithetic"])
def test_flips_keep_the_moments_of_a_posterior_that_is_symmetric_but_not_normal(estimator):
    case = oracles.CASES["conv2d"]
    layer, x = oracles.make_layer(case, estimator=estimator, posterior=laplace_posterior), oracles.inputs_of(case)
    outputs = draws(lambda seed: layer(tf.constant(x), seed=seed, is_training=False), NUM_DRAWS)
    sizes = np.prod(layer.kernel_shape), 2
    variance = np.square(np.concatenate([np.linspace(0.3, 0.9, size) for size in sizes]))
    exact = oracles.output_moments(case, x, np.zeros_like(variance), variance)
    comparisons = check_within_examples(outputs.reshape([NUM_DRAWS, -1]), exact)
    assert all(comparison.agrees for comparison in comparisons.values()), comparisons


def test_a_draw_in_a_loop_compiled_or_not_is_the_eager_draw():
    case = oracles.CASES["conv2d_groups"]
    layer, x = oracles.make_layer(case, estimator="flipout"), tf.constant(oracles.inputs_of(case))
    eager = np.stack([layer(x, seed=(i, 4)) for i in range(3)])
    for jit_compile in (False, True):
        compiled = draws(lambda seed: layer(x, seed=seed), 3, salt=4, jit_compile=jit_compile)
        np.testing.assert_allclose(compiled, eager, rtol=1e-9, atol=1e-12)


# What the examples of a batch share, found in the same draws


def signs_shared_by_the_batch(linear_op: Any, posterior: Any) -> Any:
    """Flipout with one set of signs for all examples, which is no better than one kernel for all."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), map_kernel_bias(lambda d: d.mean(), posterior)
        seed_in, seed_out = random.split(seed)
        ones = [1] * (inputs.shape.rank - 1)
        flipped = inputs * random.signs([*ones, inputs.shape[-1]], seed_in, inputs.dtype)
        deviation = linear_op(flipped, map_kernel_bias(tf.subtract, weights, mean))
        flips = random.signs([*ones, deviation.shape[-1]], seed_out, inputs.dtype)
        return Estimate(linear_op(inputs, mean) + flips * deviation, weights)

    return stochastic_pass


def compare_between_examples(outputs: np.ndarray, exact: oracles.Moments, correlation: Any) -> bounds.Comparison:
    factor = correlation(exact.example.max() + 1)[exact.example][:, exact.example]
    return bounds.compare_covariances(outputs, exact.covariance * factor, where=~exact.same_example)


def estimator_oracle(name: str, case_name: str = "conv2d") -> oracles.EstimatorOracle:
    oracle = oracles.oracle_of(oracles.ESTIMATOR_ORACLES, "estimator", name)
    return oracle.in_case(oracles.CASES[case_name])


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "case_name"), GRID)
def test_examples_covary_by_the_shared_formula_or_not_at_all(estimator, case_name):
    # The last example repeats the first: their correlation is 1 if noise is shared, -1 if mirrored, and 0 if not.
    if not (is_exact(estimator, case_name) and estimator_oracle(estimator).is_noisy):
        return
    outputs, exact = sampled(case_name, estimator, MEAN_FIELD)
    correlation = estimator_oracle(estimator, case_name).correlation
    assert compare_between_examples(outputs, exact, correlation).agrees
    for other in (oracles.together, oracles.apart, oracles.in_balanced_slices(2)):
        if (other(3) != correlation(3)).any():
            assert not compare_between_examples(outputs, exact, other).agrees
    size = len(exact.mean) // 3
    found = np.corrcoef(outputs[:, 0], outputs[:, 2 * size])[0, 1]
    assert found == pytest.approx(correlation(3)[0, 2], abs=bounds.z_star(1) / np.sqrt(NUM_DRAWS))


def test_signs_shared_by_the_batch_are_found_by_the_covariance_of_examples_alone():
    outputs, exact = sampled("conv2d", signs_shared_by_the_batch, MEAN_FIELD, num=NUM_DRAWS_OF_A_MUTANT)
    assert bounds.compare_covariances(outputs, exact.covariance, where=exact.same_example).agrees
    assert not compare_between_examples(outputs, exact, oracles.apart).agrees


@pytest.mark.parametrize("estimator", [name for name, oracle in oracles.ESTIMATOR_ORACLES.items() if oracle.is_noisy])
def test_squares_of_examples_covary_where_the_magnitudes_of_the_noise_are_shared(estimator):
    # If the signs of a weight in two examples have the expected product c, and other weights' are independent, then
    # for normal weights Cov(d_n^2, d_m^2) = 2 sum_k x_nk^2 x_mk^2 s_k^4 + 2 c^2 sum_{j != k} x_nj x_nk x_mj x_mk s_j^2
    # s_k^2. With one kernel, c = 1, this is 2 Cov^2; under flipout, c = 0, examples are decorrelated, not independent.
    outputs, exact = sampled("affine", estimator, MEAN_FIELD)
    assert_squares_covary(outputs, exact, oracles.CASES["affine"], estimator_oracle(estimator, "affine"))


def assert_squares_covary(outputs: np.ndarray, exact: oracles.Moments, case: oracles.Case, oracle: Any) -> None:
    num = exact.example.max() + 1
    expected = covariances_of_squares(exact, case, oracle)
    deviations = np.square(outputs - exact.mean)
    comparison = bounds.compare_covariances(deviations, expected, where=~exact.same_example)
    assert comparison.agrees, comparison
    if (oracle.magnitudes(num) != np.eye(num)).any():  # and it would be found if the examples were independent
        independent = bounds.compare_covariances(deviations, 0.0 * expected, where=~exact.same_example)
        assert not independent.agrees


def covariances_of_squares(exact: oracles.Moments, case: oracles.Case, oracle: Any) -> np.ndarray:
    """2 c^2 Cov^2 + (1 - c^2) 2 sum_k x_nk^2 x_mk^2 s_k^4, with Cov that of one kernel; 0 without shared magnitudes."""
    num, example = exact.example.max() + 1, exact.example
    _, variance = oracles.moments_of(oracles.make_layer(case))
    squares = np.square(oracles.unit_responses(case, oracles.inputs_of(case)).reshape([len(variance), -1]))
    by_magnitude = 2.0 * squares.T * np.square(variance) @ squares
    c2 = np.square(oracle.correlation(num))[example][:, example]
    return oracle.magnitudes(num)[example][:, example] * (
        2.0 * c2 * np.square(exact.covariance) + (1.0 - c2) * by_magnitude
    )


# The documented bias of local reparameterization on convolutions

APPROXIMATE = (("name", "local_reparameterization"), ("approximate", True))


@pytest.mark.parametrize("case_name", ["conv1d", "conv2d"])
def test_approximate_local_reparameterization_keeps_marginals_and_loses_covariances(case_name):
    outputs, exact = sampled(case_name, APPROXIMATE, MEAN_FIELD, num=NUM_DRAWS_OF_A_MUTANT)
    comparisons = check_within_examples(outputs, exact)
    assert comparisons["mean"].agrees
    assert comparisons["variance"].agrees
    assert not comparisons["covariance"].agrees
    independent = np.diag(np.diag(exact.covariance))
    assert bounds.compare_covariances(outputs, independent).agrees  # what it gives instead: no covariance at all


@pytest.mark.parametrize("estimator", ["flipout", APPROXIMATE])
def test_pooling_a_smooth_image_shrinks_its_variance_under_approximate_local_reparameterization_only(estimator):
    case = oracles.Case(oracles.CASES["conv2d"].arguments, (1, 7, 7, 2))
    choice = estimator if isinstance(estimator, str) else dict(estimator)
    layer, x = oracles.make_layer(case, estimator=choice), 1.0 + 0.3 * oracles.inputs_of(case)
    pooled = draws(
        lambda seed: tf.reduce_mean(layer(tf.constant(x), seed=seed), axis=[0, 1, 2])[0], NUM_DRAWS_OF_A_MUTANT
    )
    exact = oracles.output_moments(case, x, *oracles.moments_of(layer))
    covariance = exact.covariance[::2, ::2]  # of the first filter
    comparison = bounds.compare_variances(pooled[:, np.newaxis], covariance.mean())
    assert comparison.agrees == (estimator == "flipout")
    if estimator != "flipout":  # the mean of 25 positions taken as independent: about 1/20 of the variance
        assert pooled.var() < 0.1 * covariance.mean()
        assert bounds.compare_variances(pooled[:, np.newaxis], np.trace(covariance) / len(covariance) ** 2).agrees


# Mutants: each is one line away from correct code, and must be found


def _mean_of(posterior: Any) -> Any:
    return map_kernel_bias(lambda d: d.mean(), posterior)


def per_position_signs(linear_op: Any, posterior: Any) -> Any:
    """Flipout with signs of the shape of the whole tensors: no single kernel explains an example."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), _mean_of(posterior)
        seed_in, seed_out = random.split(seed)
        flipped = inputs * random.signs(tf.shape(inputs), seed_in, inputs.dtype)
        deviation = linear_op(flipped, map_kernel_bias(tf.subtract, weights, mean))
        flips = random.signs(tf.shape(deviation), seed_out, inputs.dtype)
        return Estimate(linear_op(inputs, mean) + flips * deviation, weights)

    return stochastic_pass


def bias_without_noise(linear_op: Any, posterior: Any) -> Any:
    """Reparameterization that samples the kernel only."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights = draw()._replace(bias=posterior.bias.mean())
        return Estimate(linear_op(inputs, weights), weights)

    return stochastic_pass


def signs_only_of_inputs(linear_op: Any, posterior: Any) -> Any:
    """Flipout whose mean is applied to the flipped inputs."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights = draw()
        flips = random.signs([tf.shape(inputs)[0], 1, 1, inputs.shape[-1]], seed, inputs.dtype)
        return Estimate(linear_op(inputs * flips, weights), weights)

    return stochastic_pass


def forgotten_exponential(specs: Any) -> Any:
    """A posterior whose scale is the magnitude of its variable."""

    def one(spec: Any) -> Any:
        loc = tf.Variable(tf.zeros(spec.shape, spec.dtype), name=f"{spec.name}/loc")
        raw = tf.Variable(tf.ones(spec.shape, spec.dtype), name=f"{spec.name}/untransformed_scale")
        scale = tfp.util.DeferredTensor(raw, tf.abs)
        return distributions.independent(distributions.Normal(loc, scale))

    return map_kernel_bias(one, specs)


def variance_as_scale(specs: Any) -> Any:
    """A posterior that squares its scale."""

    def one(spec: Any) -> Any:
        loc = tf.Variable(tf.zeros(spec.shape, spec.dtype), name=f"{spec.name}/loc")
        raw = tf.Variable(tf.ones(spec.shape, spec.dtype), name=f"{spec.name}/untransformed_scale")
        scale = tfp.util.DeferredTensor(raw, lambda r: tf.square(tf.exp(r - 0.5)))
        return distributions.independent(distributions.Normal(loc, scale))

    return map_kernel_bias(one, specs)


@pytest.mark.parametrize(
    ("estimator", "posterior", "passes", "fails"),
    [
        (per_position_signs, MEAN_FIELD, {"mean", "variance"}, {"covariance"}),
        (bias_without_noise, MEAN_FIELD, {"mean"}, {"variance", "covariance"}),
        (signs_only_of_inputs, MEAN_FIELD, set(), {"mean"}),
        ("reparameterization", forgotten_exponential, {"mean"}, {"variance", "covariance"}),
        ("flipout", variance_as_scale, {"mean"}, {"variance", "covariance"}),
    ],
)
def test_mutants_are_found_by_the_moments_that_they_break_and_by_no_other(estimator, posterior, passes, fails):
    comparisons = check_within_examples(*sampled("conv2d", estimator, posterior, num=NUM_DRAWS_OF_A_MUTANT))
    assert {name for name, comparison in comparisons.items() if not comparison.agrees} >= fails
    assert {name for name, comparison in comparisons.items() if comparison.agrees} >= passes


def signs_of_their_own_for_every_image(linear_op: Any, posterior: Any) -> Any:
    """Flipout that takes all leading axes for examples, so that the images of one example differ in their kernels."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), _mean_of(posterior)
        seed_in, seed_out = random.split(seed)
        shape = tf.concat([tf.shape(inputs)[:2], [1, 1], tf.shape(inputs)[-1:]], axis=0)
        deviation = linear_op(
            inputs * random.signs(shape, seed_in, inputs.dtype), map_kernel_bias(tf.subtract, weights, mean)
        )
        shape = tf.concat([shape[:-1], tf.shape(deviation)[-1:]], axis=0)
        return Estimate(linear_op(inputs, mean) + random.signs(shape, seed_out, inputs.dtype) * deviation, weights)

    return stochastic_pass


@pytest.mark.parametrize(
    ("case_name", "estimator"),
    [
        ("transposed2d_same", per_position_signs),
        ("transposed1d", per_position_signs),
        ("depthwise", per_position_signs),
        ("conv3d_groups", per_position_signs),
        ("conv1d_causal", per_position_signs),
        ("conv2d_leading_axes", signs_of_their_own_for_every_image),
    ],
)
def test_signs_that_vary_within_an_example_are_found_in_every_operator(case_name, estimator):
    comparisons = check_within_examples(*sampled(case_name, estimator, MEAN_FIELD, num=NUM_DRAWS_OF_A_MUTANT))
    assert {name for name, comparison in comparisons.items() if not comparison.agrees} == {"covariance"}


@pytest.mark.parametrize(
    ("case_name", "changed"),
    [
        ("transposed1d", {"output_padding": 0, "padding": ((-1, 0),)}),  # a crop off by one
        ("transposed2d_same", {"padding": ((1, 0), (1, 1))}),
        ("transposed2d_groups", {"strides": 1, "padding": ((-1, 0), (-1, 0))}),  # filters that do not lie apart
        ("conv2d_reflect", {"padding": "SYMMETRIC"}),
        ("conv1d_causal", {"padding": ((0, 2),)}),  # that looks ahead
        ("conv2d_pairs", {"padding": ((0, 1), (0, 2))}),
    ],
)
def test_another_geometry_is_found(case_name, changed):
    outputs, _ = sampled(case_name, "reparameterization", MEAN_FIELD, num=NUM_DRAWS_OF_A_MUTANT)
    case = oracles.CASES[case_name]
    other = case._replace(arguments={**case.arguments, **changed})
    layer, x = oracles.make_layer(case), oracles.inputs_of(case)
    exact = oracles.output_moments(other, x, *oracles.moments_of(layer))
    assert exact.mean.shape == (outputs.shape[1],)
    assert not check_within_examples(outputs, exact)["variance"].agrees


def test_depthwise_outputs_in_another_order_are_found():
    outputs, exact = sampled("depthwise", "flipout", MEAN_FIELD, num=NUM_DRAWS_OF_A_MUTANT)
    order = np.arange(outputs.shape[1]).reshape([-1, 2, 2]).swapaxes(1, 2).ravel()  # filter by filter
    assert not bounds.compare_means(outputs, exact.mean[order]).agrees


def test_a_new_part_without_an_oracle_fails_with_the_entry_to_add():
    for kind in ("estimator", "posterior", "prior", "divergence"):
        table = getattr(oracles, f"{kind.upper()}_ORACLES")
        with pytest.raises(pytest.fail.Exception, match=f"Add 'brand_new' to {kind.upper()}_ORACLES"):
            oracles.oracle_of(table, kind, "brand_new")

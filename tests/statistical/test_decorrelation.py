"""What the examples of a batch share: one kernel under reparameterization, none of the signs under flipout.

With 5,000 draws a covariance between two examples is found, 19 times in 20, if it is 0.11 of the standard
deviations' product; the shared noise that is looked for has correlations of 0.2 to 1.
"""

from __future__ import annotations

import functools
from typing import Any

import bounds
import numpy as np
import oracles
import pytest
import tensorflow as tf
from sampling import draws
from test_output_moments import MEAN_FIELD, NUM_DRAWS, NUM_DRAWS_OF_A_MUTANT, is_exact, per_position_signs, sampled

import bayesconv as bc
from bayesconv import estimators, random
from bayesconv.estimators import Estimate
from bayesconv.weights import map_kernel_bias

ESTIMATORS = estimators.names()
SMALL = oracles.Case({"input_size": 4, "output_size": 2}, (3, 4), bc.Affine)


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


def compare_between_examples(outputs: np.ndarray, exact: oracles.Moments, shared: bool) -> bounds.Comparison:
    expected = exact.covariance if shared else np.zeros_like(exact.covariance)
    return bounds.compare_covariances(outputs, expected, where=~exact.same_example)


def estimator_oracle(name: str) -> oracles.EstimatorOracle:
    return oracles.oracle_of(oracles.ESTIMATOR_ORACLES, "estimator", name)


@pytest.mark.parametrize("case_name", oracles.CASES)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_examples_covary_by_the_shared_formula_or_not_at_all(estimator, case_name):
    # The last example repeats the first: their correlation is 1 if noise is shared, and 0 if not.
    if not is_exact(estimator, case_name):
        return
    outputs, exact = sampled(case_name, estimator, MEAN_FIELD)
    shared = estimator_oracle(estimator).shares_noise
    assert compare_between_examples(outputs, exact, shared).agrees
    assert not compare_between_examples(outputs, exact, not shared).agrees
    size = len(exact.mean) // 3
    correlation = np.corrcoef(outputs[:, 0], outputs[:, 2 * size])[0, 1]
    assert correlation == pytest.approx(1.0 if shared else 0.0, abs=bounds.z_star(1) / np.sqrt(NUM_DRAWS))


def test_signs_shared_by_the_batch_are_found_by_the_covariance_of_examples_alone():
    outputs, exact = sampled("conv2d", signs_shared_by_the_batch, MEAN_FIELD, num=NUM_DRAWS_OF_A_MUTANT)
    assert bounds.compare_covariances(outputs, exact.covariance, where=exact.same_example).agrees
    assert not compare_between_examples(outputs, exact, shared=False).agrees


def test_flipout_shares_the_magnitudes_of_its_noise_so_squares_of_examples_covary():
    # With independent signs, E[d_n^2 d_m^2 | eps] = (sum_k x_nk^2 d_k^2)(sum_k x_mk^2 d_k^2), so for normal weights
    # Cov(d_n^2, d_m^2) = 2 sum_k x_nk^2 x_mk^2 s_k^4. Examples are decorrelated, not independent.
    outputs, exact = sampled("affine", "flipout", MEAN_FIELD)
    case = oracles.CASES["affine"]
    layer = oracles.make_layer(case, estimator="flipout")
    _, variance = oracles.moments_of(layer)
    squares = np.square(oracles.unit_responses(case, oracles.inputs_of(case)).reshape([len(variance), -1]))
    expected = 2.0 * squares.T * np.square(variance) @ squares
    deviations = np.square(outputs - exact.mean)
    comparison = bounds.compare_covariances(deviations, expected, where=~exact.same_example)
    assert comparison.agrees, comparison
    independent = bounds.compare_covariances(deviations, np.zeros_like(expected), where=~exact.same_example)
    assert not independent.agrees


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_coherent_weights_are_one_draw_for_all_examples_whatever_the_estimator(estimator):
    layer, x = oracles.make_layer(SMALL, estimator=estimator), oracles.inputs_of(SMALL)
    outputs = draws(lambda seed: layer(tf.constant(x), seed=seed, is_training=False, weights="coherent"), NUM_DRAWS)
    exact = oracles.output_moments(SMALL, x, *oracles.moments_of(layer))
    outputs = outputs.reshape([NUM_DRAWS, -1])
    assert bounds.compare_means(outputs, exact.mean).agrees
    assert bounds.compare_covariances(outputs, exact.covariance).agrees


def layers_of(estimator: str) -> list[tuple[bc.Layer, np.ndarray]]:
    """The estimator in every geometry that it takes."""
    cases = [oracles.CASES[name] for name in oracles.CASES if is_exact(estimator, name)]
    return [(oracles.make_layer(case, estimator=estimator), oracles.inputs_of(case)) for case in cases]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_same_seed_is_the_same_draw_and_another_seed_another(estimator):
    for layer, x in layers_of(estimator):
        first, again, other = layer(x, seed=3), layer(x, seed=3), layer(x, seed=4)
        np.testing.assert_array_equal(first, again)
        assert (first.numpy() != other.numpy()).all()
        assert (layer(x).numpy() != layer(x).numpy()).all()  # without a seed every call draws anew


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_coherent_outputs_are_those_of_the_weights_that_were_drawn(estimator):
    for layer, x in layers_of(estimator):
        outputs = layer(x, seed=3, weights="coherent")
        np.testing.assert_allclose(layer.linear_op(tf.constant(x), layer.extra_result), outputs, rtol=1e-12)
        np.testing.assert_allclose(outputs[0], outputs[-1], rtol=1e-12)  # the last example repeats the first


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_mean_weights_give_the_mean_output_without_noise(estimator):
    case = oracles.CASES["affine"]
    layer, x = oracles.make_layer(case, estimator=estimator), oracles.inputs_of(case)
    outputs = layer(x, weights="mean").numpy()
    exact = oracles.output_moments(case, x, *oracles.moments_of(layer))
    np.testing.assert_allclose(outputs.ravel(), exact.mean, rtol=1e-12)


def _spread_of_perturbation(estimator: Any) -> np.ndarray:
    """Largest difference over positions of what a constant image's outputs deviate from their mean by."""
    x = np.ones([4, 6, 6, 3]) * np.array([0.5, -1.0, 2.0])
    factory = bc.make_kernel_bias_variational
    layer = bc.Convolution(
        3, 5, 3, make_kernel_bias_fn=lambda *a, **k: factory(*a, **k, estimator=estimator), dtype=tf.float64
    )
    perturbation = layer(x, seed=0) - layer(x, weights="mean")
    assert np.abs(perturbation).max() > 0.01
    return np.ptp(perturbation, axis=(1, 2)).max()


def test_a_constant_image_is_perturbed_the_same_at_every_position():
    # Exactly, when no padding meets the filters: a single kernel explains each example.
    assert _spread_of_perturbation("flipout") < 1e-12
    assert _spread_of_perturbation("reparameterization") < 1e-12


def test_signs_of_their_own_at_every_position_are_found_by_a_constant_image():
    assert _spread_of_perturbation(per_position_signs) > 0.1
    assert _spread_of_perturbation({"name": "local_reparameterization", "approximate": True}) > 0.1


def test_a_shared_layer_keeps_its_kernel_and_draws_new_signs_at_every_use_within_a_call():
    factory = bc.make_kernel_bias_flipout
    layer = oracles.randomized(bc.Affine(3, 3, make_kernel_bias_fn=factory, dtype=tf.float64, use_bias=False))
    x = np.eye(3)[:1]
    uses: list[np.ndarray] = []

    def record(inputs: tf.Tensor) -> tf.Tensor:
        uses.append(layer(x).numpy())
        return inputs

    model = bc.Sequential([record, record, bc.Lambda(also_track=layer)])
    mean, signs_differ = layer(x, weights="mean").numpy(), 0
    for seed in range(8):
        uses.clear()
        model(x, seed=seed)
        first, second = (use - mean for use in uses)
        np.testing.assert_allclose(np.abs(first), np.abs(second), rtol=1e-9)  # the same draw, up to signs
        signs_differ += not np.allclose(first, second)
    assert signs_differ > 0


def test_kernels_of_a_batch_get_signs_of_their_own_where_the_inputs_broadcast():
    # With inputs (1, 1) and locations 0, |y_b| is |w1 + w2| or |w1 - w2| as the input signs agree or not. If all
    # kernels shared their signs, the share would be 0 or 1; its standard error is 0.5 / sqrt(4000).
    count = 4000
    specs = {"name": "mean_field_normal", "initial_scale": 1.0}
    factory = functools.partial(
        bc.make_kernel_bias_flipout, posterior=specs, init_kernel_fn=lambda s, dtype: tf.zeros(s)
    )
    layer = bc.Affine(2, 1, batch_shape=count, use_bias=False, make_kernel_bias_fn=factory)
    outputs = np.abs(layer(np.ones([1, 1, 2], np.float32), seed=0).numpy().ravel())
    w = layer.extra_result.kernel.numpy()[:, :, 0]
    agreed = np.abs(outputs - np.abs(w.sum(1))) < np.abs(outputs - np.abs(w[:, 0] - w[:, 1]))
    assert abs(agreed.mean() - 0.5) < 5 * 0.5 / np.sqrt(count)

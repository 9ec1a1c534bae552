"""What the examples of a batch share: a slice's kernel, one draw under coherent weights, and all from one seed.

That all examples share one kernel under reparameterization, and none of the signs under flipout, is found in the draws
of test_output_moments. With 4,000 draws a covariance between two examples is found, 19 times in 20, if it is 0.12 of
the standard deviations' product; the shared noise that is looked for has correlations of 0.2 to 1.
"""

from __future__ import annotations

import functools
from typing import Any

import bounds
import numpy as np
import oracles
import pytest
import tensorflow as tf
from covering import diagonal
from sampling import draws
from test_output_moments import (
    NUM_DRAWS,
    assert_squares_covary,
    check_within_examples,
    compare_between_examples,
    estimator_oracle,
    is_exact,
    per_position_signs,
)

import bayesconv as bc
from bayesconv import estimators, random
from bayesconv.estimators import Estimate
from bayesconv.estimators.signs import balanced_signs, independent_signs
from bayesconv.estimators.slices import apply_by_slice
from bayesconv.weights import map_kernel_bias

pytestmark = pytest.mark.slow

ESTIMATORS = estimators.names()
SMALL = oracles.Case({"input_size": 4, "output_size": 2}, (3, 4), bc.Affine)


# Slices of several examples

SEVEN = oracles.Case({"input_size": 3, "output_size": 2}, (7, 3), bc.Affine)
SEVEN_IMAGES = oracles.Case(
    {"input_size": 2, "output_size": 1, "filter_shape": 2, "rank": 2, "padding": "SAME"}, (7, 2, 2, 2)
)
SLICED_CASES = {"seven": SEVEN, "seven_images": SEVEN_IMAGES}
SLICES = {
    "flipped": (
        {"name": "sliced", "num_slices": 3},
        oracles.EstimatorOracle(oracles.everywhere, oracles.in_slices(3), oracles.together),
    ),
    "balanced": (
        {"name": "sliced", "num_slices": 4, "draws": "balanced"},
        oracles.EstimatorOracle(oracles.everywhere, oracles.in_balanced_slices(4), oracles.together),
    ),
    "independent": (
        {"name": "sliced", "num_slices": 3, "draws": "independent"},
        oracles.EstimatorOracle(oracles.everywhere, oracles.in_slices(3), oracles.in_slices(3)),
    ),
    "grouped_flipout": (
        {"name": "grouped_flipout", "num_groups": 3},
        oracles.EstimatorOracle(oracles.everywhere, oracles.apart, oracles.in_slices(3)),
    ),
    "more slices than examples": (
        {"name": "sliced", "num_slices": 9},
        oracles.EstimatorOracle(oracles.everywhere, oracles.apart, oracles.together),
    ),
    "one slice": (
        {"name": "sliced", "num_slices": 1},
        oracles.EstimatorOracle(oracles.everywhere, oracles.together, oracles.together),
    ),
}


def drawn(case: oracles.Case, estimator: Any, num: int = NUM_DRAWS) -> tuple[np.ndarray, oracles.Moments]:
    layer, x = oracles.make_layer(case, estimator=estimator), oracles.inputs_of(case)
    outputs = draws(lambda seed: layer(tf.constant(x), seed=seed, is_training=False), num)
    return outputs.reshape([num, -1]), oracles.output_moments(case, x, *oracles.moments_of(layer))


@functools.cache
def drawn_in_slices(name: str, case_name: str) -> tuple[np.ndarray, oracles.Moments]:
    return drawn(SLICED_CASES[case_name], SLICES[name][0])


@pytest.mark.parametrize(("name", "case_name"), diagonal(SLICES, SLICED_CASES))
def test_examples_share_their_noise_within_a_slice_and_not_beyond(name, case_name):
    oracle = SLICES[name][1]
    outputs, exact = drawn_in_slices(name, case_name)
    assert all(comparison.agrees for comparison in check_within_examples(outputs, exact).values())
    assert compare_between_examples(outputs, exact, oracle.correlation).agrees
    others = (oracles.together, oracles.apart, *(kind(n) for kind in KINDS for n in (2, 4)))
    for other in others:
        if (other(7) != oracle.correlation(7)).any():
            assert not compare_between_examples(outputs, exact, other).agrees


KINDS = (oracles.in_slices, oracles.in_balanced_slices)


@pytest.mark.parametrize("name", SLICES)
def test_squares_covary_between_slices_unless_each_has_a_draw_of_its_own(name):
    outputs, exact = drawn_in_slices(name, "seven")
    assert_squares_covary(outputs, exact, SEVEN, SLICES[name][1])


def kernels_flipped_and_biases_not(linear_op: Any, posterior: Any) -> Any:
    """Slices that share the noise of the bias."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), map_kernel_bias(lambda d: d.mean(), posterior)
        deviation = map_kernel_bias(tf.subtract, weights, mean)
        signs = independent_signs(deviation, 0, 3, seed)
        flipped = [mean.kernel + s * deviation.kernel for s in tf.unstack(signs.kernel)]
        kernels = [weights._replace(kernel=kernel) for kernel in flipped]
        return Estimate(apply_by_slice(linear_op, inputs, kernels), weights)

    return stochastic_pass


def slices_with_one_sign(linear_op: Any, posterior: Any) -> Any:
    """Slices whose whole deviation is flipped or not: two kernels for any number of slices."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), map_kernel_bias(lambda d: d.mean(), posterior)
        signs = tf.unstack(random.signs([3], seed, inputs.dtype))
        kernels = [map_kernel_bias(lambda m, w, s=s: m + s * (w - m), mean, weights) for s in signs]
        return Estimate(apply_by_slice(linear_op, inputs, kernels), weights)

    return stochastic_pass


@pytest.mark.parametrize("num", [2, 4, 8])
def test_balanced_signs_add_up_to_zero_for_every_weight_and_differ_between_weights(num):
    weights = bc.KernelBias(tf.zeros([2, 3, 4, 50]), tf.zeros([2, 50]))  # enough to meet every row
    signs = balanced_signs(weights, 1, num, random.as_seed(0))
    for member, weight in zip(signs, weights, strict=True):
        values = member.numpy()
        assert values.shape == (num, *weight.shape)
        assert set(np.unique(values)) == {-1.0, 1.0}
        np.testing.assert_array_equal(values.sum(axis=0), np.zeros(weight.shape))
        assert len(np.unique(values.reshape([num, -1]), axis=1).T) == num - 1


@pytest.mark.parametrize("signs_of", [independent_signs, balanced_signs])
def test_signs_of_any_two_weights_are_independent(signs_of):
    weights = bc.KernelBias(tf.zeros([2, 2, 2], tf.float64), tf.zeros([2], tf.float64))

    def one(seed: tf.Tensor) -> tf.Tensor:
        kernels, biases = signs_of(weights, 0, 4, seed)
        flat = tf.concat([tf.reshape(kernels, [4, -1]), biases], axis=1)
        return flat[0] * flat[3]  # in two slices

    found = draws(one, NUM_DRAWS)
    expected = -1.0 / 3.0 if signs_of is balanced_signs else 0.0
    assert bounds.compare_means(found, expected).agrees
    size = found.shape[1]
    assert bounds.compare_covariances(found, np.zeros([size, size]), where=~np.eye(size, dtype=bool)).agrees


def interleaved_slices(linear_op: Any, posterior: Any) -> Any:
    """Example n in slice n mod 3, put together as if slices were consecutive."""

    def stochastic_pass(inputs: tf.Tensor, draw: Any, seed: tf.Tensor) -> Estimate:
        weights = draw()
        order = tf.constant([0, 3, 6, 1, 4, 2, 5])
        sliced = estimators.sliced(linear_op, posterior, num_slices=3)
        return Estimate(sliced(tf.gather(inputs, order), lambda: weights, seed).outputs, weights)

    return stochastic_pass


@pytest.mark.parametrize("mutant", [kernels_flipped_and_biases_not, interleaved_slices])
def test_mutants_of_slices_are_found_by_their_moments(mutant):
    outputs, exact = drawn(SEVEN, mutant)
    within = all(comparison.agrees for comparison in check_within_examples(outputs, exact).values())
    assert not (within and compare_between_examples(outputs, exact, oracles.in_slices(3)).agrees)


def test_one_sign_for_a_whole_slice_is_found_by_the_squares_alone():
    outputs, exact = drawn(SEVEN, slices_with_one_sign)
    assert compare_between_examples(outputs, exact, oracles.in_slices(3)).agrees
    with pytest.raises(AssertionError):
        assert_squares_covary(outputs, exact, SEVEN, SLICES["flipped"][1])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_coherent_weights_are_one_draw_for_all_examples_whatever_the_estimator(estimator):
    layer, x = oracles.make_layer(SMALL, estimator=estimator), oracles.inputs_of(SMALL)
    outputs = draws(lambda seed: layer(tf.constant(x), seed=seed, is_training=False, weights="coherent"), NUM_DRAWS)
    exact = oracles.output_moments(SMALL, x, *oracles.moments_of(layer))
    outputs = outputs.reshape([NUM_DRAWS, -1])
    assert bounds.compare_means(outputs, exact.mean).agrees
    assert bounds.compare_covariances(outputs, exact.covariance).agrees


@pytest.mark.parametrize(("estimator", "case_name"), diagonal(ESTIMATORS, oracles.CASES, always=["affine"]))
def test_the_same_seed_is_the_same_draw_and_another_seed_another(estimator, case_name):
    if not is_exact(estimator, case_name):
        return
    case = oracles.CASES[case_name]
    layer, x = oracles.make_layer(case, estimator=estimator), oracles.inputs_of(case)
    first, again, other = layer(x, seed=3), layer(x, seed=3), layer(x, seed=4)
    np.testing.assert_array_equal(first, again)
    is_noisy = estimator_oracle(estimator).is_noisy
    assert (first.numpy() != other.numpy()).all() == is_noisy
    assert (layer(x).numpy() != layer(x).numpy()).all() == is_noisy  # without a seed every call draws anew


@pytest.mark.parametrize(("estimator", "case_name"), diagonal(ESTIMATORS, oracles.CASES, always=["affine"]))
def test_coherent_outputs_are_those_of_the_weights_that_were_drawn(estimator, case_name):
    if not is_exact(estimator, case_name):
        return
    case = oracles.CASES[case_name]
    layer, x = oracles.make_layer(case, estimator=estimator), oracles.inputs_of(case)
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
    for name, oracle in oracles.ESTIMATOR_ORACLES.items():
        if oracle.is_noisy and oracle.is_exact(oracles.CASES["conv2d"]):
            assert _spread_of_perturbation(name) < 1e-12, name


def test_signs_of_their_own_at_every_position_are_found_by_a_constant_image():
    assert _spread_of_perturbation(per_position_signs) > 0.1
    assert _spread_of_perturbation({"name": "local_reparameterization", "approximate": True}) > 0.1


def _two_uses_within_a_call(estimator: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Deviations from the mean of a layer without a bias that is used twice on the same examples."""
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=estimator)
    layer = oracles.randomized(bc.Affine(3, 3, make_kernel_bias_fn=factory, dtype=tf.float64, use_bias=False))
    x = np.eye(3)
    uses: list[np.ndarray] = []

    def record(inputs: tf.Tensor) -> tf.Tensor:
        uses.append(layer(x).numpy() - layer(x, weights="mean").numpy())
        return inputs

    bc.Sequential([record, record, bc.Lambda(also_track=layer)])(x, seed=seed)
    first, second = uses
    return first, second


@pytest.mark.parametrize("estimator", ["flipout", "grouped_flipout", "sliced"])
def test_a_shared_layer_keeps_its_kernel_and_draws_new_signs_at_every_use_within_a_call(estimator):
    signs_differ = 0
    for seed in range(8):
        first, second = _two_uses_within_a_call(estimator, seed)
        np.testing.assert_allclose(np.abs(first), np.abs(second), rtol=1e-9)  # the same draw, up to signs
        signs_differ += not np.allclose(first, second)
    assert signs_differ > 0


@pytest.mark.parametrize(
    "estimator", ["reparameterization", "antithetic", "per_example", {"name": "sliced", "draws": "independent"}]
)
def test_a_shared_layer_keeps_its_kernels_at_every_use_within_a_call(estimator):
    first, second = _two_uses_within_a_call(estimator, seed=0)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first).min() > 0


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

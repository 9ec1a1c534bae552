"""Layers made of layers, layers that arrange or drop numbers, and the rules that users add."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.moments import Moments, apply_rule, propagate, register_moments
from bayesconv.moments.linear import before_activation

MEAN = np.random.default_rng(0).normal(size=(2, 4, 3))
VARIANCE = np.random.default_rng(1).uniform(0.1, 1.0, (2, 4, 3))
MOMENTS = Moments(tf.constant(MEAN), tf.constant(VARIANCE))
RELU = apply_rule(tf.nn.relu, MOMENTS)


def test_a_residual_adds_means_and_variances_and_then_activates():
    got = apply_rule(bc.Residual(tf.nn.relu, activation_fn=tf.tanh), MOMENTS)
    added = Moments(RELU.mean + MEAN, RELU.variance + VARIANCE)
    np.testing.assert_allclose(got.variance, apply_rule(tf.tanh, added).variance)


def test_what_a_residual_loses_is_the_covariance_of_block_and_shortcut():
    layer = bc.Residual(tf.identity)  # 2 x, whose variance is 4 v
    np.testing.assert_allclose(apply_rule(layer, MOMENTS).variance, 2.0 * VARIANCE)


def test_a_sum_of_shared_deviations_keeps_the_variance_of_the_mean_over_positions():
    shared = 0.5 * np.sqrt(VARIANCE)
    inputs = MOMENTS._replace(shared=tf.constant(shared))
    added = apply_rule(bc.Residual(tf.identity), inputs)
    pool = bc.GlobalAveragePool(rank=1)
    np.testing.assert_allclose(apply_rule(pool, added).variance, 2.0 * apply_rule(pool, inputs).variance, rtol=1e-6)


def test_branches_stand_side_by_side_or_are_added():
    side_by_side = apply_rule(bc.Parallel([tf.nn.relu, tf.identity]), MOMENTS)
    np.testing.assert_allclose(side_by_side.mean, np.concatenate([RELU.mean, MEAN], -1))
    np.testing.assert_allclose(side_by_side.variance, np.concatenate([RELU.variance, VARIANCE], -1))
    added = apply_rule(bc.Parallel([tf.nn.relu, tf.identity], merge="sum"), MOMENTS)
    np.testing.assert_allclose(added.variance, RELU.variance + VARIANCE)


def test_a_merge_that_is_a_function_is_refused_unless_its_inputs_are_known():
    layer = bc.Parallel([tf.identity, tf.identity], merge=lambda outputs: outputs[0] * outputs[1])
    with pytest.raises(TypeError, match="known for merge='concat' and merge='sum'"):
        apply_rule(layer, MOMENTS)
    np.testing.assert_allclose(apply_rule(layer, Moments(MOMENTS.mean)).mean, MEAN**2)


@pytest.mark.parametrize("layer", [bc.Flatten(), bc.Reshape([2, 6]), bc.Upsample(2, rank=1)])
def test_numbers_that_are_arranged_or_repeated_keep_their_variance(layer):
    got = apply_rule(layer, MOMENTS)
    np.testing.assert_allclose(got.mean, layer(MOMENTS.mean))
    np.testing.assert_allclose(got.variance, layer(MOMENTS.variance))


def test_interpolated_numbers_deviate_as_if_neighbours_did_alike():
    layer = bc.Upsample(2, "linear", rank=1)
    got = apply_rule(layer, MOMENTS)
    np.testing.assert_allclose(got.variance, layer(tf.sqrt(MOMENTS.variance)) ** 2)
    assert (got.variance >= layer(MOMENTS.variance) - np.abs(VARIANCE).max()).numpy().all()


@pytest.mark.parametrize("layer_type", [bc.Dropout, bc.ChannelDropout])
def test_monte_carlo_dropout_adds_the_variance_of_its_mask(layer_type):
    got = apply_rule(layer_type(0.25, mc=True), MOMENTS)
    # x b / (1 - p): E[x^2] / (1 - p) - m^2
    np.testing.assert_allclose(got.variance, (VARIANCE + MEAN**2) / 0.75 - MEAN**2, rtol=1e-9)
    np.testing.assert_allclose(got.mean, MEAN)
    known = propagate(layer_type(0.25, mc=True), MEAN.astype(np.float32))
    np.testing.assert_allclose(known.variance, MEAN**2 / 3, rtol=1e-5)
    assert apply_rule(layer_type(0.25), MOMENTS) is MOMENTS


def test_a_dropped_channel_is_dropped_at_all_positions():
    x = 1.0 + 0.1 * MEAN.astype(np.float32)
    layers = [bc.ChannelDropout(0.5, mc=True), bc.GlobalAveragePool(rank=1)]
    np.testing.assert_allclose(propagate(bc.Sequential(layers), x).variance, x.mean(axis=1) ** 2, rtol=2e-3)
    layers[0] = bc.Dropout(0.5, mc=True)
    np.testing.assert_allclose(propagate(bc.Sequential(layers), x).variance, (x**2).mean(axis=1) / 4, rtol=1e-5)


def test_an_activation_that_never_falls_goes_behind_a_maximum():
    make = bc.make_kernel_bias_flipout
    x, pool = tf.random.normal([2, 6, 6, 1]), bc.MaxPool(2)
    inside = bc.Convolution(1, 2, 3, make_kernel_bias_fn=make, activation_fn=tf.nn.relu)
    linear = before_activation(inside, Moments(x))
    expected = apply_rule(tf.nn.relu, apply_rule(pool, linear))
    np.testing.assert_allclose(propagate(bc.Sequential([inside, pool]), x).mean, expected.mean, rtol=1e-6)


def test_functions_inside_of_lambda_and_sequential_follow_the_same_rules():
    for member in (bc.Lambda(tf.nn.relu), bc.Sequential([tf.nn.relu]), tf.nn.relu):
        np.testing.assert_allclose(apply_rule(member, MOMENTS).variance, RELU.variance)
    assert apply_rule(bc.Lambda(), MOMENTS) is MOMENTS
    with pytest.raises(TypeError, match="moments of the function softmax"):
        apply_rule(bc.Lambda(tf.nn.softmax), MOMENTS)


class Twice(bc.Layer):
    def forward(self, inputs, *, is_training, seed):
        return 2.0 * inputs


def test_a_layer_without_a_rule_is_named_with_the_lines_to_add():
    model = bc.Sequential([bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout), Twice(name="double")])
    with pytest.raises(TypeError, match=r"(?s)of `double`, a Twice.*@bayesconv.moments.register_moments\(Twice\)"):
        propagate(model, tf.ones([1, 3]))

    @register_moments(Twice)
    def twice(layer, moments):
        return Moments(2.0 * moments.mean, 4.0 * moments.variance)

    np.testing.assert_allclose(
        propagate(model, tf.ones([1, 3])).variance, 4 * propagate(model[0], tf.ones([1, 3])).variance
    )


def test_a_rule_is_inherited_unless_a_method_is_overridden():
    class Wide(bc.Affine):
        def __init__(self):
            super().__init__(3, 20, make_kernel_bias_fn=bc.make_kernel_bias_flipout)

    class Squared(Wide):
        def forward(self, inputs, **options):
            return super().forward(inputs, **options)

    assert propagate(Wide(), tf.ones([1, 3])).mean.shape == (1, 20)
    with pytest.raises(TypeError, match="no rule for the moments of `squared`"):
        propagate(Squared(), tf.ones([1, 3]))


def test_rules_are_for_layers():
    with pytest.raises(TypeError, match="rules for subclasses of Layer"):
        register_moments(math.sqrt)

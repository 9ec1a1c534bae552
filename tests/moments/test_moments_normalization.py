"""Normalizations: first order about the expected statistics, exact for batch normalization with frozen moments."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.moments import Moments, apply_rule

SHAPE = (2, 3, 3, 4)
LAYERS = {
    "layer": lambda: bc.LayerNorm(4, dtype=tf.float64),
    "group": lambda: bc.GroupNorm(2, 4, dtype=tf.float64),
    "instance": lambda: bc.InstanceNorm(4, dtype=tf.float64),
    "filter_response": lambda: bc.FilterResponseNorm(4, dtype=tf.float64, use_threshold=False),
    "batch": lambda: bc.BatchNorm(4, dtype=tf.float64),
}


def made(name):
    layer, rng = LAYERS[name](), np.random.default_rng(3)
    for variable in layer.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return layer


def jacobian(layer, x):
    """`[D, D]` of the first example."""
    x = tf.constant(x[:1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reshape(layer(x, is_training=False), [-1])
    return tape.jacobian(y, x).numpy().reshape([y.shape[0], -1])


def inputs():
    rng = np.random.default_rng(1)
    return rng.normal(size=SHAPE), rng.uniform(0.2, 1.0, SHAPE)


OF_SINGLE_CHANNELS = ("instance", "filter_response", "batch")  # whose statistics others have no part in


@pytest.mark.parametrize(
    ("name", "is_shared"), [*((n, False) for n in LAYERS), *((n, True) for n in OF_SINGLE_CHANNELS)]
)
def test_small_variances_are_passed_on_to_first_order(name, is_shared):
    layer, (mean, variance) = made(name), inputs()
    variance = 1e-8 * variance
    derivative = jacobian(layer, mean)
    own, shared = variance, None
    if is_shared:
        shared = 0.6 * np.sqrt(variance) * np.where(mean > 0, 1.0, -0.5)
        own = variance - np.square(shared)
    moments = Moments(tf.constant(mean), tf.constant(variance), None if shared is None else tf.constant(shared))
    got = apply_rule(layer, moments)
    expected = np.square(derivative) @ own[0].ravel()
    if shared is not None:  # channel by channel, for channels deviate independently
        for channel in range(4):
            of_channel = np.where(np.arange(4) == channel, shared[0], 0.0)
            expected += np.square(derivative @ of_channel.ravel())
    np.testing.assert_allclose(got.mean, layer(tf.constant(mean), is_training=False), atol=1e-6)
    np.testing.assert_allclose(np.ravel(got.variance[0]), expected, rtol=1e-4)


def test_batch_normalization_is_linear_and_exact():
    layer, (mean, variance) = made("batch"), inputs()
    got = apply_rule(layer, Moments(tf.constant(mean), tf.constant(variance)))
    factor = layer.scale.numpy() ** 2 / (layer.moving_variance.numpy() + layer.epsilon)
    np.testing.assert_allclose(got.variance, variance * factor, rtol=1e-9)


def test_batch_normalization_that_measures_every_draw_is_refused():
    with pytest.raises(ValueError, match="build it with policy='frozen'"):
        bc.moments.propagate(bc.BatchNorm(4, policy="recalibrated"), tf.ones([2, 4]))


@pytest.mark.parametrize("name", ["layer", "group", "instance", "filter_response"])
def test_large_variances_are_nearly_right(name):
    layer, (mean, variance) = made(name), inputs()
    mean, variance = 2.0 * mean, 0.1 * variance
    noise = np.random.default_rng(0).normal(size=(4000, *SHAPE))
    draws = layer(tf.constant((mean + np.sqrt(variance) * noise).reshape([-1, *SHAPE[1:]])), is_training=False)
    draws = draws.numpy().reshape([4000, *SHAPE])
    got = apply_rule(layer, Moments(tf.constant(mean), tf.constant(variance)))
    assert np.abs(got.mean - draws.mean(0)).max() < 0.1
    assert abs(np.mean(got.variance) / draws.var(0).mean() - 1.0) < 0.1


def test_the_thresholded_linear_unit_is_a_shifted_relu():
    layer = bc.FilterResponseNorm(4, dtype=tf.float64)
    layer.threshold.assign([-0.5, 0.0, 0.5, 1.0])
    mean, variance = inputs()
    moments = Moments(tf.constant(mean), tf.constant(variance))
    plain = apply_rule(bc.FilterResponseNorm(4, dtype=tf.float64, use_threshold=False), moments)
    shifted = apply_rule(tf.nn.relu, plain._replace(mean=plain.mean - layer.threshold))
    np.testing.assert_allclose(apply_rule(layer, moments).mean, shifted.mean + layer.threshold, rtol=1e-9)
    np.testing.assert_allclose(apply_rule(layer, moments).variance, shifted.variance, rtol=1e-9)


@pytest.mark.parametrize("name", ["layer", "group", "instance", "filter_response"])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6, 1e8])
def test_the_size_of_what_is_normalized_costs_no_precision(name, size):
    """Squares of squares of large numbers do not fit in float32, nor those of their inverses."""
    mean, variance = inputs()
    kind, options = type(LAYERS[name]()), {**_options(name), "epsilon": 1e-12 * min(size, 1.0) ** 2}
    wide, narrow = kind(**options, dtype=tf.float64), kind(**options)
    moments = Moments(tf.constant(size * mean), tf.constant(size**2 * variance))
    expected = apply_rule(wide, moments)
    got = apply_rule(narrow, moments.map(lambda x: tf.cast(x, tf.float32)))
    np.testing.assert_allclose(got.mean, expected.mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.variance, expected.variance, rtol=1e-3, atol=1e-5)
    assert (got.variance.numpy() >= 0).all()


def _options(name):
    return {"layer": {"size": 4}, "group": {"groups": 2, "size": 4}, "instance": {"size": 4}}.get(
        name, {"size": 4, "use_threshold": False}
    )

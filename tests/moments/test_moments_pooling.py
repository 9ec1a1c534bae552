"""Poolings: the chosen position by brute force, Clark's formula by sampling, and what averages over positions keep."""

from __future__ import annotations

import bounds
import numpy as np
import oracles
import pytest
import tensorflow as tf
from draws import draws_of

import bayesconv as bc
from bayesconv.moments import Moments, apply_rule, propagate
from bayesconv.moments.options import Options, chosen
from bayesconv.moments.pooling import clark

SHAPES = {1: (2, 7, 3), 2: (2, 5, 6, 3), 3: (2, 4, 5, 3, 2)}
LAYERS = [
    (bc.MaxPool(2), 2), (bc.MaxPool((3, 2), padding="SAME"), 2), (bc.MaxPool(3, strides=2), 2),
    (bc.MaxPool(3, strides=(1, 2), padding="SAME"), 2), (bc.MaxPool(2, rank=1), 1), (bc.MaxPool(2, rank=3), 3),
]  # fmt: skip
AVERAGES = [
    (bc.AveragePool(2), 2), (bc.AveragePool((3, 2), padding="SAME"), 2), (bc.AveragePool(3, strides=2), 2),
    (bc.AveragePool(3, strides=1, padding="SAME", rank=1), 1), (bc.AveragePool(2, rank=3), 3),
]  # fmt: skip


def moments_of(rank, dtype=tf.float64):
    rng = np.random.default_rng(rank)
    mean, variance = rng.normal(size=SHAPES[rank]), rng.uniform(0.2, 2.0, SHAPES[rank])
    return Moments(tf.constant(mean, dtype), tf.constant(variance, dtype))


def elements(layer, x):
    """`[I, *output]`: the outputs for each single input."""
    units = np.eye(x[0].shape.num_elements()).reshape([-1, *x.shape[1:]])
    return layer(tf.constant(units, x.dtype)).numpy()


@pytest.mark.parametrize(("layer", "rank"), LAYERS)
def test_a_maximum_has_the_variance_of_the_position_with_the_larger_mean(layer, rank):
    moments = moments_of(rank)
    got = apply_rule(layer, moments)
    np.testing.assert_allclose(got.mean, layer(moments.mean))
    variance_of = dict(zip(np.ravel(moments.mean), np.ravel(moments.variance), strict=True))
    np.testing.assert_array_equal(np.ravel(got.variance), [variance_of[m] for m in np.ravel(got.mean)])


@pytest.mark.parametrize("choice", ["larger_mean", "clark"])
def test_the_global_maximum_is_one_window_of_all(choice):
    moments = moments_of(2)
    with chosen(Options(max_pool=choice)):
        whole = apply_rule(bc.GlobalMaxPool(keepdims=True), moments)
        window = apply_rule(bc.MaxPool((5, 6)), moments)
    tolerance = 0.1 if choice == "clark" else 1e-12  # Clark's depends on the order
    np.testing.assert_allclose(np.ravel(whole.mean), np.ravel(window.mean), rtol=tolerance)
    if choice == "larger_mean":
        np.testing.assert_allclose(np.ravel(whole.variance), np.ravel(window.variance), rtol=1e-12)


def test_clark_gives_the_moments_of_the_maximum_of_two():
    rng = np.random.default_rng(0)
    m, v = rng.normal(size=(2, 12)), rng.uniform(0.1, 2.0, (2, 12))
    got = clark(*(Moments(tf.constant(m[i]), tf.constant(v[i])) for i in range(2)))
    draws = (m[:, np.newaxis] + np.sqrt(v[:, np.newaxis]) * rng.normal(size=(2, 40_000, 12))).max(axis=0)
    # 12 comparisons each, false alarms 1e-6; a variance that is off by 5 % is found 19 times in 20.
    assert bounds.compare_means(draws, got.mean.numpy()).agrees
    assert bounds.compare_variances(draws, got.variance.numpy()).agrees
    assert not bounds.compare_variances(draws, np.where(m[0] > m[1], v[0], v[1])).agrees


def test_clark_in_a_padded_window_and_with_a_variance_of_zero_is_finite():
    moments = moments_of(2, tf.float32)._replace(variance=tf.zeros(SHAPES[2]))
    layer = bc.MaxPool(2, padding="SAME")
    with chosen(Options(max_pool="clark")):
        got = apply_rule(layer, moments)
    np.testing.assert_allclose(got.mean, layer(moments.mean), rtol=1e-6)
    np.testing.assert_allclose(got.variance, np.zeros(got.mean.shape), atol=1e-9)


@pytest.mark.parametrize(("layer", "rank"), [*AVERAGES, (bc.GlobalAveragePool(), 2), (bc.GlobalAveragePool(1), 1)])
def test_an_average_of_independent_positions_is_exact(layer, rank):
    moments = moments_of(rank)
    got, table = apply_rule(layer, moments), elements(layer, moments.mean)
    variance = np.reshape(moments.variance, [len(moments.mean), -1]) @ np.square(table).reshape([len(table), -1])
    np.testing.assert_allclose(got.mean, layer(moments.mean))
    np.testing.assert_allclose(np.ravel(got.variance), np.ravel(variance), rtol=1e-6)


def test_what_positions_share_does_not_average_out():
    moments = moments_of(2)
    shared = 0.5 * tf.sqrt(moments.variance)
    got = apply_rule(bc.GlobalAveragePool(), moments._replace(shared=shared))
    own = np.mean(0.75 * moments.variance.numpy(), axis=(1, 2)) / 30
    np.testing.assert_allclose(got.variance, own + np.square(np.mean(shared, axis=(1, 2))), rtol=1e-9)


def smooth_images():
    grid = np.linspace(0.0, 3.0, 8)
    images = 1.0 + np.sin(grid[:, np.newaxis] + grid * np.arange(1, 4)[:, np.newaxis, np.newaxis])
    return images[..., np.newaxis] * np.array([1.0, 0.6])


@pytest.mark.parametrize("padding", ["VALID", "SAME", "REFLECT"])
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"dilations": 2}, {"groups": 2}])
def test_an_average_over_the_positions_of_a_convolution_keeps_its_variance(options, padding):
    arguments = {"filter_shape": 3, "rank": 2, "input_size": 2, "output_size": 4, "padding": padding, **options}
    case = oracles.Case(arguments, (3, 8, 8, 2))
    layer, x = oracles.make_layer(case), smooth_images()
    mean, variance = oracles.moments_of(layer)
    pooled = oracles.unit_responses(case, x).mean(axis=(2, 3))
    exact = np.tensordot(variance, np.square(pooled), 1)
    model = bc.Sequential([layer, bc.GlobalAveragePool()])
    np.testing.assert_allclose(propagate(model, x).mean, np.tensordot(mean, pooled, 1), rtol=1e-9)
    is_exact = "groups" not in options
    assert np.abs(propagate(model, x).variance / exact - 1.0).max() < (1e-6 if is_exact else 0.2)
    assert (propagate(model, x, covariance="ignored").variance / exact).numpy().max() < 0.25  # what is lost


@pytest.mark.parametrize("strides", [1, 2])
def test_an_average_over_the_positions_of_a_transposed_convolution_keeps_its_variance(strides):
    arguments = {"filter_shape": 3, "rank": 2, "input_size": 2, "output_size": 4, "strides": strides}
    case = oracles.Case(arguments, (3, 8, 8, 2), bc.ConvolutionTranspose)
    layer, x = oracles.make_layer(case), smooth_images()
    _, variance = oracles.moments_of(layer)
    exact = np.tensordot(variance, np.square(oracles.unit_responses(case, x).mean(axis=(2, 3))), 1)
    got = propagate(bc.Sequential([layer, bc.GlobalAveragePool()]), x).variance
    np.testing.assert_allclose(got, exact, rtol=1e-6)


def test_two_convolutions_and_an_average_have_the_variance_of_their_draws():
    make = bc.make_kernel_bias_flipout
    layers = [bc.Convolution(2, 6, 3, make_kernel_bias_fn=make, dtype=tf.float64, activation_fn=tf.nn.relu)]
    layers += [bc.Convolution(6, 4, 3, make_kernel_bias_fn=make, dtype=tf.float64), bc.GlobalAveragePool()]
    model = bc.Sequential(layers)
    exact = draws_of(model, smooth_images(), 1000).var(axis=0)
    tracked, ignored = (propagate(model, smooth_images(), covariance=c).variance for c in ("tracked", "ignored"))
    assert 0.6 < np.sum(tracked) / np.sum(exact) < 1.4
    assert np.sum(ignored) / np.sum(exact) < 0.2

"""Moments behind activations against integrals of the normal density, and where formulas lose digits."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import tensorflow as tf
from partials import nested
from scipy import integrate, stats

import bayesconv as bc
from bayesconv.moments import Moments, apply_rule, quadrature
from bayesconv.moments.activations import _MONOTONE, _RULES, is_monotone, transformed

MEANS, SCALES = (-4.0, -1.0, -0.1, 0.0, 0.7, 3.0), (0.05, 0.4, 1.0, 2.5)
GRID = np.array([(m, s) for m in MEANS for s in SCALES])
EXACT = (
    tf.identity, tf.nn.relu, tf.nn.leaky_relu, tf.nn.elu, tf.nn.selu, tf.nn.relu6, tf.abs, tf.square,
)  # fmt: skip
SMOOTH = [f for f in _RULES if f not in (tf.exp, tf.math.expm1, tf.sinh)]  # of order 1


Z = np.linspace(-12.0, 12.0, 20_001)
WEIGHTS = stats.norm.pdf(Z) * (Z[1] - Z[0])


@functools.cache
def exact(function):
    """Mean, variance and gain of a function of every normal of the grid, by sums over 20,001 points."""
    m, s = GRID[:, :1], GRID[:, 1:]
    values = np.asarray(function(tf.constant(m + s * Z)))
    mean = values @ WEIGHTS
    deviations = values - mean[:, np.newaxis]
    return np.stack([mean, np.square(deviations) @ WEIGHTS, (deviations * Z) @ WEIGHTS / GRID[:, 1]], axis=1)


def got(function, dtype=tf.float64):
    m, s = (tf.constant(column, dtype) for column in GRID.T)
    return np.stack([part.numpy() for part in transformed(function, m, tf.square(s))], axis=1)


@pytest.mark.parametrize("function", EXACT, ids=lambda f: f.__name__)
def test_closed_forms_are_exact(function):
    np.testing.assert_allclose(got(function), exact(function), rtol=1e-6, atol=1e-7)


def test_a_slope_below_zero_that_a_partial_binds_goes_to_the_rule():
    function = functools.partial(tf.nn.leaky_relu, alpha=0.5)
    np.testing.assert_allclose(got(function), exact(function), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(got(functools.partial(nested(tf.nn.leaky_relu), alpha=0.5)), got(function))
    approximate = functools.partial(tf.nn.gelu, approximate=True)
    np.testing.assert_allclose(got(approximate), exact(approximate), atol=0.06)


@pytest.mark.parametrize("function", SMOOTH, ids=lambda f: f.__name__)
def test_quadrature_is_off_by_little(function):
    difference = np.abs(got(function) - exact(function))
    is_wide = GRID[:, 1] > 2
    assert (difference[~is_wide] < 0.004).all()
    assert (difference[is_wide] < [0.03, 0.07, 0.01]).all()


def test_the_mean_of_gelu_is_exact_and_quadrature_of_a_polynomial_too():
    np.testing.assert_allclose(got(tf.nn.gelu)[:, 0], exact(tf.nn.gelu)[:, 0], rtol=1e-6, atol=1e-7)
    m, s = GRID.T
    by_points = np.stack(quadrature(lambda x: x**4)(tf.constant(m), tf.constant(s**2)), axis=1)
    np.testing.assert_allclose(by_points, exact(lambda x: x**4), rtol=1e-6, atol=1e-9)


def test_a_rule_that_gives_the_second_moment_for_the_variance_would_fail():
    second = got(tf.nn.relu)[:, 1] + np.square(got(tf.nn.relu)[:, 0])
    assert np.abs(second - exact(tf.nn.relu)[:, 1]).max() > 1.0
    assert integrate.quad(lambda x: max(x, 0.0) * stats.norm.pdf(x), 0, 12)[0] == pytest.approx(
        1 / math.sqrt(2 * math.pi)
    )


def test_relu_loses_no_digits_far_from_zero_and_nothing_at_a_variance_of_zero():
    m, v = tf.constant([100.0, 1e4, -100.0, 3.0, -3.0, 0.0]), tf.constant([1e-4, 1e-2, 1.0, 0.0, 0.0, 0.0])
    mean, variance, gain = transformed(tf.nn.relu, m, v)
    np.testing.assert_allclose(mean, [100.0, 1e4, 0.0, 3.0, 0.0, 0.0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(variance, [1e-4, 1e-2, 0.0, 0.0, 0.0, 0.0], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(gain[:5], [1, 1, 0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(got(tf.nn.relu, tf.float32), got(tf.nn.relu), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("function", _RULES, ids=lambda f: f.__name__)
def test_a_number_without_variance_is_the_functions_value(function):
    x = tf.constant([-1.5, 0.3, 2.0])
    mean, variance, _ = transformed(function, x, tf.zeros([3]))
    np.testing.assert_allclose(mean, function(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance, np.zeros(3), atol=1e-9)


@pytest.mark.parametrize("function", _MONOTONE, ids=lambda f: f.__name__)
def test_what_counts_as_monotone_never_falls(function):
    assert is_monotone(function)
    assert np.diff(function(tf.cast(tf.linspace(-5.0, 5.0, 2001), tf.float64))).min() >= 0


def test_what_is_not_monotone_or_not_known_does_not_count():
    assert not any(is_monotone(f) for f in (tf.nn.gelu, tf.nn.silu, tf.square, None, lambda x: x))
    assert is_monotone(functools.partial(tf.nn.leaky_relu, alpha=0.1))
    assert not is_monotone(functools.partial(tf.nn.leaky_relu, alpha=-0.1))


def test_a_function_without_a_rule_is_named_and_may_be_registered():
    def cubed(x):
        return x**3

    moments = Moments(tf.constant([[0.5]]), tf.constant([[0.1]]))
    with pytest.raises(TypeError, match=r"function cubed.*\n.*register_activation\(cubed\)"):
        apply_rule(cubed, moments)
    bc.moments.register_activation(cubed)
    np.testing.assert_allclose(apply_rule(cubed, moments).mean, [[0.125 + 3 * 0.5 * 0.1]], rtol=1e-5)
    assert apply_rule(cubed, Moments(tf.constant([2.0]))).mean == 8.0


def test_a_shared_deviation_is_multiplied_by_the_gain():
    moments = Moments(tf.constant([[1.0]]), tf.constant([[1.0]]), tf.constant([[0.5]]))
    shared = apply_rule(tf.nn.relu, moments).shared
    np.testing.assert_allclose(shared, [[0.5 * stats.norm.cdf(1.0)]], rtol=1e-6)

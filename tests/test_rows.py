"""Claims about numbers of channels against whole tensors: what broadcasting and autodiff say, in fewer passes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bayesconv.rows import along_rows, mean_square

RNG = np.random.default_rng(0)


def _tensor(shape):
    return tf.constant(RNG.normal(size=shape))


@pytest.mark.parametrize("shape", [(5, 3), (4, 5, 3), (2, 4, 5, 3), (2, 2, 4, 5, 3), (2, 4, 5, 64), (2, 4, 5, 65)])
def test_a_layout_changes_no_product_and_no_sum(shape):
    x = _tensor(shape)
    of_all, of_each = _tensor(shape[-1:]), _tensor((shape[0], *[1] * (len(shape) - 2), shape[-1]))
    for channels in (of_all, of_each):
        np.testing.assert_array_equal(x * along_rows(channels, x), x * channels)
        np.testing.assert_array_equal(x + along_rows(channels, x), x + channels)


def test_a_layout_passes_gradients_on():
    x, channels = _tensor((2, 4, 5, 3)), _tensor((2, 1, 1, 3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(channels)
        laid_out, plain = tf.reduce_sum(tf.exp(x * along_rows(channels, x))), tf.reduce_sum(tf.exp(x * channels))
    np.testing.assert_allclose(tape.gradient(laid_out, channels), tape.gradient(plain, channels), rtol=1e-12)


def test_numbers_that_differ_along_the_row_and_rows_of_unknown_length_are_left_alone():
    x, channels = _tensor((2, 4, 5, 3)), _tensor((2, 1, 5, 3))
    assert along_rows(channels, x) is channels
    laid_out = tf.function(
        lambda x, c: x * along_rows(c, x), [tf.TensorSpec([None, None, None, 3], x.dtype), tf.TensorSpec([3], x.dtype)]
    )
    np.testing.assert_array_equal(laid_out(x, channels[0, 0, 0]), x * channels[0, 0, 0])


@pytest.mark.parametrize("axes", [[-3, -2], [1, 2], [0], [-1]])
def test_mean_squares_have_their_value_and_their_first_two_derivatives(axes):
    x, weights = _tensor((2, 4, 5, 3)), _tensor((2, 4, 5, 3))

    def derivatives(of):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = tf.reduce_sum(weights * x * tf.math.rsqrt(of(x)))
            slope = inner.gradient(value, x)
            along = tf.reduce_sum(slope * weights)
        return value, slope, outer.gradient(along, x)

    found = derivatives(lambda x: mean_square(x, axes))
    expected = derivatives(lambda x: tf.reduce_mean(tf.square(x), axes, keepdims=True))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_mean_squares_know_sizes_that_only_the_run_knows():
    x = _tensor((2, 4, 5, 3))
    gradient = tf.function(
        lambda x: tf.gradients(mean_square(x, [-3, -2]), x)[0], [tf.TensorSpec([None, None, None, 3], x.dtype)]
    )
    np.testing.assert_allclose(gradient(x), 2.0 * x / 20.0, rtol=1e-12)

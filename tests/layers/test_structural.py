"""Claims about layers that arrange numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import ways

import bayesconv as bc

X = np.random.default_rng(0).normal(size=(2, 5, 6, 3))


def test_flatten_joins_the_axes_in_order():
    np.testing.assert_array_equal(bc.Flatten()(X), X.reshape(2, -1))
    compiled = tf.function(bc.Flatten(), input_signature=[tf.TensorSpec([None, 5, 6, 3], tf.float64)])
    assert compiled.get_concrete_function().structured_outputs.shape.as_list() == [None, 90]
    assert bc.Flatten()(X[:0]).shape == (0, 90)


@pytest.mark.parametrize(("ndims", "shape"), [(1, (2, 5, 6, 3)), (2, (2, 5, 18)), (3, (2, 90)), (4, (180,))])
def test_flatten_joins_the_last_axes(ndims, shape):
    np.testing.assert_array_equal(bc.Flatten(ndims)(X), X.reshape(shape))


@pytest.mark.parametrize("ndims", [None, 3])
def test_flatten_takes_sizes_that_are_not_known(ndims):
    compiled = tf.function(bc.Flatten(ndims), input_signature=[tf.TensorSpec([None, None, 6, None], tf.float64)])
    for x in (X, X[:0], X[:, :2]):
        np.testing.assert_array_equal(compiled(x), x.reshape(len(x), np.prod(x.shape[1:])))


def test_flatten_of_numbers_gives_them_an_axis():
    assert bc.Flatten()(X[:, 0, 0, 0]).shape == (2, 1)


def test_reshape_keeps_the_order_and_finds_one_size():
    np.testing.assert_array_equal(bc.Reshape([6, 5, 3])(X), X.reshape(2, 6, 5, 3))
    np.testing.assert_array_equal(bc.Reshape([9, -1])(X), X.reshape(2, 9, 10))
    assert bc.Reshape([9, -1])(X[:0]).shape == (0, 9, 10)
    assert bc.Reshape([])(X[:, :1, 0, 0]).shape == (2,)


def test_reshape_takes_sizes_that_are_not_known():
    compiled = tf.function(bc.Reshape([9, -1]), input_signature=[tf.TensorSpec([None, None, 6, 3], tf.float64)])
    for x in (X, X[:0], X[:, :3]):
        np.testing.assert_array_equal(compiled(x), x.reshape(len(x), 9, 2 * x.shape[1]))


@pytest.mark.parametrize("make", [bc.Flatten, lambda: bc.Flatten(2), lambda: bc.Reshape([-1, 10])])
def test_every_way_of_running_them_agrees(make):
    ways.check_every_way(lambda dtype: make(), (5, 6, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bc.Flatten(0), r"`ndims` must be positive ints\. Received ndims=0"),
        (lambda: bc.Flatten(5)(X), r"`flatten` joins 5 axes\. Received inputs of shape \(2, 5, 6, 3\)"),
        (lambda: bc.Flatten()(tf.constant(1.0)), r"joins all axes but the first\. Received inputs of shape \(\)"),
        (lambda: bc.Reshape([-1, -1]), r"ints >= 0, of which one may be -1\. Received \(-1, -1\)"),
        (lambda: bc.Reshape([2.0]), "ints >= 0"),
        (lambda: bc.Reshape([-2]), "ints >= 0"),
        (lambda: bc.Reshape([7, -1])(X), r"`reshape` gives .* \(7, -1\).* 90 elements\. Received inputs of shape"),
        (lambda: bc.Reshape([91])(X), r"`reshape` gives .* all their 90 elements"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Claims about layers without weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc

X = np.random.default_rng(0).normal(size=(2, 5, 6, 3))


def _pooled(x, window, strides, reduce):
    height, width = ((size - w) // s + 1 for size, w, s in zip(x.shape[1:3], window, strides, strict=True))
    y = np.empty((len(x), height, width, x.shape[-1]))
    for i, j in np.ndindex(height, width):
        a, b = i * strides[0], j * strides[1]
        y[:, i, j] = reduce(x[:, a : a + window[0], b : b + window[1]], axis=(1, 2))
    return y


@pytest.mark.parametrize(("pool", "reduce"), [(bc.MaxPool, np.max), (bc.AveragePool, np.mean)])
@pytest.mark.parametrize(("window", "strides"), [(2, None), ((3, 2), None), (3, 1), ((2, 3), (1, 2))])
def test_pools_reduce_their_windows(pool, reduce, window, strides):
    pair = (window, window) if isinstance(window, int) else window
    steps = pair if strides is None else (strides, strides) if isinstance(strides, int) else strides
    expected = _pooled(X, pair, steps, reduce)
    np.testing.assert_allclose(pool(window, strides)(tf.constant(X)), expected, rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 3])
def test_pools_have_a_rank(rank):
    x = np.arange(2.0 * 4**rank).reshape(2, *[4] * rank, 1)
    y = bc.MaxPool(4, rank=rank)(tf.constant(x))
    np.testing.assert_array_equal(np.ravel(y), [4**rank - 1, 2 * 4**rank - 1])


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
def test_three_dimensional_maxima_in_float64_are_those_of_float32(padding):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 4, 3)).astype(np.float32)
    pool = bc.MaxPool((2, 3, 2), (2, 1, 2), padding=padding, rank=3)
    spec = tf.TensorSpec([None, None, 6, 4, 3], tf.float64)
    compiled = tf.function(pool, input_signature=[spec])
    for found in (pool(tf.constant(x, tf.float64)), compiled(tf.constant(x, tf.float64))):
        np.testing.assert_array_equal(found, pool(tf.constant(x)))
    assert compiled.get_concrete_function().structured_outputs.shape[2:].is_fully_defined()


def test_same_padding_keeps_the_edges_and_averages_what_is_there():
    x = tf.ones([1, 3, 3, 1])
    np.testing.assert_allclose(bc.AveragePool(2, padding="same")(x), np.ones([1, 2, 2, 1]))


def test_flatten_joins_the_axes_in_order():
    np.testing.assert_array_equal(bc.Flatten()(X), X.reshape(2, -1))
    compiled = tf.function(bc.Flatten(), input_signature=[tf.TensorSpec([None, 5, 6, 3], tf.float64)])
    assert compiled.get_concrete_function().structured_outputs.shape.as_list() == [None, 90]
    assert bc.Flatten()(X[:0]).shape == (0, 90)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, r"`window` is a positive int or one per spatial axis, 2 in all\. Received 0"),
        ({"window": (2, 2, 2)}, "`window` .*Received"),
        ({"strides": (1,)}, "`strides` .*Received"),
        ({"padding": "CAUSAL"}, r"`padding` must be one of \['VALID', 'SAME'\]"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    for pool in (bc.MaxPool, bc.AveragePool):
        with pytest.raises(ValueError, match=message):
            pool(**options)

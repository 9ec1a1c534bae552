"""Claims about pooling over windows and over all positions."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
import ways

import bayesconv as bc

X = np.random.default_rng(0).normal(size=(2, 5, 6, 3))
SPATIAL = (5, 6, 4)
POOLS = [(bc.MaxPool, np.max), (bc.AveragePool, np.mean)]


def _starts(size, window, stride, padding):
    if padding == "VALID":
        return [i * stride for i in range((size - window) // stride + 1)]
    num = -(-size // stride)
    before = max((num - 1) * stride + window - size, 0) // 2
    return [i * stride - before for i in range(num)]


def _pooled(x, window, strides, padding, reduce):
    """Window by window; what lies beyond the border is cut off."""
    starts = [_starts(*axis, padding) for axis in zip(x.shape[1:-1], window, strides, strict=True)]
    y = np.empty((len(x), *map(len, starts), x.shape[-1]))
    for index in np.ndindex(*map(len, starts)):
        corner = [s[i] for s, i in zip(starts, index, strict=True)]
        box = tuple(slice(max(c, 0), c + w) for c, w in zip(corner, window, strict=True))
        y[(slice(None), *index)] = reduce(x[(slice(None), *box)], axis=tuple(range(1, x.ndim - 1)))
    return y


@pytest.mark.parametrize(("pool", "reduce"), POOLS)
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize(("window", "strides"), [(2, None), ((3, 2), None), (3, 1), ((2, 3), (1, 2))])
def test_pools_reduce_their_windows(pool, reduce, padding, window, strides):
    pair = (window, window) if isinstance(window, int) else window
    steps = pair if strides is None else (strides, strides) if isinstance(strides, int) else strides
    expected = _pooled(X, pair, steps, padding, reduce)
    np.testing.assert_allclose(pool(window, strides, padding)(tf.constant(X)), expected, rtol=1e-12)


@pytest.mark.parametrize(("pool", "reduce"), POOLS)
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("dtype", [tf.float64, tf.float32, tf.float16, tf.bfloat16])
@pytest.mark.parametrize("rank", [1, 3])
def test_they_do_in_other_ranks_and_in_every_type(pool, reduce, padding, dtype, rank):
    x = np.random.default_rng(1).normal(size=(2, *SPATIAL[:rank], 3))
    window, strides = (3, 2, 3)[:rank], (2, 1, 3)[:rank]
    expected = _pooled(x, window, strides, padding, reduce)
    found = pool(window, strides, padding, rank)(tf.constant(x, dtype))
    assert found.dtype == dtype
    tolerance = {8: 1e-12, 4: 1e-6, 2: 2e-2}[dtype.size]
    np.testing.assert_allclose(tf.cast(found, tf.float64), expected, rtol=tolerance, atol=tolerance)


def test_padding_counts_nowhere():
    ones = tf.ones([1, 3, 3, 3, 1], tf.float64)
    np.testing.assert_allclose(bc.AveragePool(2, padding="same", rank=3)(ones), np.ones([1, 2, 2, 2, 1]))
    np.testing.assert_array_equal(bc.MaxPool(2, padding="same", rank=3)(-ones), -np.ones([1, 2, 2, 2, 1]))


@pytest.mark.parametrize("pool", [bc.MaxPool, bc.AveragePool])
def test_all_leading_axes_are_batch_axes(pool):
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6, 3))
    layer = pool((2, 3))
    expected = np.stack([layer(part) for part in x])
    np.testing.assert_array_equal(layer(x), expected)
    spec = tf.TensorSpec([None, None, None, 6, 3], tf.float64)
    compiled = tf.function(layer, input_signature=[spec])
    np.testing.assert_array_equal(compiled(x), expected)
    assert compiled.get_concrete_function().structured_outputs.shape.as_list() == [None, None, None, 2, 3]
    assert compiled(x[:0]).shape == (0, 3, 2, 2, 3)
    assert compiled(x[:, :0]).shape == (2, 0, 2, 2, 3)


@pytest.mark.parametrize("pool", [bc.MaxPool, bc.AveragePool])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_way_of_running_a_pool_agrees(pool, rank):
    ways.check_every_way(lambda dtype: pool(2, rank=rank, padding="SAME"), (*SPATIAL[:rank], 2))


def test_three_dimensional_pools_keep_known_sizes_and_gradients_in_float64():
    spec = tf.TensorSpec([None, None, 6, 4, 3], tf.float64)
    for pool in (bc.MaxPool, bc.AveragePool):
        layer = pool(2, rank=3)
        compiled = tf.function(layer, input_signature=[spec])
        assert compiled.get_concrete_function().structured_outputs.shape[2:].is_fully_defined()
        ways.check_gradients(layer, ways.inputs_of((5, 6, 4, 3), dtype=tf.float64), layer)


@pytest.mark.parametrize(("pool", "reduce"), [(bc.GlobalMaxPool, np.max), (bc.GlobalAveragePool, np.mean)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_global_pools_reduce_all_positions(pool, reduce, rank):
    x = np.random.default_rng(1).normal(size=(2, 4, *SPATIAL[:rank], 3))
    axes = tuple(range(2, 2 + rank))
    np.testing.assert_allclose(pool(rank)(x), reduce(x, axis=axes), rtol=1e-12)
    np.testing.assert_allclose(pool(rank, keepdims=True)(x), reduce(x, axis=axes, keepdims=True), rtol=1e-12)
    ways.check_every_way(lambda dtype: pool(rank), (*SPATIAL[:rank], 3))


def test_a_mean_in_half_precision_is_summed_in_float32():
    x = tf.fill([1, 64, 64, 1], tf.constant(1.0, tf.bfloat16))  # 256 is where bfloat16 stops counting
    assert float(bc.GlobalAveragePool()(x)[0, 0]) == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, r"`window` is a positive int or one per spatial axis, 2 in all\. Received 0"),
        ({"window": (2, 2, 2)}, "`window` .*Received"),
        ({"strides": (1,)}, "`strides` .*Received"),
        ({"strides": 3}, r"`strides` greater than `window`.*Received strides=\(3, 3\), window=\(2, 2\)"),
        ({"padding": "CAUSAL"}, r"`padding` must be one of \['VALID', 'SAME'\]"),
        ({"rank": 4}, r"`rank`, the number of spatial axes, is 1, 2 or 3\. Received 4"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    for pool in (bc.MaxPool, bc.AveragePool):
        with pytest.raises(ValueError, match=message):
            pool(**options)


@pytest.mark.parametrize("make", [bc.MaxPool, bc.GlobalAveragePool, functools.partial(bc.MaxPool, 2)])
def test_a_single_example_is_refused(make):
    with pytest.raises(
        ValueError, match=r"takes inputs of shape \[N\.\., H, W, C\].*Received shape \(5, 6, 3\).*batch"
    ):
        make()(X[0])
    with pytest.raises(ValueError, match="`rank`, the number"):
        bc.GlobalMaxPool(0)


@pytest.mark.parametrize(
    "layer",
    [
        bc.MaxPool(),
        bc.AveragePool(),
        bc.GlobalMaxPool(),
        bc.GlobalAveragePool(),
        bc.Upsample(),
        bc.Dropout(0.5),
    ],
    ids=lambda layer: layer.name,
)
def test_whole_numbers_are_refused_since_their_means_would_be_rounded(layer):
    with pytest.raises(ValueError, match=rf"`{layer.name}` takes floating-point numbers\. Received uint8: cast"):
        layer(tf.ones([2, 4, 4, 3], tf.uint8))

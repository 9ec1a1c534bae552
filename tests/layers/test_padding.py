"""Claims about padding: what a user may write, what it adds, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.layers.padding import MODES, Padding, as_padding

X = np.arange(1.0, 6.0)[np.newaxis, :, np.newaxis]


def _padded(padding, reach=3, stride=1):
    return as_padding(padding, 1).pad(tf.constant(X), [reach], [stride]).numpy().ravel().tolist()


def test_what_is_added():
    assert _padded("VALID") == [1, 2, 3, 4, 5]
    assert _padded("SAME") == [0, 1, 2, 3, 4, 5, 0]
    assert _padded("SAME", reach=4) == [0, 1, 2, 3, 4, 5, 0, 0]  # the odd one goes after
    assert _padded("SAME", reach=3, stride=2) == [0, 1, 2, 3, 4, 5, 0]
    assert _padded("SAME", reach=1, stride=3) == [1, 2, 3, 4, 5]
    assert _padded("CAUSAL") == [0, 0, 1, 2, 3, 4, 5]
    assert _padded("FULL") == [0, 0, 1, 2, 3, 4, 5, 0, 0]
    assert _padded("REFLECT", reach=5) == [3, 2, 1, 2, 3, 4, 5, 4, 3]
    assert _padded("SYMMETRIC", reach=5) == [2, 1, 1, 2, 3, 4, 5, 5, 4]
    assert _padded([(1, 2)]) == [0, 1, 2, 3, 4, 5, 0, 0]


def test_what_a_user_may_write():
    for mode in MODES:
        rank = 1 if mode == "CAUSAL" else 2
        assert as_padding(mode, rank) == as_padding(mode.lower(), rank) == Padding(mode)
    pairs = Padding("EXPLICIT", ((1, 0), (2, 2)))
    for written in ([(1, 0), (2, 2)], ((1, 0), [2, 2]), np.array([[1, 0], [2, 2]]), pairs):
        assert as_padding(written, 2) == pairs


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        1,
        "SAMEISH",
        "",
        (1, 1),
        [(1, 1)],
        [(1, 1)] * 3,
        [(1, 1), (1,)],
        [(1, 1), (1, -1)],
        [(1, 1), (1, 0.5)],
        ["ab", "cd"],
        [(1, 1), None],
        b"SAME",
    ],
)
@pytest.mark.parametrize("layer_type", [bc.Convolution, bc.ConvolutionTranspose])
def test_anything_else_is_refused_with_the_rule_and_what_was_received(wrong, layer_type):
    with pytest.raises(
        ValueError, match=r"`padding` is one of \['VALID', .*pairs .*such as \[\(1, 1\), \(1, 1\)\]\. R"
    ):
        layer_type(1, 1, 3, padding=wrong)


@pytest.mark.parametrize("layer_type", [bc.Convolution, bc.ConvolutionTranspose])
@pytest.mark.parametrize("rank", [2, 3])
def test_causal_is_for_sequences(layer_type, rank):
    with pytest.raises(
        ValueError, match=rf"for sequences, rank=1\. Received rank={rank}: give explicit pairs, .*\(2, 0\)"
    ):
        layer_type(1, 1, 3, rank=rank, padding="causal")


@pytest.mark.parametrize(
    ("padding", "filter_shape", "space", "message"),
    [
        (
            "VALID",
            4,
            (9, 3),
            r"reach over 4 positions of an axis that has 3, padding included\. Received inputs of shape",
        ),
        ("VALID", (1, 3), (1, 2), r"reach over 3 positions of an axis that has 2"),
        ([(1, 0), (0, 0)], 4, (2, 9), r"reach over 4 positions of an axis that has 3"),
        (
            "REFLECT",
            5,
            (2, 9),
            r"REFLECT padding mirrors .*, here 1 of its 2 positions, and `c` needs 2\. Received .*SAME",
        ),
        ("REFLECT", 3, (9, 1), r"REFLECT padding mirrors .*, here 0 of its 1 positions, and `c` needs 1"),
        ("SYMMETRIC", 7, (2, 9), r"SYMMETRIC padding mirrors .*, here 2 of its 2 positions, and `c` needs 3"),
    ],
)
def test_axes_that_are_too_small_are_refused_with_the_sizes_and_a_way_out(padding, filter_shape, space, message):
    for layer_type, sizes in ((bc.Convolution, (1, 1)), (bc.DepthwiseConvolution, (1,))):
        for batch_shape in ((), (2,)):
            layer = layer_type(*sizes, filter_shape, padding=padding, batch_shape=batch_shape, name="c")
            with pytest.raises(ValueError, match=message):
                layer(tf.zeros([2, *space, *batch_shape, 1]))


def test_the_dilation_counts_in_what_filters_reach():
    with pytest.raises(ValueError, match="reach over 7 positions of an axis that has 6"):
        bc.Convolution(1, 1, 3, rank=1, dilations=3)(tf.zeros([1, 6, 1]))
    assert bc.Convolution(1, 1, 3, rank=1, dilations=3)(tf.zeros([1, 7, 1])).shape == (1, 1, 1)


@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
def test_a_constant_image_stays_constant_where_borders_are_mirrored(mode):
    y = bc.Convolution(2, 3, 3, padding=mode, dtype=tf.float64)(np.ones([1, 5, 6, 2])).numpy()
    assert y.shape == (1, 5, 6, 3)
    np.testing.assert_allclose(y, np.broadcast_to(y[:, :1, :1], y.shape), rtol=1e-12)


@pytest.mark.parametrize("layer_type", [bc.Convolution, bc.ConvolutionTranspose])
@pytest.mark.parametrize("strides", [1, 2, 4])
def test_no_causal_output_depends_on_a_later_input(layer_type, strides):
    layer = layer_type(
        1, 1, 3, rank=1, padding="CAUSAL", strides=strides, dilations=2, use_bias=False, dtype=tf.float64
    )
    x = np.random.default_rng(0).normal(size=(1, 9, 1))
    y = layer(x).numpy()
    for position in range(9):
        changed = x.copy()
        changed[0, position] += 1
        touched = np.flatnonzero(layer(changed).numpy()[0, :, 0] != y[0, :, 0])
        before = touched * strides if layer_type is bc.Convolution else touched / strides
        assert (before >= position).all()
    assert y.shape[1] == (9 * strides if layer_type is bc.ConvolutionTranspose else -(-9 // strides))


def test_pairs_are_the_modes_that_they_spell_out():
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 2))
    for mode, pairs in (("VALID", [(0, 0)] * 2), ("FULL", [(2, 2)] * 2), ("SAME", [(1, 1)] * 2)):
        bc.set_seed(0)
        first = bc.Convolution(2, 3, 3, padding=mode, dtype=tf.float64)
        bc.set_seed(0)
        second = bc.Convolution(2, 3, 3, padding=pairs, dtype=tf.float64)
        np.testing.assert_allclose(first(x), second(x), rtol=1e-12)


@pytest.mark.parametrize("strides", [1, 3])
def test_pairs_of_zeros_are_valid_padding_in_a_transposed_convolution_too(strides):
    x = np.random.default_rng(0).normal(size=(2, 5, 2))
    layers = []
    for padding in ("VALID", [(0, 0)]):
        bc.set_seed(0)
        layers.append(bc.ConvolutionTranspose(2, 3, 2, rank=1, strides=strides, padding=padding, dtype=tf.float64))
    np.testing.assert_allclose(layers[0](x), layers[1](x), rtol=1e-12)

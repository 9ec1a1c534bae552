"""Claims about the transposed convolution: it is the transpose, its lengths, and its refusals."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import bayesconv as bc

RNG = np.random.default_rng(0)


def test_its_arguments_are_those_of_a_convolution_and_the_output_padding():
    convolution = list(inspect.signature(bc.Convolution.__init__).parameters)
    transposed = inspect.signature(bc.ConvolutionTranspose.__init__).parameters
    assert [name for name in transposed if name != "output_padding"] == convolution
    assert transposed["output_padding"].default is None


@pytest.mark.parametrize("padding", ["VALID", "SAME", [(1, 0), (2, 1)]])
@pytest.mark.parametrize("strides", [1, 2, (3, 1)])
@pytest.mark.parametrize("groups", [1, 2])
def test_it_is_the_transpose_of_the_convolution(padding, strides, groups):
    # <conv(x), y> = <x, transpose(y)>, with the kernels' channels swapped group by group.
    x, kernel = RNG.normal(size=(2, 7, 7, 4)), RNG.normal(size=(3, 2, 4 // groups, 6))
    convolved = reference.convolution(x, kernel, strides, padding, groups=groups)
    y = RNG.normal(size=convolved.shape)
    split = kernel.reshape(3, 2, 4 // groups, groups, 6 // groups)
    swapped = np.moveaxis(split, 2, 4).reshape(3, 2, groups, 6 // groups, 4 // groups)
    swapped = np.moveaxis(swapped, 2, 3).reshape(3, 2, 6 // groups, 4)
    stride = np.broadcast_to(strides, 2)
    # the output padding that leads back to 7 positions
    lengths = [
        reference.transposed_length(n, r, int(s), p, 0)[1]
        for n, r, s, p in zip(
            y.shape[1:3], (3, 2), stride, (padding,) * 2 if isinstance(padding, str) else padding, strict=True
        )
    ]
    extra = tuple(7 - length for length in lengths)
    if not all(0 <= e < s for e, s in zip(extra, stride, strict=True)):
        pytest.skip("Keras' rule for SAME and even filters: no output padding leads back")
    layer = bc.ConvolutionTranspose(
        6, 4, (3, 2), strides=strides, padding=padding, groups=groups, output_padding=extra, use_bias=False,
        dtype=tf.float64,
    )  # fmt: skip
    layer.kernel.assign(swapped)
    transposed = layer(y).numpy()
    assert transposed.shape == x.shape
    np.testing.assert_allclose(np.sum(convolved * y), np.sum(x * transposed), rtol=1e-10)


@settings(deadline=None, derandomize=True, max_examples=40, database=None)
@given(data=st.data())
def test_values_equal_keras(data):
    rank = data.draw(st.integers(1, 3))
    strides = data.draw(st.sampled_from([1, 2, 3]))
    filters = tuple(data.draw(st.integers(1, 4)) for _ in range(rank))
    padding = data.draw(st.sampled_from(["valid", "same"]))
    extra = data.draw(st.sampled_from([None, *range(strides)]))
    if padding == "same" and extra == 0 and any(size % 2 == 0 for size in filters):
        extra = None  # Keras' layer raises there
    if padding == "same" and extra is not None and any((size % 2 + extra) > strides for size in filters):
        extra = None
    kind = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)[rank - 1]
    other = kind(3, filters, strides=strides, padding=padding, output_padding=extra)
    x = RNG.normal(size=(2, *[4] * rank, 2)).astype(np.float32)
    expected = other(x)
    layer = bc.ConvolutionTranspose(2, 3, filters, rank, strides, padding, output_padding=extra)
    layer.kernel.assign(tf.linalg.matrix_transpose(other.kernel))
    assert layer(x).shape == expected.shape
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_lengths_as_the_docstring_states_them(stride, reach):
    x = np.zeros([1, 5, 1])

    def length(padding, **options):
        return bc.ConvolutionTranspose(1, 1, reach, 1, stride, padding, dtype=tf.float64, **options)(x).shape[1]

    assert length("VALID") == 4 * stride + max(reach, stride)
    assert length("SAME") == length("CAUSAL") == 5 * stride
    for extra in range(stride):
        for padding in ("VALID", [(0, 0)]):
            assert length(padding, output_padding=extra) == 4 * stride + reach + extra
        assert length("CAUSAL", output_padding=extra) == 4 * stride + 1 + extra
        if reach % 2:
            assert length("SAME", output_padding=extra) == 4 * stride + 1 + extra


def test_a_transposed_convolution_and_its_convolution_agree_on_lengths():
    for stride in (1, 2, 3):
        for padding in ("VALID", "SAME", "CAUSAL", [(1, 0)]):
            for extra in range(stride):
                up = bc.ConvolutionTranspose(1, 1, 3, 1, stride, padding, output_padding=extra)
                down = bc.Convolution(1, 1, 3, 1, stride, padding)
                assert down(up(tf.zeros([1, 5, 1]))).shape == (1, 5, 1)


# Refusals.


@pytest.mark.parametrize("mode", ["REFLECT", "symmetric"])
def test_there_is_nothing_to_mirror(mode):
    with pytest.raises(
        ValueError, match=rf"has no {mode.upper()} padding: what it would mirror is its output\. Use 'SAME'"
    ):
        bc.ConvolutionTranspose(1, 1, 3, padding=mode)


@pytest.mark.parametrize("wrong", [2, -1, (0, 2), (0,), (0, 0, 0), "1"])
def test_an_output_padding_is_smaller_than_the_stride(wrong):
    with pytest.raises(
        ValueError, match=r"`output_padding` is a number of positions smaller than the stride.*Received ou"
    ):
        bc.ConvolutionTranspose(1, 1, 3, strides=2, output_padding=wrong)


def test_an_output_padding_is_an_integer():
    with pytest.raises(ValueError, match=r"`output_padding` .*Received output_padding=0\.5"):
        bc.ConvolutionTranspose(1, 1, 3, strides=2, output_padding=0.5)


# The length would be negative or zero, which slicing takes for something else.
@pytest.mark.parametrize(
    ("num", "options"),
    [
        (1, {"filter_shape": 2, "padding": [(0, 3)]}),
        (2, {"filter_shape": 4, "padding": "FULL"}),
        (1, {"filter_shape": 4, "padding": "SAME", "strides": 2, "output_padding": 0}),
    ],
)
def test_a_crop_that_leaves_nothing_is_refused(num, options):
    layer = bc.ConvolutionTranspose(1, 1, rank=1, name="up", **options)
    with pytest.raises(ValueError, match=r"`up`.*Received inputs of shape \(2,"):
        layer(tf.zeros([2, num, 1]))


def test_a_one_by_one_with_stride_leaves_zeros_between():
    layer = bc.ConvolutionTranspose(2, 3, 1, strides=3, use_bias=False, dtype=tf.float64)
    x = RNG.normal(size=(2, 3, 3, 2))
    y = layer(x).numpy()
    np.testing.assert_allclose(y[:, ::3, ::3], x @ layer.kernel.numpy()[0, 0], rtol=1e-12)
    y[:, ::3, ::3] = 0
    assert not y.any()

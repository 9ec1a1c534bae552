"""Claims about calling users' factories: in the order they were written for, and never by trial."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from bayesconv.signatures import call_factory, is_factory

OPTIONS = {
    "init_kernel_fn": "ik",
    "init_bias_fn": "ib",
    "kernel_batch_ndims": 1,
    "bias_batch_ndims": 2,
    "dtype": "f",
    "kernel_name": "kn",
    "bias_name": "bn",
    "fan_in": 9,
    "layer_name": "ln",
    "layer_kind": "lk",
}
OWN = {"fan_in", "layer_name", "layer_kind"}  # what no factory of TFP's knows
SHAPES = ((2, 3), (3,))


def _call(function, **changes):
    return call_factory(function, SHAPES, {**OPTIONS, **changes})


def test_the_new_order_by_names():
    def new(kernel_shape, bias_shape, init_kernel_fn=None, init_bias_fn=None, kernel_batch_ndims=0,
            bias_batch_ndims=0, dtype="d", kernel_name="k", bias_name="b"):  # fmt: skip
        return locals()

    options = {key: value for key, value in OPTIONS.items() if key not in OWN}
    assert _call(new) == {"kernel_shape": (2, 3), "bias_shape": (3,), **options}


def test_the_old_order_by_its_own_names():
    def old(kernel_shape, bias_shape, dtype="d", kernel_initializer=None, bias_initializer=None, kernel_name="k",
            bias_name="b"):  # fmt: skip
        return dtype, kernel_initializer, bias_initializer, kernel_name, bias_name

    assert _call(old) == ("f", "ik", "ib", "kn", "bn")


def test_unknown_names_are_read_by_their_number_in_either_order():
    assert _call(lambda k, b, c, d, e, f, g: (c, d, e, f, g)) == ("f", "ik", "ib", "kn", "bn")
    assert _call(lambda k, b, c, d, e, f, g, h, i: (c, d, e, f, g, h, i)) == ("ik", "ib", 1, 2, "f", "kn", "bn")


def test_positional_only_parameters_are_read_by_their_number():
    def old(kernel_shape, bias_shape, dtype, init_kernel_fn, init_bias_fn, kernel_name, bias_name, /):
        return dtype, init_kernel_fn, init_bias_fn, kernel_name, bias_name

    assert _call(old) == ("f", "ik", "ib", "kn", "bn")


def test_some_of_the_options_by_name_in_any_order():
    assert _call(lambda kernel_shape, bias_shape, dtype: dtype) == "f"
    assert _call(lambda kernel_shape, bias_shape, *, fan_in, dtype: (fan_in, dtype)) == (9, "f")
    assert _call(lambda kernel_shape, bias_shape, layer_kind, layer_name: (layer_name, layer_kind)) == ("ln", "lk")
    assert _call(lambda kernel_shape, bias_shape: (kernel_shape, bias_shape)) == SHAPES


def test_parameters_with_defaults_that_are_not_ours_keep_them():
    assert _call(lambda kernel_shape, bias_shape, dtype, stddev=0.1: (dtype, stddev)) == ("f", 0.1)
    bound = functools.partial(lambda kernel_shape, bias_shape, dtype, stddev: (dtype, stddev), stddev=0.2)
    assert _call(bound) == ("f", 0.2)


def test_a_none_is_left_out_where_the_factory_has_a_default():
    def factory(kernel_shape, bias_shape, init_kernel_fn="mine", init_bias_fn=None, *, kernel_name):
        return init_kernel_fn, init_bias_fn, kernel_name

    assert _call(factory, init_kernel_fn=None) == ("mine", "ib", "kn")
    assert _call(factory, kernel_name=None) == ("ik", "ib", None)


def test_an_initializer_of_none_is_glorot_uniform_or_zeros_where_it_is_required():
    def by_name(kernel_shape, bias_shape, dtype, kernel_initializer, bias_initializer):
        return kernel_initializer([3, 4], tf.float32), bias_initializer([4], tf.float32)

    for factory in (by_name, lambda k, b, t, ki, bi, kn, bn: (ki([3, 4], tf.float32), bi([4], tf.float32))):
        kernel, bias = _call(factory, init_kernel_fn=None, init_bias_fn=None)
        assert 0 < np.abs(kernel).max() <= np.sqrt(6 / 7)
        np.testing.assert_array_equal(bias, np.zeros(4))


def test_keywords_get_tfps_options_and_can_be_handed_on():
    options = {key: value for key, value in OPTIONS.items() if key not in OWN}
    assert _call(lambda kernel_shape, bias_shape, **kwargs: kwargs) == options
    named = _call(lambda kernel_shape, bias_shape, kernel_initializer, **kwargs: (kernel_initializer, kwargs))
    assert named == ("ik", {key: value for key, value in options.items() if key != "init_kernel_fn"})
    assert _call(lambda kernel_shape, bias_shape, fan_in=None, **kwargs: (fan_in, kwargs)) == (9, options)
    assert "init_kernel_fn" not in _call(lambda k, b, **kwargs: kwargs, init_kernel_fn=None)


def test_a_signature_of_another_kind_is_named():
    def strange(kernel_shape, bias_shape, depth):
        raise AssertionError("must not be called")

    with pytest.raises(TypeError, match=r"strange\(kernel_shape, bias_shape, depth\), whose \['depth'\] are none"):
        _call(strange)


def test_an_error_of_the_factory_is_its_own_and_comes_once():
    calls = []

    def broken(kernel_shape, bias_shape, dtype):
        calls.append(dtype)
        raise TypeError("its own")

    with pytest.raises(TypeError, match="its own"):
        _call(broken)
    assert calls == ["f"]


def test_what_is_a_factory():
    assert is_factory(lambda kernel_shape, bias_shape: None)
    assert not is_factory(lambda specs, *, scale=1.0: None)

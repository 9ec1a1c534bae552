"""Claims about the pair of weights and what is known of one before it exists."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv.weights import fan_in_of

tfd = tfp.distributions


@pytest.mark.parametrize(
    "value",
    [(1, 2), [1, 2], {"kernel": 1, "bias": 2}, types.SimpleNamespace(kernel=1, bias=2), bc.KernelBias(1, 2)],
)
def test_every_form_of_a_pair_is_parsed(value):
    parsed = bc.as_kernel_bias(value)
    assert parsed == bc.KernelBias(kernel=1, bias=2)
    assert isinstance(parsed, bc.KernelBias)


@pytest.mark.parametrize("value", [(1,), [1, None], {"kernel": 1}, types.SimpleNamespace(kernel=1)])
def test_without_a_bias_it_is_none(value):
    assert bc.as_kernel_bias(value) == bc.KernelBias(1, None)


def test_joint_distributions_are_parsed_into_their_parts():
    parts = [tfd.Normal(tf.zeros(3), 1.0), tfd.Normal(0.0, 1.0)]
    assert tuple(bc.as_kernel_bias(tfd.JointDistributionSequential(parts))) == tuple(parts)
    named = bc.as_kernel_bias(tfd.JointDistributionNamed({"bias": parts[1], "kernel": parts[0]}))
    assert tuple(named) == tuple(parts)


def test_parts_that_a_coroutine_makes_are_parsed_if_they_are_independent():
    loc = tf.Variable(0.0)

    @tfd.JointDistributionCoroutine
    def joint():
        yield tfd.JointDistributionCoroutine.Root(tfd.Sample(tfd.Normal(loc, 1.0), [3]))
        yield tfd.JointDistributionCoroutine.Root(tfd.Normal(tf.constant(2.0), 1.0))

    kernel, bias = bc.as_kernel_bias(joint)
    assert (kernel.distribution.loc is loc, float(bias.loc)) == (True, 2.0)


def test_joint_distributions_of_dependent_parts_are_refused():
    @tfd.JointDistributionCoroutine
    def coroutine():
        kernel = yield tfd.JointDistributionCoroutine.Root(tfd.Sample(tfd.Normal(0.0, 1.0), [3]))
        yield tfd.Sample(tfd.Normal(tf.reduce_sum(kernel), 1.0), [2])

    sequential = tfd.JointDistributionSequential([tfd.Normal(0.0, 1.0), lambda kernel: tfd.Normal(kernel, 1.0)])
    for joint in (coroutine, sequential):
        with pytest.raises(ValueError, match=r"are independent.*Received one whose parts depend on a draw; use two"):
            bc.as_kernel_bias(joint)


@pytest.mark.parametrize("value", [3, (1, 2, 3), (), {"weights": 1}, "kernel", None])
def test_what_is_no_pair_is_refused(value):
    with pytest.raises(TypeError, match=r"A kernel and a bias come as a pair.*Received .* of type"):
        bc.as_kernel_bias(value)


@pytest.mark.parametrize("make", [tf.constant, np.asarray, tf.Variable])
def test_a_single_array_is_refused_without_its_numbers(make):
    with pytest.raises(TypeError, match=r"Received one \w+ of shape \(64, 10\) and dtype float32\.$") as failure:
        bc.as_kernel_bias(make(np.zeros([64, 10], np.float32)))
    assert len(str(failure.value)) < 300


def test_a_function_of_pairs_leaves_a_missing_bias_missing():
    add = lambda a, b: a + b  # noqa: E731
    assert bc.map_kernel_bias(add, bc.KernelBias(1, 2), bc.KernelBias(10, 20)) == bc.KernelBias(11, 22)
    assert bc.map_kernel_bias(add, bc.KernelBias(1, None), bc.KernelBias(10, None)) == bc.KernelBias(11, None)
    assert bc.map_kernel_bias(add, bc.KernelBias(1, 2), bc.KernelBias(10)) == bc.KernelBias(11, None)


def test_the_fan_in_leaves_out_batch_and_output_dimensions():
    assert fan_in_of((3, 3, 16, 32)) == 144
    assert fan_in_of((7, 3, 3, 16, 32), batch_ndims=1) == 144
    assert fan_in_of((5, 2)) == 5


def test_the_he_standard_deviation():
    spec = bc.WeightSpec((3, 3, 16, 32), tf.float32, fan_in=144)
    assert spec.he_stddev == math.sqrt(2 / 144)
    assert bc.WeightSpec((1,), tf.float32, fan_in=0).he_stddev == math.sqrt(2)

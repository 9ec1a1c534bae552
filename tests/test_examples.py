"""Claims about batches that are too small."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.examples import at_least, never_empty


@pytest.mark.parametrize("num", [0, 1, 3, 5])
@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_what_is_made_of_the_examples_is_that_of_the_inputs(num, is_known, jit_compile):
    x = tf.constant(np.random.default_rng(0).normal(size=[num, 2]))

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            examples, restored = at_least(x, 3)
            outputs = restored(tf.concat([examples, examples**2], axis=1))
        return tf.shape(examples)[0], outputs, tape.gradient(outputs, x)

    spec = tf.TensorSpec([num if is_known else None, 2], tf.float64)
    count, outputs, gradient = tf.function(run, input_signature=[spec], jit_compile=jit_compile)(x)
    assert count == max(num, 3)
    np.testing.assert_allclose(outputs, np.concatenate([x, x**2], axis=1))
    np.testing.assert_allclose(gradient, 1 + 2 * x)


def test_enough_examples_are_handed_on_as_they_are():
    x = tf.zeros([3, 2])
    examples, restored = at_least(x, 3)
    assert examples is x
    assert restored(x) is x


def test_where_no_batch_is_empty_one_example_is_not_asked_for():
    def handed_on(count):
        return lambda x: at_least(x, count)[0] is x

    spec = [tf.TensorSpec([None, 2])]
    with never_empty():
        for count, expected in ((1, True), (2, False)):
            assert bool(tf.function(handed_on(count), spec)(tf.zeros([3, 2]))) is expected
    assert not tf.function(handed_on(1), spec)(tf.zeros([3, 2]))


def test_a_layer_gives_the_same_in_half_the_operations_where_no_batch_is_empty():
    bc.set_seed(0)
    layer, x = bc.Convolution(1, 2, 3), tf.random.stateless_normal([3, 5, 5, 1], [0, 1])
    anyway = tf.function(layer, [tf.TensorSpec([None, 5, 5, 1])], autograph=False)
    outputs = anyway(x)
    with never_empty():
        fewer = tf.function(layer, [tf.TensorSpec([None, 5, 5, 1])], autograph=False)
        np.testing.assert_array_equal(fewer(x), outputs)
    assert anyway(x[:0]).shape == [0, 3, 3, 2]
    names = [{op.type for op in f.get_concrete_function().graph.get_operations()} for f in (anyway, fewer)]
    assert "PartitionedCall" in names[0] - names[1]

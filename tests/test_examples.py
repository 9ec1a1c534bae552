"""Claims about batches that are too small."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bayesconv.examples import at_least


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

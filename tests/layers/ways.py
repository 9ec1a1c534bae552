"""Every way of running a layer gives the same numbers: what the tests of single layers share."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

SEED = tf.constant([3, 4])


def inputs_of(shape, num=3, dtype=tf.float32):
    """The same normal numbers in every type."""
    return tf.cast(tf.constant(np.random.default_rng(num).normal(size=(num, *shape)), tf.float32), dtype)


def check_every_way(make, shape, *, is_training=True, half_precision=2e-2):
    """Eagerly, compiled for every batch size, by XLA, in other types, on no examples, and with gradients."""

    def run(x):
        return layer(x, seed=SEED, is_training=is_training)

    layer, x = make(tf.float32), inputs_of(shape)
    expected = run(x)
    assert np.isfinite(expected).all()
    compiled = tf.function(run, input_signature=[tf.TensorSpec([None, *shape])])
    for num in (3, 2, 0):
        few = inputs_of(shape, num)
        np.testing.assert_allclose(compiled(few), run(few), rtol=1e-5, atol=1e-5)
    assert compiled.experimental_get_tracing_count() == 1
    assert compiled(x[:0]).shape == (0, *expected.shape[1:])
    assert compiled.get_concrete_function().structured_outputs.shape[1:] == expected.shape[1:]
    np.testing.assert_allclose(tf.function(run, jit_compile=True, autograph=False)(x), expected, rtol=1e-5, atol=1e-5)
    wide = make(tf.float64)(tf.cast(x, tf.float64), seed=SEED, is_training=is_training)
    assert wide.dtype == tf.float64
    np.testing.assert_allclose(wide, expected, rtol=1e-4, atol=1e-5)
    narrow = tf.cast(x, tf.bfloat16)
    halves = run(narrow)
    assert halves.dtype == tf.bfloat16
    reference = run(tf.cast(narrow, tf.float32))
    np.testing.assert_allclose(tf.cast(halves, tf.float32), reference, rtol=half_precision, atol=half_precision)
    check_gradients(layer, x, run)


def check_gradients(layer, x, run):
    """Finite and somewhere not zero, eagerly and by XLA, for the inputs and every trainable variable."""

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = run(x)
            weights = tf.constant(np.sin(np.arange(y.shape.num_elements())).reshape(y.shape), y.dtype)
            loss = tf.reduce_sum(weights * y * y)
        return tape.gradient(loss, [x, *layer.trainable_variables])

    jitted = tf.function(gradients, jit_compile=True, autograph=False)
    for eager, compiled in zip(gradients(x), jitted(x), strict=True):
        assert np.isfinite(eager).all()
        assert np.abs(eager).max() > 1e-6
        np.testing.assert_allclose(compiled, eager, rtol=1e-3, atol=1e-4)

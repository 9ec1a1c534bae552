"""Claims about initial values: their variance, and that batch dimensions do not count."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bayesconv import initializers

FAN_IN, FAN_OUT = 9 * 40, 9 * 70
SHAPE = (3, 3, 40, 70)
CASES = {
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "he_uniform": 2 / FAN_IN,
    "he_normal": 2 / FAN_IN,
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch_shape", [(), (2,)])
def test_the_variance_is_that_of_one_kernel_of_the_batch(name, batch_shape):
    initializer = getattr(initializers, name)(seed=1)
    value = initializer((*batch_shape, *SHAPE), tf.float64, len(batch_shape)).numpy()
    np.testing.assert_allclose(value.var(), CASES[name], rtol=0.03)
    np.testing.assert_allclose(value.mean(), 0, atol=4 * np.sqrt(CASES[name] / value.size))
    bound = np.sqrt(3 * CASES[name])
    assert (np.abs(value).max() <= bound) == name.endswith("uniform")
    assert value.dtype == np.float64
    assert initializer.__name__ == name


def test_a_seed_repeats_and_without_one_values_differ():
    seeded = initializers.he_normal(seed=3)
    np.testing.assert_array_equal(seeded((2, 3)), seeded((2, 3)))
    assert np.abs(initializers.he_normal()((2, 3)) - initializers.he_normal()((2, 3))).max() > 1e-3


def test_zeros():
    np.testing.assert_array_equal(initializers.zeros()((2, 3), tf.float64), np.zeros((2, 3)))


def test_an_initializer_is_called_with_what_it_takes():
    seen = []

    def plain(shape, dtype):
        seen.append((shape, dtype))
        return tf.ones(shape, dtype)

    def full(shape, dtype, batch_ndims, seed):
        seen.append((shape, dtype, batch_ndims, seed))
        return np.ones(shape)

    for initializer in (plain, full):
        value = initializers.initial_value(initializer, (2, 3), tf.float32, 1, 5)
        assert value.dtype == tf.float32
    assert seen == [((2, 3), tf.float32), ((2, 3), tf.float32, 1, 5)]


def test_keras_initializers_work():
    value = initializers.initial_value(tf.keras.initializers.Constant(0.5), (2, 3), tf.float64, 0, 1)
    np.testing.assert_array_equal(value, np.full((2, 3), 0.5))


def test_a_value_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"the shape it is asked for\. Received shape \(3,\) .* instead of \(2, 3\)"):
        initializers.initial_value(lambda shape, dtype: tf.zeros([3]), (2, 3), tf.float32, 0, None)

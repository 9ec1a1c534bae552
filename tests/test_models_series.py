"""Claims about the network for series."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import models


def _linear(model):
    return {part.name: part for part in model.submodules if isinstance(part, bc.layers.Linear)}


def test_the_layers_are_those_of_the_definition():
    layers = _linear(models.cnn1d((100, 6), 4))
    assert {name: layer.kernel_shape for name, layer in layers.items()} == {
        "conv1": (5, 6, 32), "conv2": (5, 32, 64), "conv3": (5, 64, 64), "head": (64, 4),
    }  # fmt: skip
    assert all(layer.activation_fn is (None if name == "head" else tf.nn.relu) for name, layer in layers.items())


def test_it_is_what_the_definition_computes():
    model = models.cnn1d((11, 2), 3, dtype=tf.float64, filters=(4, 5), kernel_size=3)
    x = np.random.default_rng(0).normal(size=(6, 11, 2))
    layers = _linear(model)

    def conv(inputs, layer):
        k, b = layer.kernel.numpy(), layer.bias.numpy()
        padded = np.pad(inputs, ((0, 0), (1, 1), (0, 0)))
        return np.maximum(sum(padded[:, i : i + inputs.shape[1]] @ k[i] for i in range(3)) + b, 0)

    hidden = conv(x, layers["conv1"])[:, :10].reshape(6, 5, 2, 4).max(axis=2)
    pooled = conv(hidden, layers["conv2"]).mean(axis=1)
    np.testing.assert_allclose(model(x), pooled @ layers["head"].kernel + layers["head"].bias, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_it_takes_series_of_any_length(length):
    model = models.cnn1d((length, 3), 2, bc.make_kernel_bias_flipout)
    logits = model(np.random.default_rng(0).normal(size=(4, length, 3)).astype(np.float32))
    assert logits.shape == (4, 2)
    assert float(model.extra_loss) > 0


def test_a_shift_in_time_that_stays_inside_changes_nothing():
    model = models.cnn1d((64, 1), 3, filters=(4, 4), kernel_size=3)
    x = np.zeros([2, 64, 1], np.float32)
    x[0, 20:26, 0] = x[1, 30:36, 0] = [1, -1, 2, 0.5, -2, 1]  # by a multiple of the pooling
    logits = model(x).numpy()
    np.testing.assert_allclose(logits[0], logits[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((28, 28, 1), {}, r"takes series \[T, C\]\. Received \[28, 28, 1\]"),
        ((0, 3), {}, r"takes series"),
        ((9, 3), {"filters": ()}, r"`filters` and `kernel_size`"),
        ((9, 3), {"filters": (4, 0)}, r"`filters` and `kernel_size`"),
        ((9, 3), {"kernel_size": 2.5}, r"`filters` and `kernel_size`"),
    ],
)
def test_what_does_not_fit_is_refused(shape, options, message):
    with pytest.raises(ValueError, match=message):
        models.cnn1d(shape, 2, **options)

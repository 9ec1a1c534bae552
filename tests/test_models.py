"""Claims about the networks that a configuration can name; tests/test_models_unet.py has those about the U-Net."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import models

# Layers by name: shape of the kernel for 28x28x1 images and ten classes.
KERNELS = {
    "lenet5": {
        "conv1": (5, 5, 1, 6),
        "conv2": (5, 5, 6, 16),
        "conv3": (5, 5, 16, 120),
        "dense1": (7 * 7 * 120, 84),
        "head": (84, 10),
    },
    "small_cnn": {
        "conv1": (5, 5, 1, 16),
        "conv2": (5, 5, 16, 32),
        "dense1": (7 * 7 * 32, 128),
        "head": (128, 10),
    },
    "digits_cnn": {
        "conv1": (3, 3, 1, 16),
        "conv2": (3, 3, 16, 32),
        "conv3": (3, 3, 32, 32),
        "head": (14 * 14 * 32, 10),
    },
    "resnet20": {
        "stem": (3, 3, 1, 16),
        **{f"block{i}_conv{j}": (3, 3, 16, 16) for i in (1, 2, 3) for j in (1, 2)},
        "block4_conv1": (3, 3, 16, 32),
        "block4_projection": (1, 1, 16, 32),
        "block4_conv2": (3, 3, 32, 32),
        **{f"block{i}_conv{j}": (3, 3, 32, 32) for i in (5, 6) for j in (1, 2)},
        "block7_conv1": (3, 3, 32, 64),
        "block7_projection": (1, 1, 32, 64),
        "block7_conv2": (3, 3, 64, 64),
        **{f"block{i}_conv{j}": (3, 3, 64, 64) for i in (8, 9) for j in (1, 2)},
        "head": (64, 10),
    },
}

STRIDED = {f"block{i}_{part}" for i in (4, 7) for part in ("conv1", "projection")}


def _linear(model):
    return {part.name: part for part in model.submodules if isinstance(part, bc.layers.Linear)}


@pytest.mark.parametrize("name", KERNELS)
def test_the_layers_are_those_of_the_definition(name):
    layers = _linear(models.get(name)((28, 28, 1), 10))
    assert {key: layer.kernel_shape for key, layer in layers.items()} == KERNELS[name]
    for key, layer in layers.items():
        if name != "resnet20":  # whose activations come after the normalization
            assert layer.activation_fn is (None if key == "head" else tf.nn.relu)
        if key.startswith(("conv", "stem", "block")):
            assert layer.linear_op.padding.mode == "SAME"
            assert set(layer.linear_op.strides) == {2 if key in STRIDED else 1}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("input_shape", [(8, 8, 1), (9, 5, 3)])
def test_every_model_takes_every_image_size_channel_count_and_class_count(name, input_shape):
    model = models.get(name)(input_shape, 7, bc.make_kernel_bias_flipout, tf.float64)
    x = np.random.default_rng(0).normal(size=(3, *input_shape))
    logits = model(x)
    assert logits.shape == (3, 7)
    assert logits.dtype == tf.float64
    assert np.ptp(logits, axis=0).min() > 0  # every output depends on the image
    assert all(layer.posterior is not None for layer in _linear(model).values())
    assert float(model.extra_loss) > 0


def test_the_forward_pass_of_the_small_cnn_is_what_its_definition_says():
    model = models.small_cnn((8, 8, 2), 3)
    layers = _linear(model)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 8, 8, 2)), tf.float32)
    hidden = x
    for name in ("conv1", "conv2"):
        hidden = tf.nn.conv2d(hidden, layers[name].kernel, 1, "SAME") + layers[name].bias
        hidden = tf.nn.max_pool2d(tf.nn.relu(hidden), 2, 2, "VALID")
    hidden = tf.reshape(hidden, [2, -1])
    hidden = tf.nn.relu(hidden @ layers["dense1"].kernel + layers["dense1"].bias)
    expected = hidden @ layers["head"].kernel + layers["head"].bias
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


def test_filters_of_the_digits_model_are_an_option():
    model = models.resolve({"name": "digits_cnn", "filters": [4, 5]})((8, 8, 1), 10)
    assert [layer.kernel_shape for layer in _linear(model).values()] == [(3, 3, 1, 4), (3, 3, 4, 5), (4 * 4 * 5, 10)]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("input_shape", [(1, 8, 1), (8, 8), (8, 8, 0)])
def test_images_that_are_too_small_or_no_images_are_refused(name, input_shape):
    with pytest.raises(ValueError, match=r"takes images \[H, W, C\] at least [24] pixels high and wide\. Received \["):
        models.get(name)(input_shape, 10)


@pytest.mark.parametrize("normalization", ["batch", "batch_recalibrated", "filter_response", "group"])
def test_resnet20_is_that_of_the_paper_with_every_normalization(normalization):
    model = models.resolve({"name": "resnet20", "normalization": normalization})((32, 32, 3), 10)
    assert model(tf.zeros([2, 32, 32, 3])).shape == (2, 10)
    convolutions = sum(int(tf.size(layer.kernel)) for layer in _linear(model).values())
    projections = 16 * 32 + 32 * 64
    assert convolutions - projections == 432 + 6 * 2304 + 4608 + 5 * 9216 + 18432 + 5 * 36864 + 640
    with pytest.raises(ValueError, match=r"Unknown normalization 'bacth'.*Did you mean 'batch'"):
        models.resolve({"name": "resnet20", "normalization": "bacth"})((32, 32, 3), 10)


def test_a_residual_block_of_resnet20_adds_its_input():
    model = models.get("resnet20")((8, 8, 1), 3)
    block = next(part for part in model.layers if getattr(part, "name", "") == "block2")
    for layer in _linear(block).values():
        layer.kernel.assign(tf.zeros_like(layer.kernel))
    x = tf.constant(np.random.default_rng(0).normal(size=[1, 4, 4, 16]), tf.float32)
    np.testing.assert_allclose(block(x), tf.nn.relu(x), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "estimator"),
    [
        *(("small_cnn", name) for name in ("flipout", "automatic")),
        # Whose estimators and blocks are compiled by themselves: tests/test_estimators.py, tests/layers/test_blocks.py
        *(pytest.param("small_cnn", name, marks=pytest.mark.full) for name in ("sliced", "antithetic")),
        pytest.param("resnet20", "flipout", marks=pytest.mark.full),
    ],
)
def test_xla_compiles_a_model_for_unknown_batch_sizes(name, estimator):
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=estimator)
    model = models.get(name)((8, 8, 1), 3, factory)
    compiled = tf.function(
        lambda x: model(x, seed=1),
        input_signature=[tf.TensorSpec([None, 8, 8, 1])],
        jit_compile=True,
        autograph=False,
    )
    x = tf.constant(np.random.default_rng(0).normal(size=[3, 8, 8, 1]), tf.float32)
    np.testing.assert_allclose(compiled(x), model(x, seed=1), rtol=1e-3, atol=1e-4)

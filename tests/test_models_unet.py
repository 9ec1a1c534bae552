"""Claims about the network that gives every pixel a class."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import models
from bayesconv.moments import propagate

SMALL = {"filters": (2, 3)}


def _linear(model):
    return {part.name: part for part in model.submodules if isinstance(part, bc.layers.Linear)}


def _images(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def _randomized(model):
    """Biases too, which begin at zero."""
    for index, variable in enumerate(model.trainable_variables):
        variable.assign_add(0.1 * _images(*variable.shape, seed=index))
    return model


def test_the_layers_are_those_of_the_definition():
    layers = _linear(models.unet((32, 32, 3), 5))
    assert {name: layer.kernel_shape for name, layer in layers.items()} == {
        "down1_conv1": (3, 3, 3, 16),
        "down1_conv2": (3, 3, 16, 16),
        "down2_conv1": (3, 3, 16, 32),
        "down2_conv2": (3, 3, 32, 32),
        "down3_conv1": (3, 3, 32, 64),
        "down3_conv2": (3, 3, 64, 64),
        "up2_transpose": (2, 2, 64, 32),
        "up2_conv1": (3, 3, 64, 32),
        "up2_conv2": (3, 3, 32, 32),
        "up1_transpose": (2, 2, 32, 16),
        "up1_conv1": (3, 3, 32, 16),
        "up1_conv2": (3, 3, 16, 16),
        "head": (1, 1, 16, 5),
    }


def test_the_forward_pass_is_what_the_definition_says():
    model = _randomized(models.unet((8, 6, 1), 4, **SMALL))
    layers, x = _linear(model), _images(2, 8, 6, 1)

    def convolved(inputs, name):
        return tf.nn.relu(tf.nn.conv2d(inputs, layers[name].kernel, 1, "SAME") + layers[name].bias)

    fine = convolved(convolved(x, "down1_conv1"), "down1_conv2")
    coarse = convolved(convolved(tf.nn.max_pool2d(fine, 2, 2, "VALID"), "down2_conv1"), "down2_conv2")
    kernel = tf.transpose(layers["up1_transpose"].kernel, [0, 1, 3, 2])  # TensorFlow has the outputs first
    up = tf.nn.conv2d_transpose(coarse, kernel, [2, 8, 6, 2], 2, "VALID")
    both = tf.concat([fine, up + layers["up1_transpose"].bias], axis=-1)
    hidden = convolved(convolved(both, "up1_conv1"), "up1_conv2")
    expected = tf.einsum("nhwc,ck->nhwk", hidden, layers["head"].kernel[0, 0]) + layers["head"].bias
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


def _reach(model, x, row):
    """First and last row of the inputs that the outputs of a row depend on."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        target = tf.reduce_sum(tf.abs(model(x)[:, row]))
    rows = np.flatnonzero(np.abs(tape.gradient(target, x)).max(axis=(0, 2, 3)))
    return rows.min(), rows.max()


def test_a_pixel_sees_as_far_as_the_way_down_and_up_reaches():
    model, x = _randomized(models.unet((48, 8, 1), 3, **SMALL)), _images(8, 48, 8, 1)
    # Two 3x3 convolutions up and two down: 4 rows. Between them, from row 20 - 2 = 18 to 22, the coarse rows 9 to 11
    # with 2 more on either side, 7 to 13, are pooled from the rows 14 to 27, which see 2 further.
    assert _reach(model, x, 20) == (12, 29)
    transpose = _linear(model)["up1_transpose"]
    transpose.kernel.assign(tf.zeros_like(transpose.kernel))
    assert _reach(model, x, 20) == (16, 24)  # what is left goes over the skip alone


def test_without_its_skip_a_pixel_is_another():
    model, x = _randomized(models.unet((8, 8, 1), 3, **SMALL)), _images(1, 8, 8, 1)
    before, kernel = model(x), _linear(model)["up1_conv1"].kernel
    mask = np.ones(kernel.shape)
    mask[:, :, :2] = 0  # the way down comes first
    kernel.assign(kernel * mask)
    assert np.abs(model(x) - before).max() > 1e-3


@pytest.mark.parametrize(("shift", "is_equivariant"), [(4, True), (8, True), (1, False), (2, False)])
def test_shifts_by_whole_coarse_pixels_shift_the_outputs(shift, is_equivariant):
    model = _randomized(models.unet((72, 72, 1), 3, filters=(2, 3, 4)))
    x = _images(1, 72, 72, 1)
    shifted = model(tf.roll(x, shift, axis=1)).numpy()
    inside = np.s_[:, 30 + shift : 42, 30:42]  # further from borders than a pixel sees
    gap = np.abs(shifted[inside] - np.roll(model(x), shift, axis=1)[inside]).max()
    assert (gap < 1e-5) == is_equivariant


def test_the_penalty_is_the_sum_of_the_layers_divergences():
    model = models.unet((8, 8, 1), 3, bc.make_kernel_bias_flipout, filters=(2, 3))
    model(_images(2, 8, 8, 1), seed=0)
    expected = 0.0
    for layer in _linear(model).values():
        for posterior, prior in zip(layer.posterior, layer.prior, strict=True):
            if posterior is not None:
                expected += np.sum(
                    tfp.distributions.Normal(posterior.mean(), posterior.stddev()).kl_divergence(
                        tfp.distributions.Normal(0.0, prior.stddev())
                    )
                )
    np.testing.assert_allclose(model.extra_loss, expected, rtol=1e-5)


@pytest.mark.parametrize("normalization", [None, "batch", "batch_recalibrated", "filter_response", "group"])
@pytest.mark.parametrize("estimator", ["flipout", "reparameterization"])
def test_gradients_reach_every_variable(normalization, estimator):
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=estimator)
    model = models.unet((8, 8, 2), 3, factory, filters=(4, 8), normalization=normalization)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(_images(2, 8, 8, 2), seed=1)))
    for variable, slope in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
        assert slope is not None, variable.name
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() > 0, variable.name


@pytest.mark.parametrize(("normalization", "is_invariant"), [("filter_response", True), (None, False)])
def test_behind_a_normalization_the_contrast_does_not_matter(normalization, is_invariant):
    model = models.unet((8, 8, 1), 3, filters=(4, 8), normalization=normalization)
    x = 10 * _images(2, 8, 8, 1)
    gap = np.abs(model(5 * x) - model(x)).max()
    assert (gap < 1e-3) == is_invariant


@pytest.mark.parametrize("filters", [(4, 8), (4, 8, 8)])
def test_every_convolution_of_three_by_three_has_its_normalization(filters):
    model = models.unet((8, 8, 1), 3, filters=filters, normalization="group")
    layers = [part for part in model.submodules if isinstance(part, bc.GroupNorm)]
    convolutions = [layer for layer in _linear(model).values() if layer.kernel_shape[:2] == (3, 3)]
    assert len(layers) == len(convolutions) == 4 * len(filters) - 2


def test_a_saved_model_comes_back_with_all_its_options(tmp_path):
    options = {"filters": [2, 4], "normalization": "group", "dropout_rate": 0.25}
    model = models.resolve({"name": "unet", **options})((8, 8, 1), 3, bc.make_kernel_bias_flipout)
    again, x = bc.load_model(bc.save_model(_randomized(model), tmp_path / "m.npz")), _images(2, 8, 8, 1)
    np.testing.assert_array_equal(again(x, seed=3), model(x, seed=3))
    np.testing.assert_array_equal(again(x, seed=3, is_training=False), model(x, seed=3, is_training=False))


def test_dropout_makes_point_weights_a_distribution_of_functions():
    model, x = models.unet((8, 8, 1), 3, filters=(4, 8), dropout_rate=0.5), _images(2, 8, 8, 1)
    draws = [model(x, seed=seed, is_training=False, weights="coherent") for seed in range(3)]
    assert min(np.abs(draws[i] - draws[i - 1]).max() for i in range(3)) > 1e-3
    plain = models.unet((8, 8, 1), 3, filters=(4, 8))
    np.testing.assert_array_equal(plain(x, seed=0, is_training=False), plain(x, seed=1, is_training=False))


def test_predictions_are_averages_over_coherent_functions():
    model, x = models.unet((8, 8, 1), 3, bc.make_kernel_bias_flipout, filters=(4, 8)), _images(3, 8, 8, 1)
    predictive = bc.predict(model, x.numpy(), likelihood="categorical_per_pixel", num_samples=4, seed=0)
    assert predictive.logits.shape == (4, 3, 8, 8, 3)
    np.testing.assert_allclose(predictive.probs, tf.nn.softmax(predictive.logits).numpy().mean(axis=0), atol=1e-6)
    assert predictive.mutual_information.shape == (3, 8, 8)
    assert predictive.mutual_information.min() >= 0
    assert predictive.mutual_information.max() > 1e-3


def test_moments_of_point_weights_are_the_outputs():
    model, x = _randomized(models.unet((8, 8, 1), 3, **SMALL)), _images(2, 8, 8, 1)
    np.testing.assert_allclose(propagate(model, x).mean, model(x), atol=1e-5)


def test_other_sizes_are_taken_if_they_can_be_halved_as_often():
    model = models.unet((8, 8, 1), 3, filters=(2, 3))
    assert model(_images(2, 4, 10, 1)).shape == (2, 4, 10, 3)
    with pytest.raises(ValueError, match=r"`skip1` merges outputs"):
        model(_images(2, 5, 10, 1))


@pytest.mark.parametrize("input_shape", [(30, 32, 1), (32, 30, 1), (2, 4, 1), (32, 32), (32, 32, 0)])
def test_images_that_cannot_be_halved_are_refused(input_shape):
    with pytest.raises(ValueError, match=r"of 3 resolutions .* multiples of 4\. Received \[.*pad or crop"):
        models.unet(input_shape, 3)


@pytest.mark.parametrize("filters", [(16,), (), (8, 0), (8, 16.0)])
def test_filters_of_every_resolution_are_needed(filters):
    with pytest.raises(ValueError, match=r"two resolutions or more\. Received"):
        models.unet((32, 32, 1), 3, filters=filters)


def test_what_its_parts_refuse_it_refuses():
    with pytest.raises(ValueError, match="Unknown normalization 'bacth'"):
        models.unet((8, 8, 1), 3, normalization="bacth")
    with pytest.raises(ValueError, match="probability of a zero"):
        models.unet((8, 8, 1), 3, dropout_rate=1.0)


@pytest.mark.full
def test_xla_compiles_it_for_unknown_batch_sizes():
    model = models.unet((8, 8, 1), 3, bc.make_kernel_bias_flipout, filters=(4, 8))
    spec = [tf.TensorSpec([None, 8, 8, 1])]
    compiled = tf.function(lambda x: model(x, seed=1), input_signature=spec, jit_compile=True, autograph=False)
    x = _images(3, 8, 8, 1)
    np.testing.assert_allclose(compiled(x), model(x, seed=1), rtol=1e-3, atol=1e-4)

"""One pass through whole models: every layer, every type, every batch size, and against sampling."""

from __future__ import annotations

import functools

import bounds
import descriptors
import numpy as np
import oracles
import pytest
import tensorflow as tf
from draws import draws_of

import bayesconv as bc
from bayesconv.moments import Moments, predictive, propagate, rule_of

# Layers that have no moments in a single pass, each with the reason.
REFUSED: dict[str, str] = {}


@pytest.mark.parametrize("descriptor", descriptors.DESCRIPTORS, ids=lambda d: d.name)
def test_every_layer_has_a_rule_that_gives_its_mean_and_a_variance(descriptor):
    layer = descriptor.make(bc.make_kernel_bias_flipout, tf.float32)
    assert rule_of(layer) is not None
    x = descriptor.inputs(3)
    moments = propagate(layer, x)
    assert moments.mean.shape == moments.variance.shape == layer(x, is_training=False).shape
    assert (moments.variance >= 0).numpy().all()
    assert bool(tf.reduce_any(moments.variance > 0)) == descriptor.is_linear
    if not isinstance(layer, bc.Sequential):  # an activation inside of a net moves the mean
        np.testing.assert_allclose(moments.mean, layer(x, is_training=False, weights="mean"), rtol=1e-5, atol=1e-5)


def test_no_public_layer_is_left_out():
    covered = {descriptor.layer_type.__name__ for descriptor in descriptors.DESCRIPTORS}
    assert descriptors.public_layers() - descriptors.ABSTRACT == covered | REFUSED.keys()


@pytest.mark.slow
@pytest.mark.parametrize("descriptor", descriptors.DESCRIPTORS, ids=lambda d: d.name)
def test_random_inputs_pass_every_layer_for_every_batch_size(descriptor):
    layer = descriptor.make(bc.make_kernel_bias_flipout, tf.float32)

    def run(x):
        moments = bc.moments.apply_rule(layer, Moments(x, tf.ones_like(x), 0.5 * tf.ones_like(x)))
        return moments.mean, moments.variance

    compiled = tf.function(run, [tf.TensorSpec([None, *descriptor.input_shape])], autograph=False)
    for num in (1, 3):
        x = descriptor.inputs(num)
        for got, expected in zip(compiled(x), run(x), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
            assert np.isfinite(got).all()
    assert compiled.experimental_get_tracing_count() == 1


def net(dtype=tf.float32, head=bc.Flatten):
    make = functools.partial(bc.make_kernel_bias_flipout, posterior={"name": "mean_field_normal", "initial_scale": 0.1})
    convolution = functools.partial(bc.Convolution, make_kernel_bias_fn=make, dtype=dtype, activation_fn=tf.nn.relu)
    affine = functools.partial(bc.Affine, make_kernel_bias_fn=make, dtype=dtype)
    size = 4 * 4 * 6 if head is bc.Flatten else 6
    layers = [convolution(1, 4, 3, padding="SAME"), bc.MaxPool(2), convolution(4, 6, 3, padding="SAME"), head()]
    return bc.Sequential([*layers, affine(size, 16, activation_fn=tf.nn.relu), affine(16, 3)])


def images(num, dtype=np.float32):
    return np.random.default_rng(num).uniform(size=(num, 8, 8, 1)).astype(dtype)


@pytest.mark.parametrize("head", [bc.Flatten, bc.GlobalAveragePool])
def test_a_net_has_the_moments_of_its_draws_nearly(head):
    model, x = net(head=head), images(8)
    draws = draws_of(model, x, 1000)
    tracked, ignored = (propagate(model, x, covariance=c) for c in ("tracked", "ignored"))
    deviation = np.sqrt(draws.var(axis=0).mean())
    assert np.abs(tracked.mean - draws.mean(axis=0)).max() < 0.35 * deviation
    assert 0.6 < np.mean(tracked.variance) / np.mean(draws.var(axis=0)) < 1.2
    # What positions share adds up in an average of them; weights of both signs may cancel it.
    assert np.mean(ignored.variance) < (1.0 if head is bc.GlobalAveragePool else 1.05) * np.mean(tracked.variance)


def test_two_dense_layers_have_covariances_between_their_outputs():
    make = bc.make_kernel_bias_flipout
    layers = [bc.Affine(4, 12, make_kernel_bias_fn=make), bc.Affine(12, 6, make_kernel_bias_fn=make)]
    model = bc.Sequential([*layers, bc.Affine(6, 3, make_kernel_bias_fn=make)])
    oracles.randomized(model)
    x = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    moments = propagate(model, x)
    draws = draws_of(model, x, 4000)
    assert bounds.compare_means(draws, moments.mean.numpy()).agrees
    for i in range(2):
        exact = np.cov(draws[:, i].T)
        deviations = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
        tracked, apart = moments.covariance[i].numpy(), np.diag(propagate(model, x, covariance="ignored").variance[i])
        assert np.abs(tracked - exact).mean() < 0.5 * np.abs(apart - exact).mean()
        assert (np.abs(tracked - exact) / deviations).max() < 0.3


def test_float64_and_float32_agree_and_half_precision_nearly():
    wide, narrow = net(tf.float64), net()
    for a, b in zip(narrow.variables, wide.variables, strict=True):
        a.assign(tf.cast(b, tf.float32))
    expected = propagate(wide, images(4))
    assert expected.mean.dtype == tf.float64
    got = propagate(narrow, images(4))
    np.testing.assert_allclose(got.mean, expected.mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.variance, expected.variance, rtol=1e-4)
    with bc.compute_dtype("bfloat16"):
        half = propagate(narrow, images(4))
    assert half.mean.dtype == half.variance.dtype == half.covariance.dtype == tf.float32
    np.testing.assert_allclose(half.variance, expected.variance, rtol=0.05)
    assert np.isfinite(predictive(half, bc.likelihoods.categorical()).mean).all()


def test_any_number_of_examples_even_none():
    model = net()
    compiled = tf.function(lambda x: propagate(model, x)[:2], [tf.TensorSpec([None, 8, 8, 1])], autograph=False)
    for num in (5, 1):
        np.testing.assert_allclose(compiled(images(num))[1], propagate(model, images(num)).variance, rtol=1e-4)
    assert compiled(images(5)[:0])[0].shape == (0, 3)
    assert propagate(model, images(5)[:0]).variance.shape == (0, 3)
    np.testing.assert_allclose(propagate(model, images(5)[:2]).mean, propagate(model, images(5)).mean[:2], rtol=1e-4)


def test_gradients_reach_every_variable():
    model = net()
    with tf.GradientTape() as tape:
        moments = propagate(model, images(2))
        total = tf.reduce_sum(moments.mean + moments.variance)
    gradients = tape.gradient(total, model.trainable_variables)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


def test_choices_are_checked_and_hold_for_one_pass():
    with pytest.raises(ValueError, match=r"value of `covariance` 'tracket'.*Did you mean 'tracked'"):
        propagate(net(), images(1), covariance="tracket")
    with pytest.raises(ValueError, match="value of `max_pool`"):
        propagate(net(), images(1), max_pool="clerk")
    model = net()
    clark, larger = (propagate(model, images(2), max_pool=choice) for choice in ("clark", "larger_mean"))
    assert not np.allclose(clark.mean, larger.mean)
    np.testing.assert_array_equal(propagate(model, images(2)).mean, larger.mean)


def test_a_model_of_point_weights_has_no_variance():
    model = bc.models.get("digits_cnn")((8, 8, 1), 10)
    moments = propagate(model, images(2))
    np.testing.assert_allclose(moments.mean, model(images(2), is_training=False), rtol=1e-6)
    np.testing.assert_array_equal(moments.variance, np.zeros([2, 10]))

"""Claims about dropout: how often it drops, what stays together, and which functions a prediction averages over."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import ways
from scipy import stats

import bayesconv as bc
from bayesconv import random

FALSE_ALARMS = 1e-6  # chance that a change of the random sequence, and of nothing else, breaks a z-test
X = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def _agrees(draws, exact):
    """z-test of the means over the first axis, all comparisons together; SE = s / sqrt R."""
    errors = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    threshold = stats.norm.isf(FALSE_ALARMS / (2 * errors.size))
    return np.abs((draws.mean(axis=0) - exact) / errors).max() <= threshold


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_means_stay_and_the_rate_is_what_is_dropped(rate):
    y = bc.Dropout(rate)(tf.ones([40_000, 4], tf.float64), seed=1).numpy()
    assert set(np.unique(y)) == {0.0, 1.0 / (1.0 - rate)}
    assert _agrees(y, 1.0)
    assert _agrees((y == 0).astype(float), rate)
    assert _agrees(np.square(y - 1.0), rate / (1 - rate))  # the variance
    assert not _agrees((y == 0).astype(float), rate + 0.02)  # such a defect would be seen
    assert not _agrees(y * (1 - rate), 1.0)  # and a forgotten scale


def test_examples_and_positions_are_dropped_independently():
    y = bc.Dropout(0.5)(tf.ones([40_000, 3]), seed=1).numpy() - 1.0
    products = np.stack([y[:, 0] * y[:, 1], y[:, 1] * y[:, 2], y[:, 0] * np.roll(y[:, 0], 1)], axis=1)
    assert _agrees(products, 0.0)


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_channel_dropout_drops_whole_channels_of_single_examples(rate):
    y = bc.ChannelDropout(rate)(tf.ones([20_000, 2, 3, 4]), seed=1).numpy()
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    channels = y[:, 0, 0]
    assert _agrees(channels, 1.0)
    assert _agrees((channels == 0).astype(float), rate)
    centred = channels - 1.0
    assert _agrees(np.stack([centred[:, i] * centred[:, j] for i in range(4) for j in range(i)], axis=1), 0.0)
    by_number = bc.Dropout(rate)(tf.ones([20, 2, 3, 4]), seed=1).numpy()
    assert (by_number != by_number[:, :1, :1]).any()


def test_channels_are_the_last_axis_in_every_rank():
    for shape in ([3, 8], [3, 5, 8], [3, 2, 5, 8], [3, 2, 2, 5, 8]):
        y = bc.ChannelDropout(0.5)(tf.ones(shape), seed=2).numpy().reshape(3, -1, 8)
        np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
        assert set(np.unique(y)) == {0.0, 2.0}


@pytest.mark.parametrize("make", [bc.Dropout, bc.ChannelDropout])
def test_every_way_of_running_it_agrees(make):
    ways.check_every_way(lambda dtype: make(0.5), (4, 5, 8))
    with tf.device("CPU"):
        x, layer = ways.inputs_of((4, 5, 8)), make(0.5)
        eager, xla = layer(x, seed=7), tf.function(layer, jit_compile=True)(x, seed=tf.constant([7, 0]))
    np.testing.assert_array_equal(np.equal(eager, 0), np.equal(xla, 0))  # the very same mask


@pytest.mark.parametrize("make", [bc.Dropout, bc.ChannelDropout])
def test_when_it_is_active(make):
    x, plain, mc = tf.ones([4, 16]), make(0.5), make(0.5, mc=True)
    is_identity = lambda y: bool(tf.reduce_all(y == x))  # noqa: E731
    for weights in ("sample", "coherent"):
        assert not is_identity(plain(x, weights=weights, seed=0))
        assert is_identity(plain(x, is_training=False, weights=weights, seed=0))
        assert not is_identity(mc(x, is_training=False, weights=weights, seed=0))
    for is_training in (True, False):
        assert is_identity(plain(x, weights="mean", is_training=is_training))
        assert is_identity(mc(x, weights="mean", is_training=is_training))
        assert is_identity(make(0.0, mc=True)(x, is_training=is_training))
    assert plain.rate == 0.5
    assert (plain.mc, mc.mc) == (False, True)


def test_masks_follow_from_the_seed_and_uses_have_their_own():
    x, layer = tf.ones([4, 50]), bc.Dropout(0.5)
    np.testing.assert_array_equal(layer(x, seed=5), layer(x, seed=5))
    assert (layer(x, seed=5) != layer(x, seed=6)).numpy().any()
    twice = bc.Parallel([layer, layer], merge=tf.stack)
    for weights in ("sample", "coherent"):
        first, second = twice(x, seed=5, weights=weights).numpy()
        assert (first != second).any()
    bc.set_seed(1)
    first = layer(x)
    assert (layer(x) != first).numpy().any()  # without a seed each call has its own
    bc.set_seed(1)
    np.testing.assert_array_equal(layer(x), first)


def test_what_is_dropped_is_zero_whatever_it_was():
    x = tf.constant([[np.inf, np.nan] * 50])
    y = bc.Dropout(0.5)(x, seed=0).numpy()
    assert (y == 0).any()


def test_a_coherent_mask_is_one_for_all_examples():
    layer, x = bc.Dropout(0.5, mc=True), tf.ones([5, 30])
    y = layer(x, seed=3, weights="coherent", is_training=False).numpy()
    np.testing.assert_array_equal(y, np.broadcast_to(y[:1], y.shape))
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(layer(x[:2], seed=3, weights="coherent", is_training=False), y[:2])
    by_example = layer(x, seed=3, is_training=False).numpy()
    assert (by_example != by_example[:1]).any()


# Monte Carlo dropout.


def _model(make=bc.Dropout, factory=bc.make_kernel_bias):
    hidden = bc.Affine(5, 20, activation_fn=tf.nn.relu, make_kernel_bias_fn=factory)
    return bc.Sequential([hidden, make(0.5, mc=True), bc.Affine(20, 3)])


@pytest.mark.parametrize("make", [bc.Dropout, bc.ChannelDropout])
@pytest.mark.parametrize("factory", [bc.make_kernel_bias, bc.make_kernel_bias_flipout])
def test_a_prediction_averages_over_functions_that_follow_from_the_seed(make, factory):
    model = _model(make, factory)
    predictive = bc.predict(model, X, num_samples=8, seed=4)
    assert predictive.num_samples == 8
    assert len(np.unique(predictive.logits[:, 0, 0])) == 8
    seeds = [random.fold_in(random.as_seed(4), s) for s in range(8)]
    expected = [model(X, seed=seed, is_training=False, weights="coherent") for seed in seeds]
    np.testing.assert_allclose(predictive.logits, expected, atol=1e-5)
    for batch_size in (1, 4):
        again = bc.predict(model, X, num_samples=8, seed=4, batch_size=batch_size)
        np.testing.assert_allclose(again.logits, expected, atol=1e-5)
    assert np.abs(bc.predict(model, X, num_samples=8, seed=5).logits - predictive.logits).max() > 1e-2
    assert (predictive.mutual_information > 0).all()


def test_a_draw_is_a_function_and_not_noise():
    model = _model()
    same = np.repeat(X[:1], 5, axis=0)
    logits = bc.predict(model, same, num_samples=4).logits
    np.testing.assert_allclose(logits, np.broadcast_to(logits[:, :1], logits.shape), atol=1e-6)


def test_without_mc_a_prediction_drops_nothing():
    model = bc.Sequential([bc.Affine(5, 20), bc.Dropout(0.5), bc.Affine(20, 3)])
    predictive = bc.predict(model, X, num_samples=8)
    assert predictive.num_samples == 1
    np.testing.assert_allclose(predictive.logits[0], model(X, weights="mean"), atol=1e-6)
    mean = bc.predict(_model(), X, weights="mean")
    assert mean.num_samples == 1


def test_a_layer_that_is_used_in_two_sizes_has_a_mask_of_each():
    drop = bc.Dropout(0.5, mc=True)
    model = bc.Sequential([drop, bc.Affine(5, 20), drop, bc.Affine(20, 3)])
    predictive = bc.predict(model, X, num_samples=4)
    seeds = [random.fold_in(random.as_seed(0), s) for s in range(4)]
    expected = [model(X, seed=seed, is_training=False, weights="coherent") for seed in seeds]
    np.testing.assert_allclose(predictive.logits, expected, atol=1e-5)


def test_images_predict_too():
    model = bc.Sequential([bc.Convolution(1, 4, 3), bc.ChannelDropout(0.5, mc=True), bc.Flatten(), bc.Affine(64, 2)])
    images = np.random.default_rng(0).normal(size=(3, 6, 6, 1)).astype(np.float32)
    assert bc.predict(model, images, num_samples=4).logits.std(axis=0).min() > 1e-4


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, np.nan, "0.5", None])
def test_a_rate_out_of_range_is_refused(rate):
    for make in (bc.Dropout, bc.ChannelDropout):
        with pytest.raises(ValueError, match=r"`rate` is the probability of a zero, 0 <= rate < 1\. Received"):
            make(rate)

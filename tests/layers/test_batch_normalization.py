"""Claims about batch normalization: its moments in training, at prediction, and under weights that are drawn."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import ways

import bayesconv as bc
from bayesconv import calls, random, sampling

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, size=(7, 4, 5, 3))
IMAGES = RNG.normal(size=(40, 6, 6, 1)).astype(np.float32)


def _standardized(x, mean, variance, epsilon=1e-3):
    return (x - mean) / np.sqrt(variance + epsilon)


def _moments(x):
    axes = tuple(range(x.ndim - 1))
    return x.mean(axes), x.var(axes)


# In training and after it.


def test_training_normalizes_by_the_batch_and_moves_the_moments_by_the_recursion():
    layer = bc.BatchNorm(3, momentum=0.8, dtype=tf.float64)
    layer.scale.assign([1.0, 2.0, 3.0])
    layer.offset.assign([-1.0, 0.0, 1.0])
    mean, variance = np.zeros(3), np.ones(3)
    for part in (X[:3], X[3:], X):
        batch_mean, batch_variance = _moments(part)
        expected = _standardized(part, batch_mean, batch_variance) * [1, 2, 3] + [-1, 0, 1]
        np.testing.assert_allclose(layer(part), expected, rtol=1e-10)
        mean, variance = 0.8 * mean + 0.2 * batch_mean, 0.8 * variance + 0.2 * batch_variance
        np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-12)
        np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-12)
    expected = _standardized(X, mean, variance) * [1, 2, 3] + [-1, 0, 1]
    np.testing.assert_allclose(layer(X, is_training=False), expected, rtol=1e-10)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-12)  # prediction moves nothing


def test_it_agrees_with_keras_and_its_defaults():
    layer, other = bc.BatchNorm(3, dtype=tf.float64), keras.layers.BatchNormalization(dtype="float64")
    for part in (X[:3], X[3:]):
        np.testing.assert_allclose(layer(part), other(part, training=True), rtol=1e-9)
    np.testing.assert_allclose(layer(X, is_training=False), other(X, training=False), rtol=1e-9)


def test_gradients_go_through_the_moments_of_the_batch():
    layer, other = bc.BatchNorm(3, dtype=tf.float64), keras.layers.BatchNormalization(dtype="float64")
    weights, x = tf.constant(RNG.normal(size=X.shape)), tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        mine, theirs = (tf.reduce_sum(weights * y * y) for y in (layer(x), other(x, training=True)))
    np.testing.assert_allclose(tape.gradient(mine, x), tape.gradient(theirs, x), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("is_training", [True, False])
def test_every_way_of_running_it_agrees(is_training):
    ways.check_every_way(lambda dtype: bc.BatchNorm(3, dtype=dtype), (4, 3), is_training=is_training)


def test_compiled_calls_move_the_moments_too():
    eager, compiled, xla = (bc.BatchNorm(3, dtype=tf.float64) for _ in range(3))
    functions = (eager, tf.function(compiled), tf.function(xla, jit_compile=True))
    for _ in range(2):
        for function in functions:
            function(tf.constant(X))
    for layer in (compiled, xla):
        np.testing.assert_allclose(layer.moving_mean, eager.moving_mean, rtol=1e-12)
        np.testing.assert_allclose(layer.moving_variance, eager.moving_variance, rtol=1e-12)
    np.testing.assert_allclose(eager.moving_mean, (1 - 0.99**2) * _moments(X)[0], rtol=1e-9)


def test_moments_that_are_not_finite_are_left_out():
    layer = bc.BatchNorm(3, dtype=tf.float64)
    layer(X)
    before = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    assert layer(X[:0]).shape == (0, 4, 5, 3)
    assert tf.function(lambda x: layer(x), jit_compile=True)(tf.constant(X[:0])).shape == (0, 4, 5, 3)
    layer(np.full_like(X, np.nan))
    np.testing.assert_array_equal(layer.moving_mean, before[0])
    np.testing.assert_array_equal(layer.moving_variance, before[1])


def test_the_moving_moments_are_saved_but_not_trained(tmp_path):
    layer = bc.BatchNorm(3)
    assert set(layer.named_variables) == {"scale", "offset", "moving_mean", "moving_variance"}
    assert [v.name for v in layer.trainable_variables] == ["offset:0", "scale:0"]
    layer(X)
    other = bc.BatchNorm(3).load(layer.save(tmp_path / "weights.npz"))
    np.testing.assert_array_equal(other(X, is_training=False), layer(X, is_training=False))


def test_replicas_average_what_they_see():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # conftest.py makes two devices of the processor
    with strategy.scope():
        layer = bc.BatchNorm(1, momentum=0.5)

    @tf.function
    def step(xs):
        return strategy.run(lambda x: layer(x), args=(xs,))

    xs = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([[0.0], [2.0]]) + 4.0 * context.replica_id_in_sync_group
    )
    step(xs)
    assert (float(layer.moving_mean[0]), float(layer.moving_variance[0])) == (1.5, 1.0)  # means 1, 5; variances 1, 1


def test_a_fit_moves_the_moments_and_ends_with_those_of_its_best_epoch():
    model = _model("frozen")
    y = (IMAGES.mean((1, 2, 3)) > 0).astype(int)
    bc.fit(model, (IMAGES, y), epochs=2, batch_size=20, validation=(IMAGES, y), progress=False)
    assert np.abs(model[1].moving_mean).max() > 1e-4
    assert bc.predict(model, IMAGES[:3], num_samples=4).logits.std(axis=0).max() > 1e-4


# At prediction, under weights that are drawn.


def _model(policy, factory=bc.make_kernel_bias_flipout, head=bc.make_kernel_bias):
    return bc.Sequential(
        [
            bc.Convolution(1, 3, 3, make_kernel_bias_fn=factory),
            bc.BatchNorm(3, policy=policy, momentum=0.5),
            tf.nn.relu,
            bc.Flatten(),
            bc.Affine(48, 4, make_kernel_bias_fn=head),
            bc.BatchNorm(4, policy=policy),
        ]
    )


def _by_hand(model, x, calibration, seed, weights="coherent"):
    """One draw: both inputs pass through the net with its weights, and the first lends its moments to the second."""
    with calls.entered(calls.Call(seed, is_training=False, weights=weights)):
        for layer in model.layers:
            if isinstance(layer, bc.BatchNorm):
                mean, variance = _moments(np.asarray(calibration, np.float64))
                x, calibration = (
                    _standardized(np.asarray(v), mean, variance).astype(np.float32) for v in (x, calibration)
                )
            else:
                x, calibration = layer(x), layer(calibration)
    return np.asarray(x)


def _seeds(seed, num):
    return [random.fold_in(random.as_seed(seed), s) for s in range(num)]


def test_recalibration_equals_running_each_draw_by_hand():
    model = _model("recalibrated", head=bc.make_kernel_bias_flipout)
    model(IMAGES)
    expected = np.stack([_by_hand(model, IMAGES[:5], IMAGES[5:], seed) for seed in _seeds(3, 4)])
    for batch_size in (2, 100):
        found = bc.predict(model, IMAGES[:5], num_samples=4, seed=3, batch_size=batch_size, calibration=IMAGES[5:])
        np.testing.assert_allclose(found.logits, expected, atol=2e-5)
    assert expected.std(axis=0).min() > 1e-3
    other = bc.predict(model, IMAGES[:5], num_samples=4, seed=3, calibration=IMAGES[:9])
    assert np.abs(other.logits - expected).max() > 1e-2  # another calibration is another prediction


def test_frozen_moments_serve_every_draw_and_the_same_weights_are_drawn():
    frozen, recalibrated = _model("frozen"), _model("recalibrated")
    for a, b in zip(recalibrated.variables, frozen.variables, strict=True):
        a.assign(b)
    frozen(IMAGES)
    found = bc.predict(frozen, IMAGES[:5], num_samples=4, seed=3).logits
    expected = [frozen(IMAGES[:5], seed=seed, is_training=False, weights="coherent") for seed in _seeds(3, 4)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    plain = [recalibrated(IMAGES[:5], seed=seed, is_training=False, weights="coherent") for seed in _seeds(3, 4)]
    for variable, value in zip(recalibrated.variables, frozen.variables, strict=True):
        variable.assign(value)
    again = [recalibrated(IMAGES[:5], seed=seed, is_training=False, weights="coherent") for seed in _seeds(3, 4)]
    np.testing.assert_allclose(again, expected, atol=1e-5)  # outside predict both policies are one
    assert np.abs(np.subtract(plain, again)).max() > 1e-3


def test_it_does_not_matter_in_how_many_banks_the_draws_come(monkeypatch):
    model = _model("recalibrated")
    options = {"num_samples": 5, "calibration": IMAGES[5:]}
    expected = bc.predict(model, IMAGES[:5], **options).logits
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", 2000)
    np.testing.assert_allclose(bc.predict(model, IMAGES[:5], **options).logits, expected, atol=1e-5)


def test_the_mean_weights_are_calibrated_too_and_nothing_random_is_one_pass():
    model = _model("recalibrated")
    predictive = bc.predict(model, IMAGES[:5], weights="mean", calibration=IMAGES[5:])
    assert predictive.num_samples == 1
    expected = _by_hand(model, IMAGES[:5], IMAGES[5:], 0, weights="mean")
    np.testing.assert_allclose(predictive.logits[0], expected, atol=2e-5)
    point = bc.Sequential([bc.Flatten(), bc.Affine(36, 3), bc.BatchNorm(3, policy="recalibrated")])
    found = bc.predict(point, IMAGES[:5], num_samples=8, calibration=IMAGES[5:])
    assert found.num_samples == 1
    inner, outer = (point[:2](part).numpy() for part in (IMAGES[:5], IMAGES[5:]))
    np.testing.assert_allclose(found.logits[0], _standardized(inner, *_moments(outer)), atol=1e-5)


def test_a_layer_used_twice_has_moments_of_each_use():
    shared = bc.BatchNorm(36, policy="recalibrated")
    model = bc.Sequential([bc.Flatten(), shared, lambda x: 3.0 * x + 1.0, shared])
    found = bc.predict(model, IMAGES[:5], calibration=IMAGES[5:]).logits[0]
    x, calibration = IMAGES[:5].reshape(5, -1), IMAGES[5:].reshape(35, -1)
    for _ in range(2):
        moments = _moments(calibration)
        x, calibration = (_standardized(part, *moments) for part in (x, calibration))
        x, calibration = 3.0 * x + 1.0, 3.0 * calibration + 1.0
    np.testing.assert_allclose(3.0 * found + 1.0, x, atol=1e-4)


def test_the_members_of_an_ensemble_are_calibrated_if_they_ask_for_it():
    models = [_model("recalibrated"), _model("frozen")]
    predictive = bc.predict(models, IMAGES[:5], num_samples=2, calibration=IMAGES[5:])
    alone = bc.predict(models[0], IMAGES[:5], num_samples=2, calibration=IMAGES[5:])
    np.testing.assert_allclose(predictive.logits[:2], alone.logits, atol=1e-6)


def test_calibration_moves_no_moving_moment():
    model = _model("recalibrated")
    bc.predict(model, IMAGES[:5], num_samples=2, calibration=IMAGES[5:])
    np.testing.assert_array_equal(model[1].moving_mean, np.zeros(3))


@pytest.mark.parametrize(
    ("policy", "calibration", "message"),
    [
        (
            "recalibrated",
            None,
            r"policy='recalibrated'.*Received none: pass some, such as calibration=.*policy='frozen'",
        ),
        ("frozen", IMAGES, r"Received them for a model without such a layer: leave them out"),
        ("recalibrated", IMAGES[:0], r"Inputs are an array \[N, \.\.\] with N >= 1"),
        ("recalibrated", IMAGES[:, :5], r"`calibration` holds inputs like `x`.*Received \(40, 5, 6, 1\)"),
    ],
)
def test_calibration_that_does_not_fit_is_refused(policy, calibration, message):
    with pytest.raises(ValueError, match=message):
        bc.predict(_model(policy), IMAGES[:5], calibration=calibration)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, r"`momentum` is the share of the old moments, 0 <= momentum < 1\. Received 1\.0"),
        ({"momentum": -0.1}, "`momentum`"),
        ({"policy": "freeze"}, r"Unknown value of `policy` 'freeze'; choose one of \['frozen', 'recalibrated'\]"),
        ({"epsilon": -1.0}, "`epsilon`"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bc.BatchNorm(3, **options)


def test_a_batch_without_examples_has_gradients_of_zero():
    layer = bc.BatchNorm(3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(tf.zeros([0, 4, 4, 3]), is_training=True)))
    for gradient in tape.gradient(loss, layer.trainable_variables):
        np.testing.assert_array_equal(gradient, np.zeros(3))

"""Claims about optimizers: Keras' own steps, and a pace of their own for the scales."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from bayesconv.optimization import GroupedOptimizer, describe_optimizer, make_optimizer, optimizers
from bayesconv.sections import OPTIMIZERS

GRADIENTS = np.random.default_rng(0).normal(size=(5, 3))


def _variables(dtype=tf.float32):
    return [tf.Variable(tf.ones([3], dtype), name=f"kernel/{name}") for name in ("loc", "untransformed_scale")]


def _steps(optimizer, variables, steps=5):
    for gradient in GRADIENTS[:steps]:
        optimizer.apply([tf.constant(gradient, variable.dtype) for variable in variables])
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize(
    "options", [{}, {"beta_1": 0.5, "epsilon": 1e-3}, {"amsgrad": True}, {"weight_decay": 0.1}, {"clipnorm": 0.1}]
)
def test_adam_takes_the_steps_of_keras(dtype, options):
    ours, theirs = _variables(dtype), _variables(dtype)
    adam = make_optimizer({"name": "adam", **options}, 0.1, "constant", 5)
    found = _steps(GroupedOptimizer(adam, ours), ours)
    keras_adam = keras.optimizers.Adam(0.1, **options)
    expected = _steps(GroupedOptimizer(keras_adam, theirs), theirs)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.abs(found[0] - 1).max() > 0.05


def test_adam_steps_follow_the_formula():
    variable = tf.Variable(np.ones(3), name="kernel/loc")
    optimizer = GroupedOptimizer(make_optimizer("adam", 0.1, "constant", 5), [variable])
    m = v = np.zeros(3)
    expected = np.ones(3)
    for step, gradient in enumerate(GRADIENTS, start=1):
        optimizer.apply([tf.constant(gradient)])
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        expected = expected - 0.1 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)
    np.testing.assert_allclose(variable, expected, rtol=1e-4)


def test_the_cosine_schedule_goes_from_the_learning_rate_to_0():
    variables = _variables(tf.float64)
    values = [np.ones(3)]
    optimizer = GroupedOptimizer(make_optimizer("sgd", 0.5, "cosine", 4), variables)
    for _ in range(5):
        optimizer.apply([tf.ones([3], tf.float64)] * 2)
        values.append(variables[0].numpy())
    rates = [0.5 * 0.5 * (1 + np.cos(np.pi * min(step / 4, 1))) for step in range(5)]
    np.testing.assert_allclose(-np.diff(values, axis=0)[:, 0], rates, atol=1e-6)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_scales_follow_the_same_schedule_times_the_factor(schedule):
    variables = _variables(tf.float64)
    optimizer = GroupedOptimizer(make_optimizer("sgd", 0.1, schedule, 10), variables, scale_factor=5.0)
    loc, scale = _steps(optimizer, variables)
    np.testing.assert_allclose(scale - 1, 5 * (loc - 1), rtol=1e-6)


def test_without_a_factor_there_is_one_optimizer():
    variables = _variables()
    grouped = GroupedOptimizer(make_optimizer("sgd", 0.1, "constant", 10), variables)
    loc, scale = _steps(grouped, variables)
    np.testing.assert_array_equal(loc, scale)
    assert {path.split("/")[1] for path in grouped.variables} == {"0"}


@pytest.mark.parametrize("factor", [1.0, 3.0])
@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_weight_decay_is_for_locations_and_not_for_scales(name, factor):
    variables, rate, decay = _variables(tf.float64), 0.1, 0.25
    made = make_optimizer({"name": name, "weight_decay": decay}, rate, "constant", 5)
    optimizer = GroupedOptimizer(made, variables, factor)
    for _ in range(3):
        optimizer.apply([tf.zeros([3], tf.float64)] * 2)
    loc, scale = (variable.numpy() for variable in variables)
    np.testing.assert_allclose(loc, (1 - rate * decay) ** 3, rtol=1e-6)
    np.testing.assert_array_equal(scale, 1.0)


def test_weight_decay_leaves_one_optimizer_and_what_its_owner_excluded():
    variables = _variables(tf.float64)
    adamw = keras.optimizers.AdamW(0.1, weight_decay=0.25)
    adamw.exclude_from_weight_decay(var_names=["loc"])
    optimizer = GroupedOptimizer(adamw, variables)
    assert {path.split("/")[1] for path in optimizer.variables} == {"0"}
    optimizer.apply([tf.zeros([3], tf.float64)] * 2)
    loc, scale = (variable.numpy() for variable in variables)
    np.testing.assert_array_equal(loc, 1.0)
    assert (scale < 1.0).all()
    GroupedOptimizer(adamw, variables)  # once more, for another run


def test_the_state_is_all_that_the_next_step_depends_on():
    first, second = _variables(), _variables()
    one, two = (
        GroupedOptimizer(make_optimizer("adam", 0.1, "cosine", 9), v, scale_factor=3.0) for v in (first, second)
    )
    _steps(one, first)
    assert one.variables.keys() == two.variables.keys()
    for path, variable in one.variables.items():
        two.variables[path].assign(variable)
    for a, b in zip(first, second, strict=True):
        b.assign(a)
    for a, b in zip(_steps(one, first), _steps(two, second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_names_mappings_and_optimizers():
    assert set(optimizers.names()) == {"adam", "adamw", "ivon", "sgd"} == set(OPTIMIZERS)
    given = keras.optimizers.SGD(0.3)
    assert make_optimizer(given, 0.1, "cosine", 10) is given
    made = make_optimizer({"name": "sgd", "momentum": 0.9}, 0.1, "constant", 10)
    assert made.momentum == 0.9
    assert "'momentum': 0.9" in describe_optimizer(made)
    twice = [describe_optimizer(make_optimizer("adam", 0.1, "cosine", 10)) for _ in range(2)]
    assert twice[0] == twice[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("admm", 0.1, "cosine", 10), r"Unknown optimizer 'admm'.*Did you mean 'adam'\?"),
        (({"name": "sgd", "momentm": 1}, 0.1, "cosine", 10), r"The optimizer 'sgd' refuses the options {'momentm': 1}"),
        (("adam", 0.1, "cosin", 10), r"Unknown learning rate schedule 'cosin'.*Did you mean 'cosine'\?"),
        (("adam", -0.1, "cosine", 10), r"`learning_rate` must be positive and finite\. Received -0\.1"),
        (("adam", float("nan"), "cosine", 10), r"`learning_rate` must be positive and finite\. Received nan"),
    ],
)
def test_what_is_no_optimizer_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_optimizer(*arguments)
    with pytest.raises(TypeError, match=r"An optimizer is a name, a mapping .*Received 3 of type int"):
        make_optimizer(3, 0.1, "cosine", 10)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"beta_1": 3}, "at least 0 and below 1"),
        ({"beta_2": 1.0}, "at least 0 and below 1"),
        ({"epsilon": -1.0}, "positive and finite"),
        ({"clipnorm": 0.0}, "positive and finite"),
        ({"weight_decay": -1e-3}, "finite and not negative"),
        ({"weight_decay": float("nan")}, "finite and not negative"),
    ],
)
def test_numbers_that_keras_takes_and_cannot_train_with_are_refused(options, rule):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be {rule}"):
        make_optimizer({"name": "adamw", **options}, 1e-3, "constant", 1)


def test_numbers_at_the_border_and_options_that_are_off_are_taken():
    options = {"beta_1": 0.0, "weight_decay": 0.0, "clipnorm": None}
    assert make_optimizer({"name": "adamw", **options}, 1e-3, "constant", 1).beta_1 == 0.0

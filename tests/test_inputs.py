"""Claims about the checks of what users train and predict on."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import inputs, likelihoods

MODEL = bc.Affine(3, 4)
X = np.ones([5, 3])
X32 = X.astype(np.float32)


def test_the_dtype_of_a_model_is_that_of_its_first_float_variable():
    assert inputs.dtype_of(bc.Affine(3, 4, dtype=tf.float64)) == tf.float64
    counted = bc.Lambda(also_track=[tf.Variable(0), tf.Variable(tf.zeros([], tf.float64))])
    assert inputs.dtype_of(counted) == tf.float64
    assert inputs.dtype_of(bc.Flatten()) == tf.float32


def test_inputs_are_cast_and_not_copied_without_need():
    assert inputs.as_inputs(MODEL, X.tolist()).dtype == np.float32
    assert inputs.as_inputs(bc.Affine(3, 4, dtype=tf.float64), X) is X


@pytest.mark.parametrize("model", [tf.keras.Sequential([tf.keras.layers.Dense(3)]), None, "small_cnn"])
def test_what_is_no_layer_is_refused_by_all_that_take_a_model(model):
    y = np.zeros(5, int)
    for run in (
        lambda: bc.fit(model, (X32, y), epochs=1),
        lambda: bc.predict(model, X32),
        lambda: bc.predict([MODEL, model], X32),
        lambda: bc.diagnose(model, X32, y, num_data=5),
    ):
        with pytest.raises(TypeError, match="takes models made of bayesconv layers"):
            run()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:0], r"Received shape \(0, 3\)"),
        (np.ones(3), r"Received shape \(3,\)"),
        (1.0, r"Received shape \(\)"),
        (X.astype(np.uint8), "Received uint8: scale images first"),
        (X.astype(complex), "Received complex128"),
        (X.astype(str), "must be floating-point numbers"),
        (X.astype(object), "Received object"),
    ],
)
def test_inputs_of_another_kind_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        inputs.as_inputs(MODEL, x)


def test_the_output_size_is_that_of_a_mean_pass():
    assert inputs.output_shape_of(MODEL, X32[:1]) == (4,)
    with pytest.raises(ValueError, match=r"outputs have shape \(1, 2, 4\); end it with Flatten\(\) or an Affine layer"):
        inputs.output_shape_of(MODEL, np.ones([1, 2, 3], np.float32))


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 0], np.array([3, 3, 3, 3, 3], np.uint8)])
def test_labels_within_the_classes_pass(labels):
    inputs.check_targets(np.asarray(labels), 5, likelihoods.categorical(), (4,))


@pytest.mark.parametrize(
    ("targets", "likelihood", "message"),
    [
        ([0, 1, 2], "categorical", "Received 5 inputs and 3 targets"),
        ([0, 1, 2, 3, 4], "categorical", r"in \[0, 4\), since the model has 4 outputs\. Received labels from 0 to 4"),
        ([-1, 0, 0, 0, 0], "categorical", "from -1 to 0"),
        ([0.0] * 5, "categorical", r"integer labels \[N\]\. Received shape \(5,\) and dtype float64"),
        (np.eye(5, 4, dtype=int), "categorical", r"Received shape \(5, 4\) .*undo a one-hot encoding"),
        (
            [0] * 5,
            "bernoulli",
            r"takes targets \[N, 4\], since the model has 4 outputs\. Received targets of shape \(5,\)",
        ),
        (np.zeros([5, 3]), "normal", r"Received targets of shape \(5, 3\)"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets, likelihood, message):
    with pytest.raises(ValueError, match=message):
        inputs.check_targets(np.asarray(targets), 5, likelihoods.get(likelihood)(), (4,))


def test_real_targets_fit_with_or_without_an_axis_for_one_output_and_own_likelihoods_are_free():
    inputs.check_targets(np.zeros([5]), 5, likelihoods.normal(), (1,))
    inputs.check_targets(np.zeros([5, 4]), 5, likelihoods.normal(), (4,))
    own = likelihoods.Likelihood("of_my_own", tf.identity, tf.identity, tf.identity)
    inputs.check_targets(np.zeros([5, 7]), 5, own, (4,))

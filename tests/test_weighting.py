"""Claims about weights of classes and examples: by hand, against scikit-learn, and through the whole of training."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax
from sklearn.utils.class_weight import compute_class_weight

import bayesconv as bc
from bayesconv import likelihoods, weighting

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype(np.float32)
Y = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
WEIGHTS = RNG.uniform(0, 3, size=12)
BY_CLASS = np.array([0.5, 1.0, 4.0])
CATEGORICAL = likelihoods.categorical()
PIXELS = likelihoods.categorical_per_pixel(ignored_label=255)


def _loss(model, rows=slice(None), **weights):
    return bc.elbo(model, tf.constant(X[rows]), tf.constant(Y[rows]), num_data=12, seed=0, kl_weight=0.0, **weights)


def test_balanced_weights_are_those_of_scikit_learn_and_have_mean_one():
    found = weighting.as_class_weights("balanced", 3, CATEGORICAL, Y)
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(3), y=Y), rtol=1e-6)
    np.testing.assert_allclose(found[Y].mean(), 1.0, rtol=1e-6)
    labels = np.concatenate([Y, [255, 255]]).reshape(1, 2, 7)
    np.testing.assert_array_equal(weighting.as_class_weights("balanced", 3, PIXELS, labels), found)
    without = weighting.as_class_weights("balanced", 4, CATEGORICAL, Y)  # nobody is of the fourth class
    np.testing.assert_array_equal(without, [*found, 1.0])


def test_a_mapping_leaves_the_other_classes_at_one():
    np.testing.assert_array_equal(weighting.as_class_weights({2: 3.0}, 3, CATEGORICAL), [1, 1, 3])
    assert weighting.as_class_weights(None, 3, CATEGORICAL) is None


def test_the_loss_is_the_sum_of_weighted_terms_over_the_number_of_examples():
    model = bc.Affine(3, 3)
    terms = -log_softmax(model(X).numpy().astype(float), axis=1)[np.arange(12), Y]
    both = _loss(model, sample_weights=WEIGHTS, class_weights=BY_CLASS)
    np.testing.assert_allclose(both.loss, np.mean(WEIGHTS * BY_CLASS[Y] * terms), rtol=1e-5)
    np.testing.assert_allclose(both.negative_log_likelihood, terms.mean(), rtol=1e-5)  # knows no weights
    np.testing.assert_allclose(_loss(model, class_weights=BY_CLASS).loss, np.mean(BY_CLASS[Y] * terms), rtol=1e-5)
    np.testing.assert_allclose(_loss(model, class_weights=np.ones(3)).loss, terms.mean(), rtol=1e-5)


def test_the_gradient_is_the_weighted_sum_of_the_examples_gradients():
    model = bc.Affine(3, 3)

    def gradient(rows=slice(None), **weights):
        with tf.GradientTape() as tape:
            loss = _loss(model, rows, **weights).loss
        return tape.gradient(loss, model.trainable_variables)[0].numpy()

    alone = np.array([gradient(slice(n, n + 1)) for n in range(12)])
    expected = np.tensordot(WEIGHTS, alone, axes=1) / 12
    np.testing.assert_allclose(gradient(sample_weights=WEIGHTS), expected, rtol=1e-4, atol=1e-6)


def test_pixels_are_weighted_one_by_one():
    logits, labels = RNG.normal(size=(2, 2, 3, 3)), RNG.integers(0, 3, size=(2, 2, 3))
    labels[0, 0, 0] = 255
    terms = PIXELS.log_prob_of_labels(tf.constant(logits), labels).numpy()
    expected = -(np.append(BY_CLASS, np.zeros(253))[labels] * terms).sum() / 2
    found = weighting.data_term(PIXELS, None, BY_CLASS, tf.constant(logits), labels, tf.constant(0.0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def _fitted(x, y, **weights):
    bc.set_seed(0)
    model = bc.Affine(3, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    bc.fit(model, (x, y), epochs=3, batch_size=5, seed=1, progress=False, **weights)
    return np.concatenate([variable.numpy().ravel() for variable in model.trainable_variables])


def test_examples_of_weight_zero_change_nothing_whatever_they_hold():
    weights = np.where(np.arange(12) % 3 == 0, 0.0, 1.0)
    other_x, other_y = X.copy(), Y.copy()
    other_x[::3], other_y[::3] = 17.0, 2 - other_y[::3]
    expected = _fitted(X, Y, sample_weights=weights)
    np.testing.assert_array_equal(_fitted(other_x, other_y, sample_weights=weights), expected)
    assert not np.array_equal(_fitted(other_x, other_y), _fitted(X, Y))


def test_weights_of_one_are_no_weights_and_classes_are_weighted_like_their_examples():
    np.testing.assert_allclose(_fitted(X, Y, sample_weights=np.ones(12)), _fitted(X, Y), rtol=1e-4, atol=1e-6)
    by_class, by_example = _fitted(X, Y, class_weights={2: 3.0}), np.where(Y == 2, 3.0, 1.0)
    np.testing.assert_allclose(_fitted(X, Y, sample_weights=by_example), by_class, rtol=1e-4, atol=1e-6)


def test_a_data_set_brings_its_weights_as_the_third_part():
    stream = tf.data.Dataset.from_tensor_slices((X, Y, WEIGHTS.astype(np.float32))).batch(12)
    bc.set_seed(0)
    model = bc.Affine(3, 3)
    history = bc.fit(model, stream, num_data=12, epochs=1, progress=False)
    bc.set_seed(0)
    again = bc.Affine(3, 3)
    expected = _loss(again, sample_weights=WEIGHTS)
    np.testing.assert_allclose(history.rows[0]["loss"], expected.loss, rtol=1e-5)
    np.testing.assert_allclose(history.rows[0]["nll"], expected.negative_log_likelihood, rtol=1e-5)
    with pytest.raises(ValueError, match="brings the weights of its examples as the third part"):
        bc.fit(model, stream, num_data=12, epochs=1, sample_weights=WEIGHTS)
    with pytest.raises(ValueError, match="'balanced' counts the training labels, which takes arrays"):
        bc.fit(model, stream, num_data=12, epochs=1, class_weights="balanced")


def test_a_run_is_resumed_with_the_weights_it_began_with(tmp_path):
    model, options = bc.Affine(3, 3), {"run_dir": tmp_path, "progress": False, "epochs": 1}
    bc.fit(model, (X, Y), sample_weights=WEIGHTS, **options)
    with pytest.raises(ValueError, match=r"resumed with the settings it began with.*sample_weights"):
        bc.fit(model, (X, Y), sample_weights=WEIGHTS + 1, resume=True, **options)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"sample_weights": np.ones(11)}, r"one number an example, \[12\]. Received shape \[11\]"),
        ({"sample_weights": np.ones([12, 1])}, r"Received shape \[12, 1\]"),
        ({"sample_weights": -np.ones(12)}, "must be finite and not negative. Received values from -1.0 to -1.0"),
        ({"sample_weights": np.full(12, np.nan)}, "must be finite and not negative"),
        ({"sample_weights": np.zeros(12)}, "must not all be 0"),
        ({"sample_weights": ["a"] * 12}, "`sample_weights` are numbers. Received dtype"),
        ({"class_weights": [1.0, 2.0]}, r"one number a class, \[3\]. Received shape \[2\]"),
        ({"class_weights": [1.0, -2.0, 1.0]}, "`class_weights` must be finite and not negative"),
        ({"class_weights": {3: 1.0}}, r"of the classes 0 to 2. Received also \[3\]"),
        ({"class_weights": "balance"}, "are numbers or 'balanced'. Received 'balance'"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        bc.fit(bc.Affine(3, 3), (X, Y), epochs=1, progress=False, **weights)


def test_real_targets_have_no_classes_to_weight():
    with pytest.raises(ValueError, match=r"one class of several. Received the normal likelihood; use sample_weights"):
        bc.fit(bc.Affine(3, 1), (X, X[:, 0]), epochs=1, likelihood="normal", class_weights=[1.0])


def test_weights_of_classes_that_are_all_0_are_refused():
    with pytest.raises(ValueError, match=r"must not all be 0: nothing would be learned from\. Received zeros"):
        weighting.as_class_weights([0, 0, 0], 3, CATEGORICAL)

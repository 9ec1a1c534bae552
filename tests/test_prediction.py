"""Claims about prediction: it is the plain average over seeded draws, whatever the batches, the memory or the past."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp, softmax

import bayesconv as bc
from bayesconv import estimators, random, sampling

X = np.random.default_rng(0).normal(size=(7, 6, 6, 1)).astype(np.float32)


def _factory(estimator, **options):
    if estimator == "local_reparameterization":
        estimator = {"name": estimator, "approximate": True}
    return functools.partial(bc.make_kernel_bias_variational, estimator=estimator, **options)


def _model(factory=bc.make_kernel_bias_flipout, dtype=tf.float32, **options):
    layers = [
        bc.Convolution(1, 3, 3, make_kernel_bias_fn=factory, activation_fn=tf.nn.relu, dtype=dtype, **options),
        bc.MaxPool(2),
        bc.Flatten(),
        bc.Affine(12, 4, make_kernel_bias_fn=factory, dtype=dtype),
    ]
    return bc.Sequential(layers)


@pytest.fixture(scope="module")
def model():
    """For what leaves it as it is: its pass is compiled once."""
    bc.set_seed(0)
    return _model()


def _loop(model, x, num_samples, seed):
    seeds = [random.fold_in(random.as_seed(seed), s) for s in range(num_samples)]
    return np.stack([model(x, seed=s, weights="coherent", is_training=False).numpy() for s in seeds])


@pytest.mark.slow
@pytest.mark.parametrize("estimator", estimators.names())
def test_it_equals_a_loop_over_seeded_coherent_calls_for_any_batch_size(estimator):
    model = _model(_factory(estimator))
    logits = _loop(model, X, 5, seed=3)
    probs = softmax(logits.astype(np.float64), axis=-1)
    entropies = -np.sum(probs * np.log(probs), axis=-1)
    mean = probs.mean(axis=0)
    for batch_size in (3, 7, 100):
        predictive = bc.predict(model, X, num_samples=5, seed=3, batch_size=batch_size)
        np.testing.assert_allclose(predictive.logits, logits, atol=1e-6, rtol=1e-5)
        np.testing.assert_allclose(predictive.probs, mean, atol=1e-6)
        np.testing.assert_allclose(predictive.std, probs.std(axis=0), atol=1e-6)
        np.testing.assert_allclose(predictive.expected_entropy, entropies.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(predictive.predictive_entropy, -np.sum(mean * np.log(mean), axis=-1), atol=1e-6)
    assert predictive.std.max() > 1e-2


def test_entropies_add_up_and_are_ordered(model):
    predictive = bc.predict(model, X, num_samples=6)
    total = predictive.expected_entropy + predictive.mutual_information
    np.testing.assert_allclose(predictive.predictive_entropy, total, atol=1e-12)
    assert (predictive.mutual_information > 0).all()
    assert (predictive.predictive_entropy <= np.log(4) + 1e-12).all()
    np.testing.assert_allclose(predictive.mutual_information_corrected, predictive.mutual_information * 6 / 5)


def test_it_is_deterministic_and_the_seed_matters(model):
    first = bc.predict(model, X, num_samples=4, seed=9)
    model(X)  # draws from the global generator, which predictions do not use
    np.testing.assert_array_equal(bc.predict(model, X, num_samples=4, seed=9).probs, first.probs)
    np.testing.assert_array_equal(bc.predict(model, X, num_samples=4, seed=(9, 0)).probs, first.probs)
    assert np.abs(bc.predict(model, X, num_samples=4, seed=10).probs - first.probs).max() > 1e-3
    assert first.seed == 9
    assert first.num_samples == 4


def test_more_draws_begin_with_the_fewer(model):
    few, many = (bc.predict(model, X, num_samples=s, seed=1).logits for s in (3, 6))
    np.testing.assert_allclose(many[:3], few, atol=1e-6)


def test_what_else_is_predicted_does_not_matter(model):
    together = bc.predict(model, X, num_samples=4).probs
    np.testing.assert_allclose(bc.predict(model, X[2:3], num_samples=4).probs, together[2:3], atol=1e-5)


def test_training_on_changes_the_prediction():
    model = _model()
    before = bc.predict(model, X, num_samples=2).probs[:, 0]
    model[-1].posterior.bias.distribution.loc.assign_add([3.0, 0, 0, 0])
    after = bc.predict(model, X, num_samples=2).probs[:, 0]
    assert (after / (1 - after) > 5 * before / (1 - before)).all()  # e^3 = 20 times the odds under each draw


def test_a_shared_layer_has_one_draw_and_a_layer_without_bias_none():
    shared = bc.Affine(4, 4, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization, use_bias=False)
    model = bc.Sequential([shared, tf.nn.relu, shared])
    x = X.reshape(7, 36)[:, :4]
    np.testing.assert_allclose(bc.predict(model, x, num_samples=3, seed=2).logits, _loop(model, x, 3, 2), atol=1e-6)


def test_the_mean_weights_give_a_single_pass(model):
    predictive = bc.predict(model, X, weights="mean", num_samples=9)
    np.testing.assert_allclose(predictive.probs, softmax(model(X, weights="mean").numpy(), axis=-1), atol=1e-6)
    assert predictive.num_samples == 1
    np.testing.assert_allclose(predictive.mutual_information, 0, atol=1e-7)
    np.testing.assert_array_equal(predictive.mutual_information_corrected, predictive.mutual_information)


def test_a_point_model_is_evaluated_once():
    model = _model(bc.make_kernel_bias)
    predictive = bc.predict(model, X, num_samples=9)
    assert predictive.num_samples == 1
    assert predictive.logits.shape == (1, 7, 4)
    np.testing.assert_allclose(predictive.probs, softmax(model(X).numpy(), axis=-1), atol=1e-6)


def test_a_model_with_some_point_layers_draws_the_others():
    model = bc.Sequential(
        [bc.Flatten(), bc.Affine(36, 5), bc.Affine(5, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)]
    )
    np.testing.assert_allclose(bc.predict(model, X, num_samples=3, seed=2).logits, _loop(model, X, 3, 2), atol=1e-6)


def test_the_members_of_an_ensemble_count_equally(model):
    models = [model, _model(), _model(bc.make_kernel_bias)]
    predictive = bc.predict(models, X, num_samples=4, seed=5)
    second = random.fold_in(random.as_seed(5), 1)
    logits = [_loop(models[0], X, 4, 5), _loop(models[1], X, 4, second), models[2](X)[np.newaxis]]
    np.testing.assert_allclose(predictive.logits, np.concatenate(logits), atol=1e-6)
    probs = [softmax(member, axis=-1) for member in logits]
    np.testing.assert_allclose(predictive.probs, np.mean([p.mean(axis=0) for p in probs], axis=0), atol=1e-6)
    square = np.mean([(p**2).mean(axis=0) for p in probs], axis=0)
    np.testing.assert_allclose(predictive.std**2, square - predictive.probs**2, atol=1e-6)
    assert predictive.num_samples == 9


def test_a_data_set_gives_what_its_arrays_give(model):
    expected = bc.predict(model, X, num_samples=3)
    inputs = tf.data.Dataset.from_tensor_slices(X).batch(3)
    pairs = tf.data.Dataset.from_tensor_slices((X, np.zeros(7))).batch(3)
    for data in (inputs, pairs, inputs.filter(lambda x: True)):
        np.testing.assert_allclose(bc.predict(model, data, num_samples=3).logits, expected.logits, atol=1e-6)


def test_float64_models_predict_in_float64():
    model = _model(dtype=tf.float64)
    predictive = bc.predict(model, X, num_samples=3, seed=1)
    assert predictive.logits.dtype == np.float64
    np.testing.assert_allclose(predictive.logits, _loop(model, X, 3, 1), atol=1e-13)


def test_a_normal_likelihood_averages_outputs(model):
    predictive = bc.predict(model, X, num_samples=4, likelihood={"name": "normal", "scale": 0.5})
    np.testing.assert_allclose(predictive.mean, predictive.logits.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(predictive.std, predictive.logits.std(axis=0), atol=1e-5)
    np.testing.assert_allclose(predictive.expected_entropy, 4 * 0.5 * np.log(2 * np.pi * np.e * 0.25), rtol=1e-6)
    assert np.isnan(predictive.predictive_entropy).all()
    with pytest.raises(AttributeError, match="normal likelihood has no class probabilities; read `mean`"):
        _ = predictive.probs


def test_a_bernoulli_likelihood_gives_a_probability_per_output(model):
    predictive = bc.predict(model, X, num_samples=4, likelihood="bernoulli")
    np.testing.assert_allclose(predictive.probs, (1 / (1 + np.exp(-predictive.logits))).mean(axis=0), atol=1e-6)


# Memory.


def test_samples_are_kept_on_request_or_when_they_fit(model, monkeypatch):
    kept = bc.predict(model, X, num_samples=3)
    dropped = bc.predict(model, X, num_samples=3, keep_samples=False)
    np.testing.assert_array_equal(dropped.probs, kept.probs)
    with pytest.raises(ValueError, match=r"were not kept.*keep_samples=True"):
        _ = dropped.logits
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", 100)
    with pytest.raises(ValueError, match="exceed the memory budget"):
        _ = bc.predict(model, X, num_samples=3).logits
    np.testing.assert_allclose(bc.predict(model, X, num_samples=3, keep_samples=True).logits, kept.logits, atol=1e-6)


def test_a_small_memory_budget_gives_the_same_result_in_portions(model, monkeypatch):
    portions = []
    expected = bc.predict(model, X, num_samples=5, seed=4)
    bytes_per_draw = 4 * sum(np.prod(q.event_shape) for layer in (model[0], model[-1]) for q in layer.posterior)
    evaluate = sampling.Sampler.evaluate
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", int(2.5 * bytes_per_draw))
    monkeypatch.setattr(
        sampling.Sampler,
        "evaluate",
        lambda self, batch, draws: portions.append(len(draws[0][0])) or evaluate(self, batch, draws),
    )
    predictive = bc.predict(model, X, num_samples=5, seed=4, keep_samples=True)
    assert portions == [2, 2, 1] * 2  # once for each of the batches, which are smaller as well
    np.testing.assert_allclose(predictive.logits, expected.logits, atol=1e-6)
    np.testing.assert_allclose(predictive.mutual_information, expected.mutual_information, atol=1e-6)


def test_the_model_is_traced_once_for_all_batch_sizes_and_calls():
    traces = []
    model = bc.Sequential([bc.Lambda(lambda x: traces.append(0) or x), *_model().layers])
    bc.predict(model, X, num_samples=3)
    once = len(traces)
    for num, batch_size in ((7, 2), (5, 3), (7, 100)):
        bc.predict(model, X[:num], num_samples=4, batch_size=batch_size, seed=1)
    assert len(traces) == once


def test_a_deleted_model_is_freed():
    model = bc.Sequential([bc.Flatten(), bc.Affine(36, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)])
    bc.predict(model, X, num_samples=2)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


# Refusals.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, r"`num_samples` must be a positive int\. Received 0"),
        ({"num_samples": 2.0}, r"`num_samples` must be a positive int\. Received 2\.0"),
        ({"batch_size": -1}, r"`batch_size` must be a positive int\. Received -1"),
        ({"method": "samplng"}, r"Unknown value of `method` 'samplng'.*Did you mean 'sampling'\?"),
        ({"method": {"covariance": "ignored"}}, r"needs a 'name'. Received keys \['covariance'\]"),
        ({"method": np.array(["moments"])}, r"Unknown value of `method` array\(\['moments'\]"),
        (
            {"method": {"name": "moments", "covarance": "ignored"}},
            r"Unknown option of method='moments' 'covarance'.*Did you mean 'covariance'\?",
        ),
        (
            {"method": {"name": "sampling", "covariance": "ignored"}},
            "method='sampling' takes no options here. Received 'cov",
        ),
        ({"method": {"name": "moments", "max_pool": "mean"}}, r"Unknown value of `max_pool` 'mean'"),
        ({"weights": "coherent"}, r"Unknown value of `weights` 'coherent'; choose one of \['mean', 'sample'\]"),
        ({"likelihood": "categoric"}, r"Unknown likelihood 'categoric'.*Did you mean 'categorical'\?"),
    ],
)
def test_arguments_out_of_range_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        bc.predict(model, X, **options)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:0], r"Inputs are an array \[N, \.\.\] with N >= 1\. Received shape \(0, 6, 6, 1\)"),
        ((X * 255).astype(np.uint8), r"must be floating-point numbers of order 1\. Received uint8: scale images"),
        (X[..., 0], r"`convolution` takes inputs of shape \[N, H, W, 1\], channels last"),
        (tf.data.Dataset.from_tensor_slices(X).batch(2).take(0), "nothing to predict: the data set is empty"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(model, x, message):
    with pytest.raises(ValueError, match=message):
        bc.predict(model, x)


def test_a_model_with_spatial_outputs_is_refused():
    with pytest.raises(ValueError, match=r"models with outputs \[N, K\].*end it with Flatten"):
        bc.predict(bc.Convolution(1, 2, 3), X)


def test_an_empty_ensemble_is_refused():
    with pytest.raises(ValueError, match="a list with at least one"):
        bc.predict([], X)


def test_the_average_is_of_probabilities_and_not_of_logits():
    predictive = bc.predict(
        _model(_factory("reparameterization", posterior={"name": "mean_field_normal", "initial_scale": 2.0})), X
    )
    log_mean = logsumexp(predictive.logits - logsumexp(predictive.logits, axis=-1, keepdims=True), axis=0) - np.log(32)
    np.testing.assert_allclose(np.log(predictive.probs), log_mean, atol=1e-4)
    assert np.abs(predictive.probs - softmax(predictive.logits.mean(axis=0), axis=-1)).max() > 0.05


# Models that are not a plain chain.


class _TwoDraws(bc.Layer):
    """A layer that calls another one with two seeds of its own."""

    def __init__(self):
        super().__init__()
        self.inner = bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout)

    def forward(self, inputs, *, is_training, seed):
        first, second = random.split(random.as_seed(seed))
        return self.inner(inputs, is_training=is_training, seed=first) - self.inner(
            inputs, is_training=is_training, seed=second
        )


def test_inner_seeds_keep_their_randomness():
    model, x = _TwoDraws(), np.ones([4, 3], np.float32)
    predictive = bc.predict(model, x, num_samples=5)
    seeds = [random.fold_in(random.as_seed(0), s) for s in range(5)]
    expected = np.stack([model(x, seed=seed, weights="coherent", is_training=False) for seed in seeds])
    np.testing.assert_allclose(predictive.logits, expected, atol=1e-6)
    assert predictive.logits.std(axis=0).min() > 1e-3


def test_a_shuffled_data_set_is_read_once_for_all_members_and_banks(monkeypatch):
    models = [bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout) for _ in range(2)]
    x = np.random.default_rng(0).normal(size=[48, 3]).astype(np.float32)
    expected = np.sort(bc.predict(models, x, num_samples=4).mutual_information)
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", 100)
    shuffled = tf.data.Dataset.from_tensor_slices(x).shuffle(48).batch(8)
    found = np.sort(bc.predict(models, shuffled, num_samples=4).mutual_information)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_members_with_other_numbers_of_outputs_are_refused():
    with pytest.raises(ValueError, match=r"equally many outputs. Received \[3, 2\]"):
        bc.predict([bc.Affine(4, 3), bc.Affine(4, 2)], np.ones([1, 4], np.float32))


def test_a_layer_in_a_loop_of_the_model_is_refused_by_name():
    inner = bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout, name="inside")
    loop = bc.Lambda(
        lambda x: tf.map_fn(lambda row: inner(row[tf.newaxis])[0], x, fn_output_signature=tf.float32), also_track=inner
    )
    with pytest.raises(RuntimeError, match="`inside` is called inside a loop"):
        bc.predict(loop, np.ones([2, 3], np.float32))


def test_a_layer_whose_draws_are_out_of_reach_is_an_error_and_not_a_point_prediction():
    class Hidden(bc.Layer):
        def __init__(self):
            super().__init__()
            self.inner = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
            self.compiled = tf.function(lambda x: self.inner(x, is_training=False, weights="mean"), autograph=False)

        def forward(self, inputs, *, is_training, seed):
            return self.compiled(inputs)

    model, x = Hidden(), np.ones([2, 4], np.float32)
    model(x)  # from here on its trace is in the cache
    with pytest.raises(RuntimeError, match=r"\['affine'\] did not draw.* compile the whole model"):
        bc.predict(model, x, num_samples=4)


def test_counts_may_be_numpys():
    model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    predictive = bc.predict(model, np.ones([2, 4], np.float32), num_samples=np.int64(3), batch_size=np.int32(1))
    assert predictive.logits.shape == (3, 2, 3)

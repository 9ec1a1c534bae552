"""Claims about the objective: the KL is scaled once, and in the way the formula says."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import objectives, random

X = tf.constant(np.random.default_rng(0).normal(size=(6, 3)), tf.float64)
Y = np.array([0, 1, 2, 0, 1, 2])


def _model(factory=bc.make_kernel_bias_flipout):
    first = bc.Affine(3, 4, make_kernel_bias_fn=factory, dtype=tf.float64)
    return bc.Sequential([first, tf.nn.relu, bc.Affine(4, 3, make_kernel_bias_fn=factory, dtype=tf.float64)])


def _terms(model, seed):
    """Mean negative log-likelihood and KL of one draw."""
    with bc.collect_extras() as extras:
        logits = model(X, seed=seed).numpy()
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -log_probs[np.arange(6), Y].mean(), float(extras.loss)


def test_the_loss_is_the_formula():
    model = _model()
    found = bc.elbo(model, X, Y, num_data=60, kl_weight=0.7, temperature=0.2, seed=3)
    nll, kl = _terms(model, random.split(random.as_seed(3), 1)[0])
    np.testing.assert_allclose(found.negative_log_likelihood, nll, rtol=1e-12)
    np.testing.assert_allclose(found.kl, kl, rtol=1e-12)
    np.testing.assert_allclose(found.loss, nll + 0.7 * 0.2 * kl / 60, rtol=1e-12)


def test_the_kl_is_divided_by_the_number_of_data_and_not_by_the_batch():
    model = _model()
    losses = [bc.elbo(model, X, Y, num_data=n, seed=3) for n in (10, 1000)]
    difference = losses[0].loss - losses[1].loss
    np.testing.assert_allclose(difference, losses[0].kl * (1 / 10 - 1 / 1000), rtol=1e-9)
    half = bc.elbo(model, X[:3], Y[:3], num_data=10, seed=3)
    np.testing.assert_allclose(half.kl, losses[0].kl, rtol=1e-12)


def test_several_samples_average_both_terms():
    model = _model(functools.partial(bc.make_kernel_bias_reparameterization, prior="student_t"))
    found = bc.elbo(model, X, Y, num_data=60, num_samples=3, seed=3)
    terms = [_terms(model, seed) for seed in random.split(random.as_seed(3), 3)]
    nll, kl = np.mean(terms, axis=0)
    assert np.ptp([term[1] for term in terms]) > 1e-3
    np.testing.assert_allclose([found.negative_log_likelihood, found.kl], [nll, kl], rtol=1e-12)
    np.testing.assert_allclose(found.loss, nll + kl / 60, rtol=1e-12)


def test_a_penalty_weight_scales_the_loss_but_not_the_reported_kl():
    plain = bc.elbo(_model(), X, Y, num_data=60, seed=3)
    bc.set_seed(0)
    half = bc.elbo(
        _model(functools.partial(bc.make_kernel_bias_flipout, penalty_weight=0.5)), X, Y, num_data=60, seed=3
    )
    bc.set_seed(0)
    whole = bc.elbo(_model(), X, Y, num_data=60, seed=3)
    np.testing.assert_allclose(plain.loss, whole.loss, rtol=1e-12)
    np.testing.assert_allclose(half.kl, whole.kl, rtol=1e-12)
    np.testing.assert_allclose(whole.loss - half.loss, 0.5 * whole.kl / 60, rtol=1e-9)


def test_a_penalty_weight_that_divides_already_is_refused_with_the_remedy():
    model = _model(functools.partial(bc.make_kernel_bias_flipout, penalty_weight=0.05))
    with pytest.raises(
        ValueError, match=r"`affine` already scales it by penalty_weight=0\.05\. Leave penalty_weight at 1"
    ):
        bc.elbo(model, X, Y, num_data=60)
    assert objectives.penalty_weight_of(_model()[0]) == 1.0


def test_the_data_term_of_an_empty_batch_is_zero_and_its_gradient_finite():
    model = _model()
    with tf.GradientTape() as tape:
        terms = bc.elbo(model, X[:0], Y[:0], num_data=60, seed=3)
    assert float(terms.negative_log_likelihood) == 0.0
    np.testing.assert_allclose(terms.loss, terms.kl / 60, rtol=1e-12)
    gradients = tape.gradient(terms.loss, model.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients if gradient is not None)


def test_a_shared_layer_is_penalized_once():
    shared = bc.Affine(3, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout, dtype=tf.float64)
    once = bc.elbo(shared, X, Y, num_data=60, seed=3).kl
    np.testing.assert_allclose(bc.elbo(bc.Sequential([shared, shared]), X, Y, num_data=60, seed=3).kl, once, rtol=1e-12)


def test_a_point_model_has_no_kl():
    terms = bc.elbo(_model(bc.make_kernel_bias), X, Y, num_data=60)
    assert float(terms.kl) == 0.0
    assert float(terms.loss) == float(terms.negative_log_likelihood)


@pytest.mark.parametrize("num_data", [0, -1, float("nan"), float("inf"), "60"])
def test_a_number_of_data_that_is_none_is_refused(num_data):
    with pytest.raises(ValueError, match=r"`num_data` is the number of training examples. Received"):
        bc.elbo(_model(), X, Y, num_data=num_data)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match=r"`num_samples` must be a positive int. Received 0"):
        bc.elbo(_model(), X, Y, num_data=1, num_samples=0)


@pytest.mark.parametrize("num_samples", [1.5, True, "3", -2])
def test_a_number_of_samples_that_is_none_is_refused(num_samples):
    with pytest.raises(ValueError, match=f"`num_samples` must be a positive int. Received {num_samples!r}"):
        bc.elbo(_model(), X, Y, num_data=60, num_samples=num_samples)


@pytest.mark.parametrize("name", ["temperature", "kl_weight"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), np.float32(-1)])
def test_a_number_that_would_reward_the_kl_or_make_no_sense_is_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` multiplies the KL: a finite number, not negative.* Received"):
        bc.elbo(_model(), X, Y, num_data=60, **{name: value})


def test_numbers_may_be_zero_numpys_or_tensors():
    model = _model()
    plain = bc.elbo(model, X, Y, num_data=60, num_samples=2, seed=3)
    same = bc.elbo(model, X, Y, num_data=np.int64(60), num_samples=np.int64(2), seed=3, kl_weight=tf.constant(1.0))
    assert float(plain.loss) == float(same.loss)
    for name in ("temperature", "kl_weight"):
        without = bc.elbo(model, X, Y, num_data=60, seed=3, **{name: 0})
        assert float(without.loss) == float(without.negative_log_likelihood)


def test_a_likelihood_comes_as_itself_a_name_a_mapping_or_a_function():
    itself = bc.likelihoods.normal(scale=0.3)
    assert objectives.as_likelihood(itself) is itself
    assert objectives.as_likelihood("categorical") is objectives.as_likelihood("categorical")
    assert objectives.as_likelihood({"name": "normal", "scale": 0.3}).name == "normal"
    assert objectives.as_likelihood(bc.likelihoods.bernoulli).name == "bernoulli"


# Other bounds.


def test_a_bound_combines_the_log_weights_of_the_draws():
    model = _model(functools.partial(bc.make_kernel_bias_reparameterization, penalty_weight=0.5))
    options = {"num_data": 60, "num_samples": 3, "seed": 3, "kl_weight": 0.7, "temperature": 0.2}
    log_weights = []
    for seed in random.split(random.as_seed(3), 3):
        with bc.collect_extras() as extras:
            log_probs = tf.nn.log_softmax(model(X, seed=seed)).numpy()[np.arange(6), Y]
        ratio = sum(
            float(q.log_prob(w) - p.log_prob(w))
            for layer, extra in extras.items()
            if extra.loss is not None
            for q, p, w in zip(layer.posterior, layer.prior, extra.result, strict=True)
        )
        log_weights.append(60 * log_probs.mean() - 0.7 * 0.2 * 0.5 * ratio)
    found = bc.elbo(model, X, Y, bound="importance_weighted", **options)
    np.testing.assert_allclose(found.loss, -np.log(np.mean(np.exp(log_weights))) / 60, rtol=1e-10)
    found = bc.elbo(model, X, Y, bound={"name": "renyi", "alpha": 2.0}, **options)
    np.testing.assert_allclose(found.loss, np.log(np.mean(np.exp(-np.array(log_weights)))) / 60, rtol=1e-10)
    plain = bc.elbo(model, X, Y, **options)
    np.testing.assert_allclose(found[1:], plain[1:], rtol=1e-12)  # the terms that are reported stay the same


def test_a_bound_of_ones_own_is_a_function_of_the_log_weights():
    @bc.bounds.register("median")
    def median(log_weights):
        return tf.sort(log_weights)[1]

    model = _model(bc.make_kernel_bias_reparameterization)
    singles = [
        float(bc.elbo(model, X, Y, num_data=60, num_samples=3, seed=3, bound=f).loss)
        for f in (lambda v: v[0], lambda v: v[1], lambda v: v[2])
    ]
    found = bc.elbo(model, X, Y, num_data=60, num_samples=3, seed=3, bound="median").loss
    np.testing.assert_allclose(found, np.median(singles), rtol=1e-12)


def test_a_penalty_without_a_posterior_counts_in_every_log_weight():
    layer = bc.Affine(3, 3, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization, dtype=tf.float64)
    options = {"num_data": 60, "num_samples": 2, "seed": 3, "bound": "importance_weighted"}
    without, with_penalty = (
        bc.elbo(bc.Sequential([layer, bc.Lambda(extra_loss_fn=lambda _, p=p: p)]), X, Y, **options).loss
        for p in (0.0, 0.5)
    )
    np.testing.assert_allclose(with_penalty - without, 0.5 / 60, rtol=1e-9)


@pytest.mark.parametrize("log_weights", [[-1e5, -1e5 - 3.0], [4000.0, -4000.0], [2.0, 2.0]])
@pytest.mark.parametrize("alpha", [-3.0, 0.0, 0.5, 1.0, 1.5])
def test_renyis_bound_neither_overflows_nor_leaves_the_range_of_the_log_weights(log_weights, alpha):
    value = bc.bounds.renyi(tf.constant(log_weights, tf.float64), alpha=alpha)
    assert min(log_weights) <= float(value) <= max(log_weights)
    weights = tf.Variable(log_weights, dtype=tf.float64)
    with tf.GradientTape() as tape:
        value = bc.bounds.renyi(weights, alpha=alpha)
    gradient = tape.gradient(value, weights)
    order = np.array(log_weights) * (1 - alpha)
    expected = np.exp(order - order.max()) / np.exp(order - order.max()).sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            bc.make_kernel_bias_flipout,
            r"`affine` gives every example a perturbation .*Received the estimator flipout; u",
        ),
        (bc.make_kernel_bias_local_reparameterization, "Received the estimator local_reparameterization"),
    ],
)
def test_a_bound_that_weights_draws_is_refused_where_examples_do_not_share_one(factory, message):
    model = _model(factory)
    with pytest.raises(ValueError, match=message):
        bc.elbo(model, X, Y, num_data=60, num_samples=2, bound="importance_weighted")
    with pytest.raises(ValueError, match=message):
        bc.fit(model, (X.numpy(), Y), epochs=1, num_samples=2, bound="importance_weighted")
    objectives.check_bound(model, "elbo", 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bound": "renyi", "num_samples": 1}, r"renyi needs num_samples >= 2\. Received 1"),
        ({"bound": "iwae"}, "Unknown bound 'iwae'"),
        ({"bound": {"name": "renyi", "alfa": 1}}, r"Did you mean 'alpha'\?"),
        (
            {"bound": {"name": "renyi", "alpha": np.inf}, "num_samples": 2},
            "is a finite number, such as 0.5. Received inf",
        ),
    ],
)
def test_a_bound_that_does_not_exist_or_would_do_nothing_is_refused(options, message):
    model = _model(bc.make_kernel_bias_reparameterization)
    with pytest.raises(ValueError, match=message):
        bc.fit(model, (X.numpy(), Y), epochs=1, progress=False, **options)


def test_another_bound_does_not_resume_a_run(tmp_path):
    model, options = _model(bc.make_kernel_bias_reparameterization), {"num_samples": 2, "progress": False}
    bc.fit(model, (X.numpy(), Y), epochs=1, bound="importance_weighted", run_dir=tmp_path, **options)
    with pytest.raises(ValueError, match=r"were \{'bound': 'importance_weighted'\}"):
        bc.fit(model, (X.numpy(), Y), epochs=1, run_dir=tmp_path, resume=True, **options)


def _schedule(identifier, *progress):
    return objectives.schedules.resolve(identifier)(tf.constant(progress, tf.float32)).numpy()


@pytest.mark.parametrize(
    ("identifier", "values"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("linear", [0, 0.25 / 0.8, 0.5 / 0.8, 0.75 / 0.8, 1]),
        ({"name": "linear", "warm_up": 0.5}, [0, 0.5, 1, 1, 1]),
        ({"name": "linear", "warm_up": 0.0}, [1, 1, 1, 1, 1]),
        (
            {"name": "sigmoid", "warm_up": 1.0, "steepness": 4.0},
            [1 / (1 + np.e**2), 1 / (1 + np.e), 0.5, 1 / (1 + 1 / np.e), 1],
        ),
        ({"name": "cyclical", "cycles": 2}, [0, 1, 0, 1, 1]),
        ({"name": "cyclical", "cycles": 1, "rise": 1.0}, [0, 0.25, 0.5, 0.75, 1]),
    ],
)
def test_schedules_at_the_quarters(identifier, values):
    np.testing.assert_allclose(_schedule(identifier, 0, 0.25, 0.5, 0.75, 1), values, rtol=1e-6)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ({"name": "linear", "warm_up": 5.0}, "`warm_up` is a share, from 0 to 1. Received 5.0"),
        ({"name": "linear", "warm_up": -1}, "`warm_up` is a share, from 0 to 1. Received -1"),
        ({"name": "sigmoid", "warm_up": np.nan}, "`warm_up` is a share, from 0 to 1. Received nan"),
        ({"name": "sigmoid", "steepness": 0}, "`steepness` must be positive and finite. Received 0"),
        ({"name": "cyclical", "rise": 1.5}, "`rise` is a share, from 0 to 1. Received 1.5"),
        ({"name": "cyclical", "cycles": 0}, "at least one cycle. Received cycles=0"),
    ],
)
def test_schedules_that_never_come_to_the_whole_kl_are_refused(identifier, message):
    with pytest.raises(ValueError, match=message):
        _schedule(identifier, 0.5)


@pytest.mark.parametrize("name", objectives.schedules.names())
def test_schedules_stay_between_0_and_1_end_at_1_and_only_cycles_fall(name):
    values = _schedule(name, *np.linspace(0, 1, 201))
    assert values.min() >= 0
    assert values.max() == values[-1] == 1
    assert (np.diff(values) >= -1e-7).all() == (name != "cyclical")


def test_penalties_of_several_dtypes_are_added_in_the_widest():
    layer = bc.Affine(2, 2, dtype=tf.float64, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    model = bc.Sequential([layer, bc.Lambda(extra_loss_fn=lambda _: 0.5)])
    terms = bc.elbo(model, np.ones([2, 2]), np.zeros(2, int), num_data=10, seed=0)
    assert terms.kl.dtype == tf.float64
    np.testing.assert_allclose(terms.kl, layer.divergence.penalty(None, None) + 0.5, rtol=1e-6)

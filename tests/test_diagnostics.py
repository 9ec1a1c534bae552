"""Claims about diagnoses: the numbers are what they say, and every mistake that they are for is found by name."""

from __future__ import annotations

import functools
import json
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import diagnostics, measurements, random

tfd = tfp.distributions
N = 600
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)).astype(np.float32), RNG.integers(0, 3, 20)


def _model(factory=bc.make_kernel_bias_reparameterization, use_bias=True, **options):
    factory = functools.partial(factory, **options)
    first = bc.Affine(3, 4, make_kernel_bias_fn=factory, use_bias=use_bias, name="first")
    head = bc.Affine(4, 3, make_kernel_bias_fn=factory, use_bias=use_bias, name="head")
    return bc.Sequential([first, tf.nn.relu, head])


def _put(layer, loc, scale):
    for q in layer.posterior:
        q.distribution.loc.assign(tf.broadcast_to(tf.cast(loc, q.dtype), q.event_shape))
        q.distribution.scale.assign(tf.broadcast_to(tf.cast(scale, q.dtype), q.event_shape))


@pytest.fixture
def diagnose(monkeypatch):
    """`bc.diagnose` by two draws as they come: tracing is most of it, and what is found does not depend on that."""
    monkeypatch.setattr(measurements, "compiled", lambda function, signature: function)
    return functools.partial(bc.diagnose, num_draws=2)


@pytest.fixture(scope="module")
def any_model():
    return _model(use_bias=False)


def _names(diagnosis):
    return [finding.name for finding in diagnosis.findings]


# The numbers.


def test_the_table_has_the_moments_of_the_posterior_relative_to_the_prior(diagnose):
    model = _model(prior={"name": "normal", "loc": 0.5, "scale": 2.0})
    _put(model[0], 1.0, 0.5)
    _put(model[-1], -3.0, 1.0)
    first, head = diagnose(model).layers
    assert (first.name, first.kind, first.num_weights, head.num_weights) == ("first", "Affine", 16, 15)
    assert (first.scale_ratio, head.scale_ratio) == (0.25, 0.5)
    np.testing.assert_allclose(first.signal_to_noise, 2.0)
    np.testing.assert_allclose(head.signal_to_noise, 3.0)
    # log 2 / s + (s^2 + (m - 1/2)^2) / 8 - 1/2
    np.testing.assert_allclose(first.kl, 16 * (np.log(4.0) + (0.25 + 0.25) / 8 - 0.5), rtol=1e-5)
    np.testing.assert_allclose(head.kl, 15 * (np.log(2.0) + (1.0 + 12.25) / 8 - 0.5), rtol=1e-5)
    assert first.loc_gradient is None


def test_shares_count_weights_at_the_prior_and_at_a_point(diagnose):
    model = _model(prior={"name": "normal", "loc": 0.5, "scale": 2.0})
    kernel = model[-1].posterior.kernel.distribution
    scales = np.full([4, 3], 1.0, np.float32)
    scales[0], scales[1] = 1.95, 0.01
    locs = np.full([4, 3], 0.5, np.float32)
    locs[0, 2] = 0.8  # off by more than a tenth of the prior's scale
    kernel.loc.assign(locs)
    kernel.scale.assign(scales)
    model[-1].posterior.bias.distribution.scale.assign(np.full([3], 1.0, np.float32))
    head = diagnose(model).layers[1]
    np.testing.assert_allclose([head.share_at_prior, head.share_at_point], [2 / 15, 3 / 15])


def test_a_monte_carlo_kl_is_averaged_and_a_penalty_weight_left_out():
    model = _model(prior="student_t", penalty_weight=0.5)
    found = bc.diagnose(model, num_draws=12, seed=1)
    seeds = [random.fold_in(random.as_seed(1), i) for i in range(12)]
    head = model[-1]
    values = [float(head.divergence.penalty(lambda s=s: bc.divergences.sample(head.posterior, s), s)) for s in seeds]
    np.testing.assert_allclose(found.layers[1].kl, np.mean(values), rtol=1e-6)
    assert np.std(values) > 1.0


def test_the_data_term_is_of_all_the_data_and_gradients_are_those_of_the_objective():
    model = _model()
    found = bc.diagnose(model, X, Y, num_data=N, temperature=0.3, num_draws=5, seed=2)
    nlls, gradients = [], []
    variables = [model[-1].posterior.kernel.distribution.loc, model[-1].posterior.bias.distribution.loc]
    for i in range(5):
        with tf.GradientTape() as tape, bc.collect_extras() as extras:
            logits = model(X, seed=random.fold_in(random.as_seed(2), i))
            nll = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(Y, logits))
            loss = nll + 0.3 * extras.loss / N
        nlls.append(float(nll))
        gradients.append(np.concatenate([g.numpy().ravel() for g in tape.gradient(loss, variables)]))
    np.testing.assert_allclose(found.data_term, N * np.mean(nlls), rtol=1e-5)
    expected = np.abs(np.mean(gradients, axis=0)) / np.std(gradients, axis=0, ddof=1)
    np.testing.assert_allclose(found.layers[1].loc_gradient, np.median(expected), rtol=1e-3)
    assert found.layers[1].scale_gradient > 0
    assert "0.3, " in str(found)
    assert f"{found.data_term:,.1f} nats for 600 examples" in str(found)


def test_a_prior_without_a_standard_deviation_has_a_scale(diagnose):
    model = _model(prior={"name": "student_t", "df": 1.0, "scale": 0.5})
    _put(model[-1], 0.0, 0.25)
    assert diagnose(model).layers[1].scale_ratio == pytest.approx(0.5)


class _NoMoments(tfd.Distribution):
    """A normal that knows neither its mean nor its standard deviation."""

    def __init__(self, spec):
        self.loc = tf.Variable(tf.zeros(spec.shape), name=f"{spec.name}/loc")
        super().__init__(spec.dtype, tfd.FULLY_REPARAMETERIZED, False, True, parameters={"loc": self.loc})

    def _event_shape(self):
        return self.loc.shape

    def _batch_shape(self):
        return tf.TensorShape([])

    def _sample_n(self, n, seed=None):
        return self.loc + random.normal(tf.concat([[n], self.loc.shape], 0), seed)

    def _log_prob(self, value):
        return tf.reduce_sum(-0.5 * tf.square(value - self.loc), axis=range(-self.loc.shape.rank, 0))


def test_a_posterior_without_scales_shows_what_applies(diagnose):
    model = _model(posterior=lambda specs: bc.map_kernel_bias(_NoMoments, specs))
    found = diagnose(model, X, Y, num_data=N)
    head = found.layers[1]
    assert head.scale_ratio is head.signal_to_noise is head.share_at_prior is head.scale_gradient is None
    assert np.isfinite(head.kl)
    assert head.loc_gradient > 0
    assert str(found).splitlines()[2].split()[-6:] == ["-", "-", "-", "-", f"{head.loc_gradient:.2f}", "-"]


@pytest.mark.slow
@pytest.mark.parametrize("posterior", bc.posteriors.names())
def test_every_posterior_can_be_diagnosed_and_written_as_json(posterior):
    prior = {"rank_1": "rank_1", "filterwise_dropout": "flat", "batch_ensemble": "flat"}.get(posterior, "normal")
    factory = functools.partial(bc.make_kernel_bias_reparameterization, posterior=posterior, prior=prior)
    model = bc.Affine(3, 3, make_kernel_bias_fn=factory, name="head")
    found = bc.diagnose(model, X, Y, num_data=N, num_draws=2)
    written = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert written["layers"][0]["name"] == "head"
    assert written["kl"] == found.kl
    assert str(found)


def test_weights_that_are_points_by_choice_are_left_out(diagnose):
    model = _model(posterior="rank_1", prior="rank_1")
    kernel = model[-1].posterior.kernel
    np.testing.assert_array_equal(model[-1].posterior.bias.stddev(), np.zeros(3))
    expected = np.quantile(np.abs(kernel.mean() / kernel.stddev()), diagnostics.QUANTILES)
    np.testing.assert_allclose(diagnose(model).layers[1].signal_to_noise, expected, rtol=1e-5)


# The mistakes.


def test_a_model_in_order_has_no_findings(diagnose):
    found = diagnose(_model(), X, Y, num_data=N)
    assert found.findings == ()
    assert str(found).endswith("Nothing looks wrong.")


def test_a_missing_number_of_data_is_found(diagnose):
    found = diagnose(_model(), X, Y)
    assert _names(found) == ["num_data_missing"]
    assert found.data_term is None
    assert "Pass num_data, the size of the whole training set" in str(found)


def test_a_number_of_data_that_is_the_batch_size_is_found(diagnose):
    model = bc.Affine(3, 3, use_bias=False, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    found = diagnose(model, X, Y, num_data=20)
    assert "num_data_is_batch_size" in _names(found)
    assert "num_data 20 equals the batch size" in str(found)
    assert "num_data_is_batch_size" not in _names(diagnose(model, X, Y, num_data=20, batch_size=5))
    assert "num_data_is_batch_size" in _names(diagnose(model, X, Y, num_data=64, batch_size=64))
    assert "num_data_too_small" in _names(diagnose(model, X, Y, num_data=10))


def test_a_kl_that_dwarfs_the_data_term_is_found_by_its_factor(diagnose):
    model = _model(use_bias=False)
    found = diagnose(model, X, Y, num_data=20, batch_size=5)
    factor = found.kl / found.data_term
    many = diagnose(model, X, Y, num_data=20, batch_size=5, temperature=20 / factor)
    assert "KL is 20x the data term" in str(many)
    assert "kl_dwarfs_data" in _names(many)
    assert "kl_dwarfs_data" not in _names(diagnose(model, X, Y, num_data=20, batch_size=5, temperature=5 / factor))


def test_a_posterior_that_collapsed_is_found_in_its_layer(diagnose):
    model = _model(prior={"name": "normal", "scale": 2.0})
    _put(model[0], 0.1, 1.9)
    _put(model[-1], 1.0, 0.01)
    found = diagnose(model)
    assert [(finding.name, finding.layer) for finding in found.findings] == [
        ("collapsed_to_prior", "first"),
        ("collapsed_to_point", "head"),
    ]
    assert "posterior of first has collapsed to its prior: 100% of its weights" in str(found)
    _put(model[0], 0.5, 1.9)  # mutants: another mean, another scale
    _put(model[-1], 0.0, 0.03)
    assert diagnose(model).findings == ()


def test_penalty_weights_that_count_the_kl_otherwise_than_once_are_found(diagnose):
    assert _names(diagnose(_model(penalty_weight=1 / N))) == ["penalty_weight_divides"] * 2
    found = diagnose(_model(penalty_weight=2.0), X, Y, num_data=N)
    assert _names(found) == ["penalty_weight_above_1"] * 2
    assert "penalty_weight of first is 2: its KL counts more than once" in str(found)
    assert diagnose(_model(penalty_weight=0.5)).findings == ()


def test_a_layer_that_is_not_used_is_found(diagnose):
    class Forgetful(bc.Layer):
        def __init__(self):
            super().__init__()
            self.used, self.unused = _model(), bc.Affine(2, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout)

        def forward(self, inputs, *, is_training, seed):
            return self.used(inputs)

    found = diagnose(Forgetful(), X, Y, num_data=N)
    assert [(finding.name, finding.layer) for finding in found.findings] == [("no_gradient", "affine")]


def test_point_weights_have_nothing_to_diagnose(diagnose):
    found = diagnose(_model(bc.make_kernel_bias), X, Y, num_data=N)
    assert _names(found) == ["nothing_bayesian"]


def _nll(model, x, y):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x)))


LOSSES = {
    "elbo": (lambda m, x, y: bc.elbo(m, x, y, num_data=N).loss, None),
    "elbo of several draws": (lambda m, x, y: bc.elbo(m, x, y, num_data=N, num_samples=3).loss, None),
    "by hand": (lambda m, x, y: _nll(m, x, y) + m.extra_loss / N, None),
    "elbo and extra_loss": (
        lambda m, x, y: bc.elbo(m, x, y, num_data=N).loss + m.extra_loss,
        r"the KL counts twice, once divided by num_data and once whole: it has 601x the weight",
    ),
    "elbo and its own KL": (
        lambda m, x, y: bc.elbo(m, x, y, num_data=N).loss + m.extra_loss / N,
        "the KL counts twice: it has 2x the weight",
    ),
    "whole": (lambda m, x, y: _nll(m, x, y) + m.extra_loss, r"is not divided by num_data: it has 600x"),
    "by the batch": (
        lambda m, x, y: bc.elbo(m, x, y, num_data=len(x)).loss,
        r"is divided by the batch size in place of num_data: it has 30x",
    ),
    "by both": (
        lambda m, x, y: _nll(m, x, y) + m.extra_loss / N / 20,
        "by num_data and by the batch size: it has 0.05x",
    ),
    "twice divided": (lambda m, x, y: _nll(m, x, y) + m.extra_loss / N**2, "is divided by num_data twice"),
    "mean": (lambda m, x, y: _nll(m, x, y) + m.extra_loss / 24 / N, "is a mean over the weights in place of a sum"),
    "none": (lambda m, x, y: _nll(m, x, y), "is not in the loss, or is computed past the layers"),
    "half": (
        lambda m, x, y: bc.elbo(m, x, y, num_data=N, kl_weight=0.5).loss,
        "has another weight, if no warm-up is meant: it has 0.5x",
    ),
    "first layer alone": (lambda m, x, y: _nll(m, x, y) + m[0].extra_loss / N, "the KL of head is not in the loss"),
}


@pytest.mark.parametrize(("loss", "message"), LOSSES.values(), ids=LOSSES.keys())
def test_the_weight_of_the_kl_in_a_users_loss_is_measured(diagnose, loss, message):
    model = _model(use_bias=False)
    found = diagnose(model, X, Y, num_data=N, loss=lambda x, y: loss(model, x, y))
    if message is None:
        assert found.findings == ()
    else:
        assert _names(found) == ["kl_weight"]
        assert re.search(message, found.findings[0].message)


def test_a_compiled_loss_is_measured_as_it_is_written(diagnose):
    model = _model(use_bias=False)
    compiled = tf.function(lambda x, y: bc.elbo(model, x, y, num_data=N).loss + model.extra_loss, autograph=False)
    compiled(X, Y)  # a trace that knows nothing of the diagnosis
    assert "counts twice, once divided" in str(diagnose(model, X, Y, num_data=N, loss=compiled))


def test_the_temperature_belongs_to_the_weight_of_the_kl(diagnose):
    model = _model(use_bias=False)

    def cold(x, y):
        return bc.elbo(model, x, y, num_data=N, temperature=0.1).loss

    assert diagnose(model, X, Y, num_data=N, temperature=0.1, loss=cold).findings == ()
    (finding,) = diagnose(model, X, Y, num_data=N, loss=cold).findings
    assert "has 0.1x the weight" in finding.message


def test_the_way_of_tfp_is_right_where_the_loss_does_not_divide(diagnose):
    model = _model(use_bias=False, penalty_weight=1 / N)
    found = diagnose(model, X, Y, num_data=N, loss=lambda x, y: _nll(model, x, y) + model.extra_loss)
    assert found.findings == ()
    found = diagnose(model, X, Y, num_data=N, loss=lambda x, y: _nll(model, x, y) + model.extra_loss / N)
    assert "is divided by num_data twice" in str(found)


def test_a_diagnosis_leaves_no_trace():
    model = _model(use_bias=False)
    divergences = [layer.divergence for layer in (model[0], model[-1])]

    def broken(x, y):
        raise RuntimeError("mine")

    bc.set_seed(5)
    expected = random.as_seed(None)
    bc.set_seed(5)
    bc.diagnose(model, X, Y, num_data=N, loss=lambda x, y: bc.elbo(model, x, y, num_data=N).loss)
    np.testing.assert_array_equal(random.as_seed(None), expected)
    with pytest.raises(RuntimeError, match="mine"):
        bc.diagnose(model, X, Y, num_data=N, loss=broken)
    assert [layer.divergence for layer in (model[0], model[-1])] == divergences


def test_the_same_seed_gives_the_same_diagnosis(diagnose):
    model = _model(bc.make_kernel_bias_flipout, use_bias=False, prior="student_t")
    first, again = (diagnose(model, X, Y, num_data=N, seed=3).as_json() for _ in range(2))
    assert first == again
    assert diagnose(model, X, Y, num_data=N, seed=4).as_json() != first


# What is not finite.


def _not_finite(diagnosis):
    assert "Nothing looks wrong" not in str(diagnosis)
    json.dumps(diagnosis.as_json(), allow_nan=False)
    return [(finding.layer, finding.message) for finding in diagnosis.findings if finding.name == "not_finite"]


def test_a_posterior_that_has_diverged_is_found_in_its_layer(diagnose):
    model = _model(use_bias=False)
    model[-1].posterior.kernel.distribution.loc.assign(tf.fill([4, 3], np.nan))
    ((layer, message),) = _not_finite(diagnose(model))
    assert layer == "head"
    assert "the posterior of head has variables that are not finite" in message
    (_, nll), (layer, _) = _not_finite(diagnose(model, X, Y, num_data=N))
    assert layer == "head"
    assert re.search(r"log-likelihood of nan\. .*first is the variable layers/2/kernel/loc of `head`", nll)


def test_a_prior_that_is_not_finite_is_found_in_its_layer(diagnose):
    model = _model(use_bias=False, prior="anchored_normal")
    model[-1].prior.kernel.distribution.scale.assign(tf.fill([4, 3], np.nan))
    found = diagnose(model, X, Y, num_data=N)
    ((layer, message),) = _not_finite(found)
    assert layer == "head"
    assert "the KL of head is nan, though its posterior is finite: its prior has parameters that are not" in message
    assert found.as_json()["kl"] is None


def test_inputs_that_are_not_finite_are_named(diagnose):
    ((layer, message),) = _not_finite(diagnose(_model(), np.where(X.max() == X, np.nan, X), Y, num_data=N))
    assert layer is None
    assert "What is not finite first is the inputs" in message


def test_a_gradient_that_is_not_finite_is_found_though_the_terms_are(diagnose):
    @tf.custom_gradient
    def treacherous(t):
        return tf.identity(t), lambda dy: dy * np.nan

    factory = bc.make_kernel_bias_reparameterization
    first = bc.Affine(3, 4, make_kernel_bias_fn=factory, activation_fn=treacherous, name="first")
    model = bc.Sequential([first, bc.Affine(4, 3, make_kernel_bias_fn=factory, name="head")])
    found = diagnose(model, X, Y, num_data=N)
    ((layer, message),) = _not_finite(found)
    assert layer == "first"
    assert "the gradient of the posterior of first is not finite, though" in message
    assert found.layers[1].not_finite is None


def test_a_loss_that_is_not_finite_is_found(diagnose):
    found = diagnose(_model(use_bias=False), X, Y, num_data=N, loss=lambda x, y: tf.constant(np.nan))
    assert "your loss is nan, so the weight of the KL" in _not_finite(found)[0][1]


# Losses that are compiled, bounds, and temperatures.


def _compiled(model, factor=1.0):
    def loss(x, y):
        return bc.elbo(model, x, y, num_data=N).loss + (factor - 1.0) * model.extra_loss / N

    return tf.function(loss, autograph=False)


@pytest.mark.parametrize("wrap", [functools.partial, lambda f: lambda x, y: f(x, y), lambda f: f])
def test_a_compiled_loss_is_measured_wherever_it_stands(diagnose, wrap):
    model = _model(use_bias=False)
    right, twice = _compiled(model), _compiled(model, 2.0)
    before = [float(f(X, Y)) for f in (right, twice)]  # traces that know nothing of the diagnosis
    assert np.isfinite(before).all()
    assert diagnose(model, X, Y, num_data=N, loss=wrap(right)).findings == ()
    found = diagnose(model, X, Y, num_data=N, loss=wrap(twice))
    assert "the KL counts twice" in str(found)
    assert not tf.config.functions_run_eagerly()


def test_functions_run_as_before_even_after_a_loss_that_fails(diagnose):
    def broken(x, y):
        raise RuntimeError("mine")

    tf.config.run_functions_eagerly(True)
    try:
        diagnose(_model(), X, Y, num_data=N, loss=lambda x, y: 0.0)
        assert tf.config.functions_run_eagerly()
    finally:
        tf.config.run_functions_eagerly(False)
    with pytest.raises(RuntimeError, match="mine"):
        diagnose(_model(), X, Y, num_data=N, loss=broken)
    assert not tf.config.functions_run_eagerly()


def test_a_loss_whose_layers_cannot_be_seen_is_not_accused(diagnose):
    model = _model(use_bias=False)
    traced = _compiled(model).get_concrete_function(tf.TensorSpec([None, 3]), tf.TensorSpec([None], tf.int64))

    def loss(x, y):
        return traced(tf.constant(x), tf.constant(y))

    (finding,) = diagnose(model, X, Y, num_data=N, loss=loss).findings
    assert finding.name == "kl_not_measured"
    assert "Pass the function before get_concrete_function" in finding.message


@pytest.mark.parametrize(
    ("bound", "prior"),
    [
        ("renyi", "normal"),
        ("importance_weighted", "learnable_normal"),
        ({"name": "renyi", "alpha": 2.0}, tfd.Normal(0.0, 0.3)),
    ],
)
def test_the_librarys_own_bounds_are_measured(diagnose, bound, prior):
    model = _model(prior=prior, use_bias=False)
    priors = [layer.prior for layer in (model[0], model[-1])]
    known = [layer.prior.kernel.log_prob(tf.ones(layer.kernel_shape)) for layer in (model[0], model[-1])]

    def loss(x, y, num_data):
        return bc.elbo(model, x, y, num_data=num_data, bound=bound, num_samples=4, temperature=0.1).loss

    options = {"num_data": N, "num_draws": 2, "temperature": 0.1}
    assert "kl_weight" not in _names(diagnose(model, X, Y, loss=lambda x, y: loss(x, y, N), **options))
    found = diagnose(model, X, Y, loss=lambda x, y: loss(x, y, 20), **options)
    assert "is divided by the batch size in place of num_data: it has 30x" in str(found)
    for layer, prior_before, log_prob in zip((model[0], model[-1]), priors, known, strict=True):
        assert layer.prior == prior_before
        assert float(layer.prior.kernel.log_prob(tf.ones(layer.kernel_shape))) == float(log_prob)


@pytest.mark.parametrize("name", [name for name in bc.priors.names() if name not in {"flat", "rank_1", "tied_mean"}])
def test_any_prior_can_be_made_less_probable_without_a_change_to_itself(name):
    prior = _model(prior=name, use_bias=False)[0].prior.kernel
    w = tf.ones(prior.event_shape)
    before = float(prior.log_prob(w))
    asked = set()
    shifted = measurements._less_probable(prior, tf.constant(64.0), "layer", asked)
    assert type(shifted) is type(prior)
    assert float(shifted.log_prob(w)) == pytest.approx(before - 64.0, rel=1e-5)
    assert asked == {"layer"}
    assert float(prior.log_prob(w)) == before


COLD = {
    "is not divided by num_data: it has 600x": lambda m, x, y: _nll(m, x, y) + 0.03 * m.extra_loss,
    "is not multiplied by the temperature: it has 33.3x": lambda m, x, y: bc.elbo(m, x, y, num_data=N).loss,
    "is not divided by num_data, and is not multiplied by the temperature": (
        lambda m, x, y: _nll(m, x, y) + m.extra_loss
    ),
    "is divided by the batch size in place of num_data, and is not multiplied by the temperature": (
        lambda m, x, y: bc.elbo(m, x, y, num_data=20).loss
    ),
    "is multiplied by the temperature twice": lambda m, x, y: _nll(m, x, y) + 0.03**2 * m.extra_loss / N,
    "counts twice, once with the temperature and once without": (
        lambda m, x, y: bc.elbo(m, x, y, num_data=N, temperature=0.03).loss + m.extra_loss / N
    ),
}


@pytest.mark.parametrize(("message", "loss"), COLD.items(), ids=COLD)
def test_what_is_wrong_with_a_cold_kl_is_said_in_words(diagnose, message, loss):
    model = _model(use_bias=False)
    (finding,) = diagnose(model, X, Y, num_data=N, temperature=0.03, loss=lambda x, y: loss(model, x, y)).findings
    assert message in finding.message
    assert "multiplied by the temperature, divided by num_data and added, each once" in finding.message
    assert "bc.elbo(..., temperature=0.03).loss has it already" in finding.message


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x, y: tf.zeros([20]), r"one number, .* Received shape \(20,\): take tf\.reduce_mean"),
        (lambda x, y: bc.objectives.Elbo(0.0, 0.0, 0.0), "Received Elbo: .*`.loss` of bc.elbo"),
        (lambda x, y: None, "Received NoneType"),
        (lambda x, y: "1", "Received str"),
    ],
)
def test_a_loss_that_is_no_number_is_refused(diagnose, any_model, loss, message):
    with pytest.raises(ValueError, match=message):
        diagnose(any_model, X, Y, num_data=N, loss=loss)


@pytest.mark.parametrize("which", [{"x": 0}, {"y": 0}, {"x": 0, "y": 0}])
def test_a_data_set_in_place_of_a_batch_is_refused(diagnose, any_model, which):
    data = {name: tf.data.Dataset.from_tensors(value) if name in which else value for name, value in DATA.items()}
    with pytest.raises(TypeError, match=r"Received a tf\.data\.Dataset; take a batch of it"):
        diagnose(any_model, **data)
    with pytest.raises(TypeError, match=r"Received a tf\.data\.Dataset"):
        diagnose(any_model, tf.data.Dataset.from_tensors((X, Y)), num_data=N)


def test_what_is_no_function_is_no_loss(diagnose, any_model):
    with pytest.raises(TypeError, match=r"`loss` is a function of x and y, .*Received 0\.5"):
        diagnose(any_model, X, Y, num_data=N, loss=0.5)


def test_numbers_may_be_numpys_or_whole_floats(diagnose):
    model = _model()
    found = diagnose(model, X, Y, num_data=6e2, num_draws=np.int64(2), batch_size=np.int32(20))
    assert found.num_data == N
    assert isinstance(found.num_data, int)
    assert found.findings == ()


DATA = {"x": X, "y": Y}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            ({**DATA, "num_data": n}, "`num_data` is the number of ex.* Received")
            for n in ("5", -5, 0, 0.5, np.nan, True)
        ),
        *(({"temperature": t}, "`temperature` multiplies the KL.* Received") for t in (-1, np.nan, np.inf)),
        ({"temperature": "1"}, "`temperature` is a number. Received '1'"),
        *(({"num_draws": n}, f"`num_draws` must be a positive int. Received {n!r}") for n in (2.5, "4", True)),
        *(({"batch_size": n}, f"`batch_size` must be a positive int. Received {n}") for n in (0, 2.5)),
        ({"x": X, "y": Y[:7]}, r"one target per input. Received x of shape \(20, 3\) and y of \(7,\)"),
        ({"x": X[:0], "y": Y[:0]}, r"with N >= 1. Received shape \(0, 3\)"),
        ({"x": X}, "`x` and `y` come together. Received x alone"),
        ({"y": Y}, "Received y alone"),
        ({"loss": lambda x, y: 0.0}, r"`loss\(x, y\)` is measured on a batch"),
        ({"num_draws": 1}, "num_draws >= 2. Received 1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(diagnose, any_model, arguments, message):
    with pytest.raises(ValueError, match=message):
        diagnose(any_model, **arguments)


def test_thresholds_are_those_of_the_documentation():
    assert (diagnostics.AT_PRIOR_SCALE, diagnostics.AT_PRIOR_LOC, diagnostics.AT_POINT_SCALE) == (0.9, 0.1, 0.01)

"""Claims about going on from a posterior, and about starting from an ordinary network's weights."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(6, 5, 5, 1)).astype(np.float32)
ANCHORED = functools.partial(bc.make_kernel_bias_flipout, prior="anchored_normal")


def _model(factory=bc.make_kernel_bias_flipout, filters=3):
    return bc.Sequential(
        [
            bc.Convolution(1, filters, 3, make_kernel_bias_fn=factory, activation_fn=tf.nn.relu),
            bc.LayerNorm(filters),
            bc.Flatten(),
            bc.Affine(9 * filters, 2, make_kernel_bias_fn=factory),
        ]
    )


def _changed(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign_add(rng.normal(scale=0.3, size=variable.shape).astype(np.float32))
    return model


def _trained_step(model):
    with tf.GradientTape() as tape, bc.collect_extras() as extras:
        loss = tf.reduce_sum(model(X, seed=1) ** 2) + extras.loss
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        variable.assign_sub(1e-2 * gradient)


def test_the_posterior_of_one_model_is_the_prior_of_the_next_and_its_start():
    first = _changed(_model())
    second = bc.continue_from(first, _model(ANCHORED))
    for old, new in ((first[0], second[0]), (first[3], second[3])):
        for q, posterior, prior in zip(old.posterior, new.posterior, new.prior, strict=True):
            for found in (posterior, prior):
                np.testing.assert_array_equal(found.mean(), q.mean())
                np.testing.assert_allclose(found.stddev(), q.stddev(), rtol=1e-6)
    np.testing.assert_array_equal(first(X, weights="mean"), second(X, weights="mean"))  # the norm's weights as well
    second(X)
    assert abs(float(second.extra_loss)) < 1e-4


def test_the_prior_stays_where_it_was_put_whatever_either_model_does():
    first = _changed(_model())
    second = bc.continue_from(first, _model(ANCHORED))
    before = [p.mean().numpy() for p in second[0].prior]
    _changed(first, seed=1)
    _trained_step(second)
    for p, mean in zip(second[0].prior, before, strict=True):
        np.testing.assert_array_equal(p.mean(), mean)
    assert not [v.name for v in second.trainable_variables if v.name.startswith("prior/")]
    second(X)
    assert float(second.extra_loss) > 1e-4


def test_a_continued_model_is_saved_with_its_prior_and_goes_on_again(tmp_path):
    path = bc.save_model(_changed(_model()), tmp_path / "first.npz")
    second = _changed(bc.continue_from(path, _model(ANCHORED)), seed=2)
    again = bc.load_model(bc.save_model(second, tmp_path / "second.npz"))
    for model in (second, again):
        model(X, seed=3)
    assert float(again.extra_loss) == float(second.extra_loss) > 0.0
    third = bc.continue_from(again, _model(ANCHORED))
    np.testing.assert_array_equal(third[3].prior.kernel.mean(), second[3].posterior.kernel.mean())


def test_a_posterior_of_another_family_anchors_by_its_moments():
    laplace = functools.partial(bc.make_kernel_bias_reparameterization, posterior="laplace")
    first = _changed(_model(laplace))
    second = bc.continue_from(first, _model(functools.partial(laplace, prior="anchored_normal")))
    np.testing.assert_allclose(second[0].prior.kernel.stddev(), first[0].posterior.kernel.stddev(), rtol=1e-6)


def test_two_parts_of_the_data_one_after_the_other_are_as_good_as_both_at_once():
    # One weight of a linear model, y = w x + noise: the posterior after both parts is conjugate, and normal.
    rng = np.random.default_rng(4)
    x, noise = rng.normal(size=(40, 1)), 0.5
    y = 0.8 * x + noise * rng.normal(size=(40, 1))

    def layer(prior):
        factory = bc.kernel_bias.factory("reparameterization", prior=prior)
        return bc.Affine(1, 1, use_bias=False, make_kernel_bias_fn=factory, dtype=tf.float64)

    def fitted(model, x, y):
        optimizer = tf.keras.optimizers.Adam(0.03)
        q = model.posterior.kernel

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                residual = tf.reduce_sum((y - x @ q.mean()) ** 2) + tf.reduce_sum((x**2) @ q.variance())
                loss = residual / (2 * noise**2) + model.divergence.penalty(None, None)
            variables = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        for _ in range(1500):
            step()
        return model

    first = fitted(layer({"name": "normal", "scale": 1.0}), x[:10], y[:10])
    second = fitted(bc.continue_from(first, layer("anchored_normal")), x[10:], y[10:])
    precision = 1.0 + np.sum(x**2) / noise**2
    q = second.posterior.kernel
    assert float(q.variance()[0, 0]) == pytest.approx(1 / precision, rel=1e-2)
    assert float(q.mean()[0, 0]) == pytest.approx(np.sum(x * y) / noise**2 / precision, rel=1e-2)


def _affine(posterior="mean_field_normal", prior="normal", **options):
    posterior = {"name": posterior, **options}
    factory = bc.kernel_bias.factory("reparameterization", posterior=posterior, prior=prior)
    return bc.Affine(2, 3, make_kernel_bias_fn=factory, name="head")


def _put(layer, loc, scale):
    for q in layer.posterior:
        q.distribution.loc.assign(tf.fill(q.event_shape, loc))
        q.distribution.scale.assign(tf.fill(q.event_shape, scale))
    return layer


@pytest.mark.parametrize(("old", "new"), [("softplus", "exp"), ("exp", "softplus"), ("softplus", "softplus")])
def test_scales_are_taken_over_by_what_they_mean(old, new):
    source = _put(_affine(parameterization=old), -2.0, 3.0)
    target = bc.continue_from(source, _affine(prior="anchored_normal", parameterization=new))
    for found in (*target.posterior, *target.prior):
        np.testing.assert_allclose(found.stddev(), np.full(found.event_shape, 3.0), rtol=1e-5)
        np.testing.assert_array_equal(found.mean(), np.full(found.event_shape, -2.0))


def _unchanged(target, message, transfer):
    before = [variable.numpy() for variable in target.variables]
    with pytest.raises(ValueError, match=message):
        transfer()
    for variable, value in zip(target.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (_affine("laplace"), {}, "same families. Received Normal in `head` and Laplace in the source"),
        (_affine("radial"), {}, "Received Normal in `head` and Radial in the source"),
        (
            _affine("student_t", df=3.0),
            {"posterior": "student_t", "df": 30.0},
            "cannot have the means and standard dev",
        ),
        (_put(_affine(), np.nan, 1.0), {}, "at finite means, with positive .* `head` in the source"),
        (_put(_affine(), 0.0, np.nan), {}, "at finite means, with positive .* `head` in the source"),
    ],
)
def test_what_would_mean_something_else_is_refused_and_nothing_changes(source, target, message):
    target = _affine(prior="anchored_normal", **target)
    _unchanged(target, message, lambda: bc.continue_from(source, target))


def test_a_model_without_posteriors_does_not_go_on():
    with pytest.raises(ValueError, match=r"The target is a model with posteriors\. Received `plain` with none"):
        bc.continue_from(bc.Affine(2, 3), bc.Affine(2, 3, name="plain"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _model(), "has prior='anchored_normal' in all its Bayesian layers. Received the layer `convolution`"),
        (
            lambda: _model(ANCHORED, filters=4),
            r"do not fit this model: .*kernel/loc is float32\[3, 3, 1, 3\], expected",
        ),
        (lambda: bc.Affine(2, 2, make_kernel_bias_fn=ANCHORED), "missing kernel/loc"),
    ],
)
def test_models_that_do_not_fit_are_refused_and_nothing_changes(make, message):
    target = make()
    before = [variable.numpy() for variable in target.variables]
    with pytest.raises(ValueError, match=message):
        bc.continue_from(_changed(_model()), target)
    for variable, value in zip(target.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"`target` must be a bayesconv layer\. Received 3"):
        bc.continue_from(_model(), 3)
    with pytest.raises(TypeError, match="`source` must be a bayesconv layer"):
        bc.start_from_weights(None, _model())


# MOPED


def test_trained_weights_are_the_start_of_the_posterior_and_the_mean_of_an_anchored_prior():
    trained = _changed(_model(bc.make_kernel_bias))
    model = bc.start_from_weights(trained, _model(ANCHORED), delta=0.2, prior_scale=0.5)
    for weights, layer in ((trained[0], model[0]), (trained[3], model[3])):
        w = weights.kernel.numpy()
        np.testing.assert_array_equal(layer.posterior.kernel.mean(), w)
        np.testing.assert_allclose(layer.posterior.kernel.stddev(), 0.2 * np.maximum(np.abs(w), 1e-3), rtol=1e-5)
        np.testing.assert_array_equal(layer.prior.kernel.mean(), w)
        np.testing.assert_allclose(layer.prior.kernel.stddev(), np.full_like(w, 0.5))
    np.testing.assert_array_equal(trained(X), model(X, weights="mean"))


def test_other_priors_are_left_alone():
    trained = _changed(_model(bc.make_kernel_bias))
    for prior in ("normal", "learnable_normal", "horseshoe"):
        model = bc.start_from_weights(trained, _model(functools.partial(bc.make_kernel_bias_flipout, prior=prior)))
        np.testing.assert_array_equal(trained(X), model(X, weights="mean"))


def test_a_start_from_weights_that_does_not_fit_is_refused():
    trained = _model(bc.make_kernel_bias)
    with pytest.raises(ValueError, match=r"`delta` and `prior_scale` are positive and finite\. Received 0\.0 and None"):
        bc.start_from_weights(trained, _model(), delta=0.0)
    with pytest.raises(ValueError, match="do not fit this model"):
        bc.start_from_weights(trained, _model(filters=4))


@pytest.mark.parametrize(
    "target",
    [
        _affine(),
        _affine(parameterization="softplus"),
        _affine("laplace"),
        _affine("student_t"),
        _affine("student_t", df=3.0),
        _affine("radial"),
    ],
)
def test_every_posterior_with_scales_of_its_own_starts_with_the_standard_deviation_that_is_asked_for(target):
    trained = bc.Affine(2, 3)
    trained.kernel.assign([[5.0, -5.0, 0.1], [1.0, 0.0, -2.0]])
    bc.start_from_weights(trained, target, delta=0.5)
    np.testing.assert_array_equal(target.posterior.kernel.mean(), trained.kernel)
    expected = [[2.5, 2.5, 0.05], [0.5, 5e-4, 1.0]]
    np.testing.assert_allclose(target.posterior.kernel.stddev(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("posterior", "options"),
    [
        ("mixture_of_means", {}),
        ("low_rank_normal", {}),
        ("matrix_normal", {}),
        ("k_tied_normal", {}),
        ("gaussian_dropout", {}),
        ("variational_dropout", {}),
        ("rank_1", {}),
        ("filterwise_dropout", {}),
        ("mean_field_normal", {"share_scale": "filter"}),
    ],
)
def test_a_posterior_without_scales_of_its_own_does_not_start_from_weights(posterior, options):
    prior = {"rank_1": "rank_1", "filterwise_dropout": "flat", "batch_ensemble": "flat"}.get(posterior, "normal")
    target = _affine(posterior, prior, **options)
    message = r"has a location and a scale of its own for every weight.*Received \w+ in `head`"
    _unchanged(target, message, lambda: bc.start_from_weights(bc.Affine(2, 3), target))


def test_only_an_ordinary_network_gives_its_weights_and_only_to_a_bayesian_one():
    with pytest.raises(
        ValueError, match=r"has point weights\. Received the layer `head` with a posterior; .*continue_f"
    ):
        bc.start_from_weights(_affine(), _affine())
    for source in (_affine(), bc.Affine(2, 3)):
        with pytest.raises(ValueError, match=r"model with posteriors\. Received `plain` with none; build it"):
            bc.start_from_weights(source, bc.Affine(2, 3, name="plain"))
    with pytest.raises(ValueError, match="positive and finite"):
        bc.start_from_weights(bc.Affine(2, 3), _affine(), delta=np.inf)


def test_weights_that_are_not_finite_are_refused_and_nothing_changes():
    trained, target = bc.Affine(2, 3), _affine()
    trained.kernel.assign(tf.fill([2, 3], np.nan))
    _unchanged(target, "holds NaN or infinite numbers", lambda: bc.start_from_weights(trained, target))

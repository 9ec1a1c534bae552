"""Claims about factories of weights: ours, TFP's in both orders, and users'."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest
import reference
import tensorflow as tf
import tensorflow_probability as tfp
import tensorflow_probability.python.experimental.nn as tfn
from partials import nested

import bayesconv as bc
from bayesconv import estimators, kernel_bias

tfd = tfp.distributions
X = tf.ones([3, 4, 4, 2])
TFP_ORDER = [
    "kernel_shape", "bias_shape", "init_kernel_fn", "init_bias_fn", "kernel_batch_ndims", "bias_batch_ndims", "dtype",
    "kernel_name", "bias_name",
]  # fmt: skip


def _layer(factory, **options):
    return bc.Convolution(2, 3, 2, make_kernel_bias_fn=factory, **options)


def _bind(**options):
    return functools.partial(bc.make_kernel_bias_variational, **options)


def test_a_factory_stays_one_of_ours_in_partial_applications_of_one_another():
    factory = nested(bc.make_kernel_bias_variational, estimator="flipout")
    layers = []
    for make in (bc.make_kernel_bias_flipout, functools.partial(factory, penalty_weight=1.0)):
        bc.set_seed(0)
        layers.append(_layer(make))
    one, other = layers
    np.testing.assert_array_equal(one.posterior.kernel.mean(), other.posterior.kernel.mean())
    np.testing.assert_array_equal(one.posterior.kernel.stddev(), other.posterior.kernel.stddev())


@pytest.mark.parametrize("name", [name for name in bc.__all__ if name.startswith("make_kernel_bias")])
def test_every_factory_has_tfps_signature(name):
    parameters = inspect.signature(getattr(bc, name)).parameters.values()
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == TFP_ORDER
    defaults = [p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][2:]
    assert defaults == [None, None, 0, 0, tf.float32, "kernel", "bias"]


# Ours.


def test_the_point_factory_is_glorot_uniform_and_zero():
    kernel, bias = bc.make_kernel_bias([3, 3, 20, 30], [30], kernel_name="k", bias_name="b")
    assert (kernel.name, bias.name) == ("k:0", "b:0")
    np.testing.assert_array_equal(bias, np.zeros(30))
    limit = np.sqrt(6 / (9 * 20 + 9 * 30))
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    np.testing.assert_allclose(np.std(kernel), limit / np.sqrt(3), rtol=0.02)


def test_the_variational_factories_differ_in_the_estimator_alone():
    for name in ("reparameterization", "flipout", "local_reparameterization", "sliced"):
        made = getattr(bc, f"make_kernel_bias_{name}")([4, 3], [3])
        assert made.estimator is estimators.get(name)
        assert isinstance(made, bc.VariationalKernelBias)
        assert bc.as_kernel_bias(made) == made.posterior == (made.kernel, made.bias)
        assert made.divergence.name == "exact"
        assert made.penalty_weight == 1.0


def test_what_the_layer_asks_for_reaches_the_specs():
    seen = []

    def prior(specs):
        seen.append(specs)
        return bc.priors.normal(specs)

    _layer(_bind(prior=prior), dtype=tf.float64, batch_shape=5, init_kernel_fn=bc.initializers.he_normal())
    kernel, bias = seen[0]
    assert (kernel.shape, bias.shape) == ((5, 2, 2, 2, 3), (5, 3))
    assert kernel.dtype == bias.dtype == tf.float64
    assert kernel.fan_in == bias.fan_in == 8
    assert kernel.batch_ndims == bias.batch_ndims == 1
    assert kernel.initializer.__name__ == "he_normal"
    assert (kernel.name, bias.name) == ("kernel", "bias")


def test_the_kernels_fan_in_is_read_off_its_shape_outside_of_a_layer():
    made = bc.make_kernel_bias_flipout([7, 3, 3, 4, 8], [7, 8], kernel_batch_ndims=1, bias_batch_ndims=1)
    np.testing.assert_allclose(made.prior.bias.distribution.scale, np.sqrt(2 / 36), rtol=1e-6)


def test_options_are_names_mappings_and_functions():
    by_name = _layer(_bind(prior="laplace"))
    by_mapping = _layer(_bind(prior={"name": "laplace", "scale": 0.1}))
    by_function = _layer(_bind(prior=functools.partial(bc.priors.laplace, scale=0.1)))
    assert isinstance(by_name.prior.kernel.distribution, tfd.Laplace)
    np.testing.assert_allclose(by_mapping.prior.kernel.distribution.scale, 0.1, rtol=1e-6)
    np.testing.assert_allclose(by_function.prior.bias.distribution.scale, 0.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "laplas"}, r"Unknown prior 'laplas'.*Did you mean 'laplace'\?"),
        (
            {"prior": {"name": "laplace", "scael": 1}},
            r"Prior 'laplace' got the unknown option 'scael'.*Did you mean 'scale'\?",
        ),
        ({"posterior": "mean_field"}, r"Unknown posterior 'mean_field'.*Did you mean 'mean_field_normal'\?"),
        ({"estimator": "flip"}, r"Unknown estimator 'flip'"),
        ({"divergence": "exakt"}, r"Unknown divergence 'exakt'.*Did you mean 'exact'\?"),
        ({"divergence": "exact", "prior": "student_t"}, r"There is no closed form of KL\(Normal \|\| StudentT\)"),
        (
            {"posterior": {"name": "mean_field_normal", "initial_scale": 0.0}},
            "starts with a positive scale. Received initial_scale=0.0",
        ),
    ],
)
def test_options_that_do_not_exist_or_fit_are_refused_with_a_suggestion(options, message):
    with pytest.raises(ValueError, match=message):
        _layer(_bind(**options))


def test_a_configuration_states_the_factory_by_its_four_choices():
    assert kernel_bias.factory(posterior="deterministic") is bc.make_kernel_bias
    assert kernel_bias.factory(posterior={"name": "deterministic"}) is bc.make_kernel_bias
    layer = _layer(kernel_bias.factory(estimator="reparameterization", prior="laplace", divergence="monte_carlo"))
    assert layer.estimator is estimators.get("reparameterization")
    assert layer.divergence.name == "monte_carlo(num_samples=1)"


# TFP's.


def test_tfps_own_point_factory_works():
    layer = _layer(tfn.util.make_kernel_bias, init_kernel_fn=lambda shape, dtype: tf.ones(shape, dtype))
    assert isinstance(layer.kernel, tf.Variable)
    np.testing.assert_allclose(layer(X), np.full([3, 3, 3, 3], 8.0))


def test_tfps_own_posterior_and_prior_work():
    posterior, prior = tfn.util.make_kernel_bias_posterior_mvn_diag, tfn.util.make_kernel_bias_prior_spike_and_slab
    layer = _layer(_bind(posterior=posterior, prior=prior, estimator="reparameterization"))
    y = layer(X, seed=1)
    kernel, bias = (part.numpy() for part in layer.extra_result)
    np.testing.assert_allclose(y, reference.convolution(X.numpy(), kernel) + bias, atol=1e-5)
    q = [layer.posterior.kernel.log_prob(kernel), layer.posterior.bias.log_prob(bias)]
    p = [layer.prior.kernel.log_prob(kernel), layer.prior.bias.log_prob(bias)]
    np.testing.assert_allclose(layer.extra_loss, sum(q) - sum(p), rtol=1e-5)
    assert len(layer.trainable_variables) == 4


def test_our_pieces_under_tfps_names_work_and_have_tfps_prior():
    posterior, prior = bc.make_kernel_bias_posterior_mvn_diag, bc.make_kernel_bias_prior_spike_and_slab
    layer = _layer(_bind(posterior=posterior, prior=prior))
    layer(X)
    assert layer.divergence.name == "monte_carlo(num_samples=1)"
    w = np.float32(0.3)
    normal = tfp.distributions.Normal
    expected = np.log(0.5 * normal(0.0, 1.0).prob(w) + 0.5 * normal(0.0, 2000.0).prob(w))
    np.testing.assert_allclose(layer.prior.bias.distribution.log_prob(w), expected, rtol=1e-5)


@pytest.mark.parametrize("order", ["old", "old by other names", "new", "positional only"])
def test_users_factories_in_either_order(order):
    def make(kernel_shape, bias_shape, init_kernel_fn, init_bias_fn, dtype, kernel_name, bias_name):
        kernel = tf.Variable(init_kernel_fn(kernel_shape, dtype=dtype), name=kernel_name)
        return kernel, tf.Variable(init_bias_fn(bias_shape, dtype=dtype), name=bias_name)

    factories = {
        "old": lambda kernel_shape, bias_shape, dtype, kernel_initializer, bias_initializer, kernel_name, bias_name: (
            make(kernel_shape, bias_shape, kernel_initializer, bias_initializer, dtype, kernel_name, bias_name)
        ),
        "old by other names": lambda ks, bs, t, ki, bi, kn, bn: make(ks, bs, ki, bi, t, kn, bn),
        "new": lambda ks, bs, ki, bi, kb, bb, t, kn, bn: make(ks, bs, ki, bi, t, kn, bn),
        "positional only": lambda ks, bs, dtype, init_kernel_fn, init_bias_fn, kn, bn, /: make(
            ks, bs, init_kernel_fn, init_bias_fn, dtype, kn, bn
        ),
    }
    layer = _layer(
        factories[order], dtype=tf.float64, init_bias_fn=lambda shape, dtype: tf.fill(shape, tf.cast(2.0, dtype))
    )
    assert (layer.kernel.name, layer.bias.name) == ("kernel:0", "bias:0")
    expected = reference.convolution(X.numpy().astype(float), layer.kernel.numpy()) + 2.0
    np.testing.assert_allclose(layer(X.numpy()), expected)


@pytest.mark.parametrize("inner", [bc.make_kernel_bias, bc.make_kernel_bias_flipout])
def test_a_wrapper_hands_keywords_on(inner):
    def tracked(kernel_shape, bias_shape, **options):
        seen.update(options)
        return inner(kernel_shape, bias_shape, **options)

    seen = {}
    layer = _layer(tracked, dtype=tf.float64)
    assert layer.kernel.dtype == tf.float64
    assert set(seen) >= {"dtype", "kernel_name", "bias_name", "kernel_batch_ndims"}
    assert "fan_in" not in seen  # which TFP's factories do not know


def test_a_mapping_and_a_pair_without_a_bias_are_weights_too():
    weights = {"kernel": tf.ones([2, 2, 2, 3]), "bias": tf.zeros([3])}
    np.testing.assert_allclose(_layer(lambda kernel_shape, bias_shape: weights)(X), np.full([3, 3, 3, 3], 8.0))
    single = _layer(lambda kernel_shape, bias_shape: [weights["kernel"]], use_bias=False)
    np.testing.assert_allclose(single(X), np.full([3, 3, 3, 3], 8.0))


def test_joint_distributions_are_posteriors_and_priors():
    def posterior(kernel_shape, bias_shape, dtype):
        def normal(shape, name):
            loc = tf.Variable(tf.zeros(shape, dtype), name=f"{name}_loc")
            return tfd.Independent(tfd.Normal(loc, tf.cast(0.5, dtype)), len(shape))

        return tfd.JointDistributionSequential([normal(kernel_shape, "kernel"), normal(bias_shape, "bias")])

    def prior(kernel_shape, bias_shape, dtype):
        one = tfd.Normal(tf.cast(0.0, dtype), tf.cast(2.0, dtype))
        return tfd.JointDistributionNamed(
            {"kernel": tfd.Sample(one, kernel_shape), "bias": tfd.Sample(one, bias_shape)}
        )

    layer = _layer(_bind(posterior=posterior, prior=prior), dtype=tf.float64)
    layer(X.numpy())
    assert {v.name for v in layer.trainable_variables} == {"kernel_loc:0", "bias_loc:0"}
    expected = reference.normal_kl(np.zeros(27), 0.5, 0.0, 2.0)
    np.testing.assert_allclose(layer.extra_loss, expected, rtol=1e-12)


@pytest.mark.parametrize("order", ["old", "new"])
def test_users_posteriors_that_require_initializers_get_them(order):
    def make(shapes, dtype, initializers):
        locs = [tf.Variable(f(shape, dtype)) for f, shape in zip(initializers, shapes, strict=True)]
        return [tfd.Independent(tfd.Normal(loc, tf.cast(0.1, dtype)), len(loc.shape)) for loc in locs]

    def old(kernel_shape, bias_shape, dtype, kernel_initializer, bias_initializer, kernel_name, bias_name):
        return make((kernel_shape, bias_shape), dtype, (kernel_initializer, bias_initializer))

    def new(kernel_shape, bias_shape, init_kernel_fn, init_bias_fn, kernel_batch_ndims, bias_batch_ndims, dtype):
        return make((kernel_shape, bias_shape), dtype, (init_kernel_fn, init_bias_fn))

    layer = _layer(_bind(posterior={"old": old, "new": new}[order]))
    kernel, bias = (part.distribution.loc.numpy() for part in layer.posterior)
    assert 0 < np.abs(kernel).max() <= np.sqrt(6 / (8 + 12)) + 1e-6  # Glorot uniform
    np.testing.assert_array_equal(bias, np.zeros(3))
    ones = _layer(_bind(posterior={"old": old, "new": new}[order]), init_kernel_fn=lambda shape, dtype: tf.ones(shape))
    np.testing.assert_array_equal(ones.posterior.kernel.mean(), np.ones([2, 2, 2, 3]))


# What factories may not give.


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda k, b: (tf.zeros([3]), tf.zeros(b)),
            r"give the kernel .*: shape \(2, 2, 2, 3\) and dtype float32\. Received shape \(3,\)",
        ),
        (lambda k, b: (tf.zeros(k), tf.zeros([4])), r"give the bias .*: shape \(3,\) .*Received shape \(4,\)"),
        (lambda k, b: (tf.zeros(k, tf.float64), tf.zeros(b)), r"Received shape \(2, 2, 2, 3\) and dtype float64"),
        (lambda k, b: (tf.zeros(k), None), r"give the bias .*Received None"),
        (lambda k, b: (tf.zeros(k),), r"give the bias .*Received None"),
    ],
)
def test_weights_of_another_shape_or_dtype_name_the_factory(made, message):
    def my_factory(kernel_shape, bias_shape):
        return made(kernel_shape, bias_shape)

    with pytest.raises(ValueError, match=message + ".* from my_factory, for `convolution`; use the shapes"):
        _layer(my_factory)


def test_a_bias_that_was_not_asked_for_is_refused():
    with pytest.raises(ValueError, match=r"must give the bias that the layer asks for: None\. Received shape \(3,\)"):
        _layer(lambda kernel_shape, bias_shape: (tf.zeros(kernel_shape), tf.zeros([3])), use_bias=False)


def test_what_is_no_pair_is_refused():
    with pytest.raises(
        TypeError, match=r"A kernel and a bias come as a pair.* It is from .*lambda.*, for `convolution`: ret"
    ):
        _layer(lambda kernel_shape, bias_shape: 3)


def test_a_posterior_in_the_place_of_a_factory_says_where_it_goes():
    with pytest.raises(TypeError, match=r"make_kernel_bias_posterior_mvn_diag: hand it over as .*posterior=\.\.\."):
        _layer(bc.make_kernel_bias_posterior_mvn_diag)


@pytest.mark.parametrize(
    ("distribution", "received"),
    [
        (lambda spec: tfd.Normal(tf.zeros(spec.shape), 1.0), r"event shape \(\), batch shape \(2, 2, 2, 3\)"),
        (lambda spec: tfd.Sample(tfd.Normal(0.0, 1.0), [7]), r"event shape \(7,\), batch shape \(\)"),
        (lambda spec: tfd.Sample(tfd.Normal(np.float64(0), 1.0), spec.shape), "dtype float64"),
    ],
)
@pytest.mark.parametrize("kind", ["prior", "posterior"])
def test_distributions_of_another_event_name_the_function(kind, distribution, received):
    def my_piece(specs):
        return bc.map_kernel_bias(distribution, specs)

    with pytest.raises(
        ValueError, match=rf"The {kind} of a weight is one distribution.*{received}.* from my_piece\. tfd\.Indep"
    ):
        _layer(_bind(**{kind: my_piece}))


def test_what_is_no_distribution_is_refused():
    with pytest.raises(TypeError, match=r"A prior gives a distribution .* Received EagerTensor from <lambda>"):
        _layer(_bind(prior=lambda specs: (tf.zeros([1]), tf.zeros([1]))))


def test_a_distribution_for_a_missing_bias_is_refused():
    def prior(specs):
        kernel = bc.priors.normal(specs).kernel
        return bc.KernelBias(kernel, kernel)

    with pytest.raises(ValueError, match=r"part for the bias exactly if the layer has a bias.*the layer has no bias"):
        _layer(_bind(prior=prior), use_bias=False)


# What a factory is told through a function around it.


def _around(factory):
    return lambda *args, **options: factory(*args, **options)


def test_the_fan_in_gets_through_a_function_around_a_factory():
    for factory in (bc.make_kernel_bias_flipout, _around(bc.make_kernel_bias_flipout)):
        layer = bc.DepthwiseConvolution(64, 3, make_kernel_bias_fn=factory)
        np.testing.assert_allclose(layer.prior.kernel.distribution.scale, np.sqrt(2 / 9), rtol=1e-6)


def test_the_fan_in_gets_to_a_posterior_under_tfps_name():
    posterior = bc.make_kernel_bias_posterior_mvn_diag
    layer = bc.DepthwiseConvolution(64, 3, make_kernel_bias_fn=_bind(posterior=posterior))
    np.testing.assert_allclose(layer.kernel.stddev(), np.full([3, 3, 64, 1], 0.25 * np.sqrt(2 / 9)), rtol=1e-5)
    made = bc.make_kernel_bias_flipout([4, 3], [3], fan_in=50, posterior=posterior)
    np.testing.assert_allclose(made.kernel.stddev(), np.full([4, 3], 0.25 * np.sqrt(2 / 50)), rtol=1e-5)


def test_the_fan_in_is_of_the_weights_that_were_asked_for_alone():
    others = []

    def factory(kernel_shape, bias_shape, **options):
        others.append(bc.make_kernel_bias_flipout([50, 2], [2]))
        return bc.make_kernel_bias_flipout(kernel_shape, bias_shape, **options)

    bc.DepthwiseConvolution(64, 3, make_kernel_bias_fn=factory)
    np.testing.assert_allclose(others[0].prior.kernel.distribution.scale, np.sqrt(2 / 50), rtol=1e-6)


# Numbers that are none.


@pytest.mark.parametrize("weight", [-1, -2.0, np.nan, np.inf, "a", None])
def test_a_penalty_weight_is_finite_and_not_negative(weight):
    with pytest.raises(ValueError, match="`penalty_weight` is a finite number, not negative"):
        _layer(_bind(penalty_weight=weight))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"posterior": {"name": "mean_field_normal", "initial_scale": np.inf}}, "=inf, .*: give one finite"),
        ({"posterior": {"name": "student_t", "df": np.inf}}, "a finite number: .*Received df=inf"),
        (
            {"posterior": {"name": "mean_field_normal", "initial_scale_ratio": np.ones(3)}},
            "'initial_scale_ratio' .* is a n",
        ),
        ({"posterior": {"name": "mean_field_normal", "initial_scale": "a"}}, "'initial_scale' .* is a number or None"),
        (
            {"posterior": {"name": "mean_field_normal", "trainable_scale": "no"}},
            "'trainable_scale' .* is True or False",
        ),
        ({"prior": {"name": "normal", "scale": np.inf}}, "must be finite. Received inf"),
        ({"prior": {"name": "normal", "loc": np.nan}}, "is finite in float32. Received nan"),
        ({"prior": {"name": "empirical_bayes", "concentration": np.inf}}, "must be finite. Received inf"),
        (
            {"prior": {"name": "student_t", "df": "3"}},
            "'df' of the prior 'student_t' is a number. Received '3' of type",
        ),
        ({"prior": {"name": "scale_mixture", "scales": 0.1}}, "'scales' .* is a sequence of numbers or None"),
        ({"prior": {"name": "spike_and_slab", "slab_probability": "a"}}, "'slab_probability' .* is a number"),
        ({"prior": functools.partial(bc.priors.empirical_bayes, rate="a")}, "'rate' .* is a number or None"),
        ({"divergence": {"name": "monte_carlo", "num_samples": True}}, "'num_samples' .* is an integer"),
        ({"divergence": {"name": "monte_carlo", "stick_the_landing": "no"}}, "is True or False"),
        ({"estimator": {"name": "local_reparameterization", "approximate": "yes"}}, "is True or False"),
    ],
)
def test_options_of_another_kind_or_not_finite_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        _layer(_bind(**options))


def test_numbers_of_numpy_are_numbers():
    choices = {"prior": {"name": "laplace", "scale": np.float32(0.5)}}
    choices["divergence"] = {"name": "monte_carlo", "num_samples": np.int64(3)}
    assert _layer(_bind(**choices)).divergence.name == "monte_carlo(num_samples=3)"


def test_a_prior_of_ones_own_may_have_an_ordinary_option():
    def prior(specs, scale=0.3):
        return bc.priors.normal(specs, scale=scale)

    np.testing.assert_allclose(_layer(_bind(prior=prior)).prior.kernel.distribution.scale, 0.3, rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, r"`make_kernel_bias_fn` must be a factory of weights, such as .*Received 3\."),
        (lambda: 0, r"A factory of weights takes \(kernel_shape, bias_shape.*which takes fewer than two arguments"),
    ],
)
def test_what_is_no_factory_is_refused_by_its_rule(wrong, message):
    with pytest.raises(TypeError, match=message):
        bc.Affine(2, 3, make_kernel_bias_fn=wrong)

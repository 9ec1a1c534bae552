"""Claims about TFP's layers on ours: the same arguments, the same meaning, the same body as the native layers."""

from __future__ import annotations

import functools
import inspect
import math
import runpy

import numpy as np
import pytest
import reference
import tensorflow as tf
import tensorflow_probability as tfp
import tensorflow_probability.python.experimental.nn as tfp_nn

import bayesconv as bc
from bayesconv import compat as tfn

tfd, tfb = tfp.distributions, tfp.bijectors
X = tf.reshape(tf.range(2 * 5 * 5 * 2, dtype=tf.float32), [2, 5, 5, 2]) / 50
DENSE = tf.reshape(tf.range(6.0), [2, 3]) / 6
MAKE = {
    "ConvolutionVariationalReparameterization": (bc.Convolution, "reparameterization", (2, 3, 2), X),
    "ConvolutionVariationalFlipout": (bc.Convolution, "flipout", (2, 3, 2), X),
    "ConvolutionTransposeVariationalReparameterization": (bc.ConvolutionTranspose, "reparameterization", (2, 3, 2), X),
    "ConvolutionTransposeVariationalFlipout": (bc.ConvolutionTranspose, "flipout", (2, 3, 2), X),
    "AffineVariationalReparameterization": (bc.Affine, "reparameterization", (3, 4), DENSE),
    "AffineVariationalFlipout": (bc.Affine, "flipout", (3, 4), DENSE),
    "AffineVariationalReparameterizationLocal": (bc.Affine, "local_reparameterization", (3, 4), DENSE),
}


def _normal_prior(kernel_shape, bias_shape, dtype=tf.float32, *args, **kwargs):
    one = tfd.Normal(tf.cast(0.0, dtype), tf.cast(1.0, dtype))
    return tfd.JointDistributionSequential([tfd.Sample(one, kernel_shape), tfd.Sample(one, bias_shape)])


def _layer(name="ConvolutionVariationalReparameterization", **options):
    return getattr(tfn, name)(*MAKE[name][2], **options)


# The documentation of TFP's Convolution, name by name.

POINT = {
    "init_kernel_fn": None, "init_bias_fn": None, "make_kernel_bias_fn": bc.make_kernel_bias, "dtype": tf.float32,
    "batch_shape": (), "activation_fn": None, "name": None,
}  # fmt: skip
SPATIAL = {"filter_shape": inspect.Parameter.empty, "rank": 2, "strides": 1, "padding": "VALID", "dilations": 1}
SIZES = {"input_size": inspect.Parameter.empty, "output_size": inspect.Parameter.empty}
MEMBERS = [
    "activation_fn", "also_track", "bias", "dtype", "extra_loss", "extra_result", "kernel", "name", "name_scope",
    "submodules", "trainable_variables", "variables",
]  # fmt: skip
METHODS = ["__call__", "eval", "load", "save", "summary", "with_name_scope"]


def _positional(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("convolution", [bc.Convolution, tfn.Convolution])
def test_arguments_of_the_convolution_stand_in_tfps_order_with_tfps_defaults(convolution):
    expected = {**SIZES, **SPATIAL, **POINT}
    assert list(_positional(convolution).items()) == list(expected.items())


@pytest.mark.parametrize("convolution", [bc.Convolution, tfn.Convolution])
def test_members_and_methods_of_the_convolution_are_tfps(convolution):
    layer = convolution(2, 3, 2)
    layer(X)
    for name in [*MEMBERS, *METHODS]:
        assert hasattr(layer, name), name
    assert all(callable(getattr(layer, name)) for name in METHODS)
    assert list(inspect.signature(layer.eval).parameters)[:2] == ["x", "is_training"]
    assert [v.shape for v in layer.trainable_variables] == [(2, 2, 2, 3), (3,)]
    np.testing.assert_allclose(layer.eval(X.numpy()), layer(X))


@pytest.mark.parametrize("affine", [bc.Affine, tfn.Affine])
def test_arguments_of_the_dense_layer_too(affine):
    assert list(_positional(affine).items()) == list({**SIZES, **POINT}.items())


@pytest.mark.parametrize("name", MAKE)
def test_arguments_of_the_variational_layers(name):
    options = [
        "init_kernel_fn",
        "init_bias_fn",
        "make_posterior_fn",
        "make_prior_fn",
        "posterior_value_fn",
        "unpack_weights_fn",
        "dtype",
        "penalty_weight",
        "posterior_penalty_fn",
        "activation_fn",
        "seed",
        "name",
    ]
    spatial = list(SPATIAL) if name.startswith("Convolution") else []
    spatial += ["output_padding", "method"] if "Transpose" in name else []
    parameters = _positional(getattr(tfn, name))
    assert list(parameters) == [*SIZES, *spatial, *options]
    assert parameters["penalty_weight"] is None
    assert parameters["posterior_penalty_fn"] is tfn.losses.kl_divergence_monte_carlo
    assert parameters["posterior_value_fn"] is tfd.Distribution.sample


def test_every_public_name_of_tfp_that_the_module_promises_is_there():
    v012 = {name for name in tfp_nn.__all__} if hasattr(tfp_nn, "__all__") else set(dir(tfp_nn))
    shared = {name for name in v012 if not name.startswith("_") and not name.endswith("V2")}
    assert shared - set(tfn.__all__) == set()
    assert {"Lambda", "KernelBiasLayer"} <= set(tfn.__all__)


def test_initializers_have_two_names_of_which_one_is_given():
    ones = lambda shape, dtype: tf.ones(shape, dtype)  # noqa: E731
    layer = tfn.Convolution(2, 3, 2, kernel_initializer=ones, bias_initializer=ones)
    np.testing.assert_array_equal(layer.kernel, np.ones([2, 2, 2, 3]))
    np.testing.assert_array_equal(layer.bias, np.ones(3))
    with pytest.raises(TypeError, match="`init_kernel_fn` and `kernel_initializer` are two names of one argument"):
        tfn.Affine(2, 3, ones, kernel_initializer=ones)


def test_an_unseeded_keras_initializer_gives_every_layer_values_of_its_own():
    shared = tf.initializers.he_uniform()
    first, second = (tfn.Affine(3, 4, init_kernel_fn=shared).kernel.numpy() for _ in range(2))
    assert not np.isclose(first, second).any()
    seeded = tf.initializers.he_uniform(seed=1)
    np.testing.assert_array_equal(*(tfn.Affine(3, 4, init_kernel_fn=seeded).kernel for _ in range(2)))


# The layers are ours.


@pytest.mark.parametrize("name", MAKE)
def test_a_variational_layer_is_the_native_one(name):
    kind, estimator, arguments, x = MAKE[name]
    layer = _layer(name, penalty_weight=0.25)
    factory = functools.partial(
        bc.make_kernel_bias_variational, estimator=estimator, posterior=bc.make_kernel_bias_posterior_mvn_diag,
        prior=bc.make_kernel_bias_prior_spike_and_slab, divergence="monte_carlo", penalty_weight=0.25,
    )  # fmt: skip
    native = kind(*arguments, make_kernel_bias_fn=factory)
    assert isinstance(layer, (kind, tfn.VariationalLayer))
    for mine, theirs in zip(layer.variables, native.variables, strict=True):
        mine.assign(theirs)
    assert list(layer.named_variables) == list(native.named_variables)
    np.testing.assert_array_equal(layer(x, seed=3), native(x, seed=3))
    np.testing.assert_array_equal(layer.extra_loss, native.extra_loss)
    tf.nest.map_structure(np.testing.assert_array_equal, layer.extra_result, native.extra_result)
    assert layer.penalty_weight == 0.25
    assert layer.kernel is layer.posterior.kernel


@pytest.mark.parametrize("name", MAKE)
def test_training_without_a_penalty_still_samples(name):
    layer, x = _layer(name), MAKE[name][3]
    first, second = layer(x, is_training=False), layer(x, is_training=False)
    assert layer.extra_loss is None
    assert not np.allclose(first, second)


def test_posterior_and_prior_are_joint_distributions():
    layer = _layer(make_prior_fn=_normal_prior)
    weights = layer.posterior.sample(seed=1)
    assert [w.shape for w in weights] == [(2, 2, 2, 3), (3,)]
    layer(X)
    q, p = layer.posterior.log_prob(layer.extra_result), layer.prior.log_prob(layer.extra_result)
    np.testing.assert_allclose(layer.extra_loss, q - p, rtol=1e-5)
    exact = tfn.losses.kl_divergence_exact(layer.posterior, layer.prior, None)
    normals = [layer.posterior.kernel.distribution, layer.posterior.bias.distribution]
    expected = sum(reference.normal_kl(n.loc.numpy(), n.scale.numpy(), 0.0, 1.0) for n in normals)
    np.testing.assert_allclose(exact, expected, rtol=1e-5)


# Penalties.


def test_the_penalty_weight_multiplies_and_may_be_a_variable():
    weight = tf.Variable(0.5, trainable=False)
    layer = _layer(penalty_weight=weight, make_prior_fn=_normal_prior)
    layer(X, seed=1)
    half = float(layer.extra_loss)
    weight.assign(2.0)
    layer(X, seed=1)
    np.testing.assert_allclose(layer.extra_loss, 4 * half, rtol=1e-6)
    assert float(_layer(penalty_weight=1.0 / tf.constant(4.0)).penalty_weight) == 0.25
    assert _layer().penalty_weight == 1.0


def test_the_exact_penalty_is_bound_or_refused_when_the_layer_is_built():
    exact = tfn.losses.kl_divergence_exact
    layer = _layer(posterior_penalty_fn=exact, make_prior_fn=_normal_prior)
    layer(X)
    np.testing.assert_allclose(layer.extra_loss, exact(layer.posterior, layer.prior), rtol=1e-6)
    assert layer.posterior_penalty_fn is exact
    with pytest.raises(ValueError, match=r"no closed form of KL\(Normal \|\| MixtureSameFamily\)"):
        _layer(posterior_penalty_fn=exact)


@pytest.mark.parametrize("name", MAKE)
def test_a_penalty_of_the_users_own_gets_joint_distributions_and_the_draw(name):
    seen = []

    def penalty(q, r, w):
        seen.append((q, r, w))
        return 3.0 * tf.reduce_sum(tf.abs(w[0]))

    layer = _layer(name, posterior_penalty_fn=penalty, penalty_weight=0.5)
    layer(MAKE[name][3])
    (q, r, w), *_ = seen
    assert isinstance(q, tfd.JointDistributionSequential)
    assert isinstance(r, tfd.JointDistributionSequential)
    np.testing.assert_allclose(layer.extra_loss, 1.5 * np.abs(w[0]).sum(), rtol=1e-5)
    if layer.extra_result is not None:
        np.testing.assert_array_equal(w[0], layer.extra_result.kernel)
    assert layer.divergence.name == "penalty"


def test_a_penalty_of_none_counts_nothing_and_what_is_no_function_is_refused():
    layer = _layer(posterior_penalty_fn=lambda q, r, w: None)
    layer(X)
    assert float(layer.extra_loss) == 0.0
    with pytest.raises(TypeError, match="`posterior_penalty_fn` is a function"):
        _layer(posterior_penalty_fn="exact")


# Values.


@pytest.mark.parametrize("value_fn", [tfd.Distribution.mean, lambda q: [d.mean() for d in q.model]])
def test_a_posterior_value_other_than_a_draw(value_fn):
    layer = _layer(posterior_value_fn=value_fn, make_prior_fn=_normal_prior, activation_fn=tf.nn.relu)
    kernel, bias = layer.posterior.mean()
    expected = np.maximum(reference.convolution(X.numpy(), kernel.numpy()) + bias.numpy(), 0)
    np.testing.assert_allclose(layer(X), expected, atol=1e-5)
    np.testing.assert_array_equal(layer.extra_result[0], kernel)
    expected = layer.posterior.log_prob([kernel, bias]) - layer.prior.log_prob([kernel, bias])
    np.testing.assert_allclose(layer.extra_loss, expected, rtol=1e-5)


def test_a_posterior_value_with_a_seed_and_weights_that_are_unpacked():
    def doubled(posterior, seed):
        return [2 * w for w in posterior.sample(seed=seed)]

    layer = _layer(posterior_value_fn=doubled, unpack_weights_fn=lambda weights: weights[:1])
    y = layer(X, seed=1)
    np.testing.assert_allclose(y, reference.convolution(X.numpy(), layer.extra_result[0].numpy()), atol=1e-5)
    np.testing.assert_array_equal(y, layer(X, seed=1))


@pytest.mark.parametrize("name", ["AffineVariationalFlipout", "AffineVariationalReparameterizationLocal"])
def test_estimators_that_use_the_distribution_refuse_another_value(name):
    with pytest.raises(ValueError, match=f"{name} needs to know how its weights are distributed"):
        _layer(name, posterior_value_fn=tfd.Distribution.mean)


# Factories.


@pytest.mark.parametrize("order", ["0.10", "0.11", "TFP's own"])
def test_users_posteriors_in_either_order_get_initializers(order):
    def make(kernel_shape, bias_shape, dtype, kernel_initializer, bias_initializer):
        def one(shape, initializer):
            loc = tf.Variable(initializer(shape, dtype))
            return tfd.Independent(tfd.Normal(loc, tf.cast(0.1, dtype)), len(shape))

        return tfd.JointDistributionSequential(
            [one(kernel_shape, kernel_initializer), one(bias_shape, bias_initializer)]
        )

    def old(kernel_shape, bias_shape, dtype, kernel_initializer, bias_initializer, kernel_name, bias_name):
        return make(kernel_shape, bias_shape, dtype, kernel_initializer, bias_initializer)

    def new(kernel_shape, bias_shape, init_kernel_fn, init_bias_fn, kernel_batch_ndims, bias_batch_ndims, dtype):
        return make(kernel_shape, bias_shape, dtype, init_kernel_fn, init_bias_fn)

    factory = {"0.10": old, "0.11": new, "TFP's own": tfp_nn.util.make_kernel_bias_posterior_mvn_diag}[order]
    layer = _layer("ConvolutionVariationalFlipout", make_posterior_fn=factory, make_prior_fn=_normal_prior)
    assert layer(X).shape == (2, 4, 4, 3)
    kernel, bias = layer.posterior.mean()
    assert 0 < np.abs(kernel).max() <= np.sqrt(6 / (8 + 12)) + 1e-6  # Glorot uniform
    np.testing.assert_array_equal(bias, np.zeros(3))


def test_a_posterior_and_a_prior_may_be_named():
    posterior = {"name": "mean_field_normal", "initial_scale": 0.001}
    layer = _layer("ConvolutionVariationalFlipout", make_posterior_fn=posterior, make_prior_fn="laplace")
    np.testing.assert_allclose(layer.posterior.kernel.stddev(), np.full([2, 2, 2, 3], 0.001), rtol=1e-5)
    assert isinstance(layer.prior.kernel.distribution, tfd.Laplace)


def test_fit_trains_a_model_of_these_layers_and_refuses_a_penalty_that_is_divided_already():
    x, y = DENSE.numpy(), np.array([0, 1])
    model = tfn.Sequential([tfn.AffineVariationalFlipout(3, 2)])
    assert len(bc.fit(model, (x, y), epochs=1, progress=False).rows) == 1
    divided = tfn.Sequential([tfn.AffineVariationalFlipout(3, 2, penalty_weight=1e-3)])
    with pytest.raises(ValueError, match=r"already scales it by penalty_weight=0\.001"):
        bc.fit(divided, (x, y), epochs=1, progress=False)


def test_a_prior_may_be_trained():
    def prior(specs):
        def one(spec):
            scale = tf.Variable(tf.ones([]), name=f"{spec.name}/prior_scale")
            return tfd.Sample(tfd.Normal(tf.zeros([]), scale), spec.shape)

        return bc.map_kernel_bias(one, specs)

    layer = _layer(make_prior_fn=prior)
    assert {"kernel/prior_scale", "bias/prior_scale"} < set(layer.named_variables)
    with tf.GradientTape() as tape:
        layer(X)
        loss = layer.extra_loss
    assert all(gradient is not None for gradient in tape.gradient(loss, layer.trainable_variables))


# Seeds of layers.


def test_a_layer_with_a_seed_draws_a_sequence_that_the_seed_determines():
    first, second, other = _layer(seed=3), _layer(seed=3), _layer(seed=4)
    for layer in (second, other):
        tf.nest.map_structure(lambda a, b: a.assign(b), layer.variables, first.variables)
    a, b = [first(X) for _ in range(3)], [second(X) for _ in range(3)]
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a[0], a[1])
    assert not np.allclose(a[0], other(X))
    np.testing.assert_array_equal(first(X, seed=1), other(X, seed=1))  # a seed of the call goes first


def test_a_layers_seed_goes_on_in_a_compiled_function():
    first, second = _layer(seed=3), _layer(seed=3)
    tf.nest.map_structure(lambda a, b: a.assign(b), second.variables, first.variables)
    compiled = tf.function(lambda x: first(x), autograph=False)
    np.testing.assert_allclose([compiled(X) for _ in range(2)], [second(X) for _ in range(2)], rtol=1e-5, atol=1e-5)


# A variational layer of the user's own.


class _Scale(tfn.VariationalLayer):
    def _eval(self, inputs, weights):
        self._seed()
        return inputs * weights


def _scale(**options):
    return _Scale(tfd.Normal(tf.Variable(1.0), 0.5), tfd.Normal(0.0, 1.0), penalty_weight=0.5, **options)


@pytest.mark.slow
def test_an_own_variational_layer_draws_once_in_a_call_and_states_its_penalty():
    layer = _scale()
    y = tfn.Sequential([layer, layer])(tf.ones([1, 1]), seed=1)
    w = layer.extra_result
    np.testing.assert_allclose(y, tf.reshape(w**2, [1, 1]), rtol=1e-6)
    expected = 0.5 * (layer.posterior.log_prob(w) - layer.prior.log_prob(w))
    np.testing.assert_allclose(layer.extra_loss, expected, rtol=1e-6)
    # With the mean weights the penalty is still that of a draw, whose expectation is half of KL = log 2 + 0.125; at the
    # mean weights themselves it would be half of log 2 + 0.5. 400 draws have a standard error of 0.02 and less.
    found = []
    for seed in range(400):
        np.testing.assert_allclose(layer(tf.ones([1, 1]), seed=seed, weights="mean"), [[1.0]])
        found.append(float(layer.extra_loss))
    assert abs(np.mean(found) - 0.5 * (math.log(2.0) + 0.125)) < 0.09
    layer(tf.ones([1, 1]), is_training=False)
    assert layer.extra_loss is None
    assert len(layer.trainable_variables) == 1


def test_predict_draws_the_weights_of_an_own_variational_layer():
    model = tfn.Sequential([_scale(), tfn.Affine(3, 2)])
    predictive = bc.predict(model, DENSE.numpy(), num_samples=8, seed=0)
    assert np.max(predictive.mutual_information) > 1e-4


def test_a_variational_layer_without_eval_says_what_is_missing():
    layer = tfn.VariationalLayer(tfd.Normal(0.0, 1.0), tfd.Normal(0.0, 1.0))
    with pytest.raises(TypeError, match=r"VariationalLayer must override _eval\(inputs, weights\)"):
        layer(DENSE)


# Models.


def test_a_model_may_end_in_a_distribution():
    scale = tfp.util.TransformedVariable(1.0, tfb.Softplus())
    bnn = tfn.Sequential(
        [
            _layer("ConvolutionVariationalFlipout", strides=2, activation_fn=tf.nn.leaky_relu),
            tfn.util.flatten_rightmost(ndims=3),
            tfn.AffineVariationalReparameterization(12, 4),
            tfb.Reshape([2, 2]),
            tfn.Lambda(lambda loc: tfd.Independent(tfd.Normal(loc, scale), 2), also_track=scale),
        ],
        name="bayesian neural network",
    )
    assert bnn(X).log_prob(tf.zeros([2, 2, 2])).shape == (2,)
    assert len(bnn.trainable_variables) == 9
    assert isinstance(bnn[:2], tfn.Sequential)
    assert isinstance(bnn[0], tfn.Layer)
    assert bnn.name == "bayesian_neural_network"
    total = bnn[0].extra_loss + bnn[2].extra_loss
    np.testing.assert_allclose(bnn.extra_loss, total, rtol=1e-6)
    assert bnn.extra_result is None


def test_weights_go_to_a_file_and_back(tmp_path):
    first, second = _layer(), _layer()
    second.load(first.save(tmp_path / "weights.npz"))
    np.testing.assert_array_equal(first(X, seed=1), second(X, seed=1))


def test_a_model_is_saved_with_its_architecture(tmp_path):
    model = tfn.Sequential(
        [
            _layer("ConvolutionVariationalFlipout", penalty_weight=0.5, init_kernel_fn=tf.initializers.he_uniform()),
            tfn.util.expand_dims(-1),
            tfn.util.flatten_rightmost(ndims=4),
            tfn.AffineVariationalReparameterizationLocal(48, 2, make_prior_fn="laplace", seed=1),
            tfn.Lambda(tf.nn.relu),
        ]
    )
    loaded = bc.load_model(bc.save_model(model, tmp_path / "model.npz"))
    assert type(loaded[0]) is tfn.ConvolutionVariationalFlipout
    np.testing.assert_array_equal(loaded(X, seed=1), model(X, seed=1))
    np.testing.assert_array_equal(loaded.extra_loss, model.extra_loss)


def test_a_loop_in_plain_tensorflow_learns(tmp_path):
    script = tmp_path / "train.py"  # AutoGraph reads the source
    script.write_text(
        "import tensorflow as tf\n"
        "from bayesconv import compat as tfn\n"
        "layer = tfn.AffineVariationalFlipout(3, 1, penalty_weight=0.001)\n"
        "optimizer, x = tf.optimizers.Adam(0.1), tf.eye(3)\n"
        "optimizer.build(layer.trainable_variables)\n"
        "@tf.function\n"
        "def step():\n"
        "    with tf.GradientTape() as tape:\n"
        "        loss = tf.reduce_mean((layer(x) - 1.0)**2) + layer.extra_loss\n"
        "    gradients = tape.gradient(loss, layer.trainable_variables)\n"
        "    optimizer.apply(gradients, layer.trainable_variables)\n"
        "    return loss\n"
        "losses = [float(step()) for _ in range(40)]\n"
    )
    losses = runpy.run_path(str(script))["losses"]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])

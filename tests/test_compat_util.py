"""Claims about TFP's functions: training steps, data sets, shapes, files, random variables and losses."""

from __future__ import annotations

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tensorflow_probability.python.experimental.nn as tfp_nn
import tf_keras

import bayesconv as bc
from bayesconv import compat as tfn

tfd = tfp.distributions


def test_the_namespaces_have_tfps_names():
    convolution_util = {"im2row", "im2row_index", "prepare_conv_args", "prepare_tuple_argument"}
    public = {name for name in dir(tfp_nn.util) if not name.startswith(("_", "make_convolution"))}
    functions = {name for name in public if callable(getattr(tfp_nn.util, name))} - convolution_util
    assert functions - set(tfn.util.__all__) == set()
    for namespace in ("initializers", "losses"):
        names = {name for name in dir(getattr(tfp_nn, namespace)) if not name.startswith("_")}
        names = {name for name in names if callable(getattr(getattr(tfp_nn, namespace), name))}
        assert names
        assert all(hasattr(getattr(tfn, namespace), name) for name in names)


# Training.


@pytest.mark.parametrize("tf_function", [True, False])
@pytest.mark.parametrize("xla_compile", [True, False])
def test_a_step_is_the_optimizers(tf_function, xla_compile):
    v, w = tf.Variable([1.0, 2.0]), tf.Variable(3.0)
    fit_op = tfn.util.make_fit_op(
        lambda scale: (scale * (tf.reduce_sum(v**2) + w), {"w": w + 0.0}), tf.optimizers.SGD(0.1), (v, [w]),
        grad_summary_fn=lambda gs: tf.nest.map_structure(tf.norm, gs), tf_function=tf_function,
        xla_compile=xla_compile,
    )  # fmt: skip
    loss, other, norms = fit_op(tf.constant(2.0))
    assert (float(loss), float(other["w"])) == (16.0, 3.0)
    np.testing.assert_allclose(v, [0.6, 1.2], rtol=1e-6)
    np.testing.assert_allclose(w, 2.8, rtol=1e-6)
    assert isinstance(norms, tuple)
    np.testing.assert_allclose([norms[0], norms[1][0]], [4 * np.sqrt(5), 2], rtol=1e-6)


def test_the_penalty_is_read_in_the_loss_and_trained():
    layer = tfn.AffineVariationalFlipout(3, 2, penalty_weight=0.01)
    x, y = tf.eye(3), tf.constant([0, 1, 0])

    def loss_fn():
        nll = -tf.reduce_mean(tfd.Categorical(logits=layer(x)).log_prob(y))
        kl = layer.extra_loss
        return nll + kl, (nll, kl)

    fit_op = tfn.util.make_fit_op(loss_fn, tf.optimizers.Adam(0.1), layer.trainable_variables)
    first = [part.numpy() for part in layer.variables]
    losses = [[float(loss), float(nll), float(kl)] for loss, (nll, kl) in (fit_op() for _ in range(60))]
    np.testing.assert_allclose([a for a, _, _ in losses], [b + c for _, b, c in losses], rtol=1e-5)
    assert np.mean(losses[-10:], axis=0)[0] < np.mean(losses[:10], axis=0)[0]
    assert all((before != after.numpy()).any() for before, after in zip(first, layer.variables, strict=True))


def test_many_steps_of_many_models_are_traced_once_each():
    for _ in range(8):
        v = tf.Variable(1.0)
        traces = []
        fit_op = tfn.util.make_fit_op(lambda v=v, t=traces: (v**2, t.append(1)), tf.optimizers.SGD(0.1), [v])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(3):
                fit_op()
        assert len(traces) <= 2  # a tf.function may trace twice the first time


def test_an_optimizer_of_keras_2_works_too():
    v = tf.Variable(1.0)
    fit_op = tfn.util.make_fit_op(lambda: (v**2, None), tf_keras.optimizers.Adam(0.1), [v])
    assert float(fit_op()[0]) > float(fit_op()[0])


def test_optimizers_one_for_each_group():
    v, w = tf.Variable(1.0), tf.Variable(1.0)
    optimizers = [tf.optimizers.SGD(0.1), tf.optimizers.SGD(0.5)]
    tfn.util.make_fit_op(lambda: (v + w, None), optimizers, [[v], w])()
    np.testing.assert_allclose([v, w], [0.9, 0.5], rtol=1e-6)
    with pytest.raises(ValueError, match="Received 2 optimizers and 1 members"):
        tfn.util.make_fit_op(lambda: (v, None), optimizers, [v])


def test_a_variable_that_the_loss_does_not_use_is_named():
    v, unused = tf.Variable(1.0), tf.Variable(1.0, name="unused")
    fit_op = tfn.util.make_fit_op(lambda: (v**2, None), tf.optimizers.SGD(0.1), [v, unused], tf_function=False)
    with pytest.warns(UserWarning, match=r"does not depend on the variables \['unused:0'\]"):
        fit_op()
    assert float(v) == pytest.approx(0.8)
    assert float(unused) == 1.0


@pytest.mark.parametrize("options", [{}, {"tf_function": False}, {"xla_compile_all": True}])
def test_a_compiled_function_is_used_as_a_decorator_in_both_ways(options):
    def double(x):
        return 2 * x

    assert int(tfn.util.tfcompile(double, **options)(tf.constant(3))) == 6
    assert int(tfn.util.tfcompile(**options)(double)(tf.constant(3))) == 6


# Data.


def test_random_preprocessing_is_drawn_anew_in_every_epoch():
    dataset = tf.data.Dataset.from_tensor_slices(tf.zeros([4]))
    tuned = tfn.util.tune_dataset(dataset, batch_size=4, preprocess_fn=lambda x: x + tf.random.uniform([]))
    epochs = iter(tuned)
    assert not np.allclose(next(epochs), next(epochs))


def test_a_data_set_is_shuffled_within_each_epoch_and_batches_are_full():
    tuned = tfn.util.tune_dataset(tf.data.Dataset.range(10), batch_size=5, shuffle_size=10, repeat_count=2)
    batches = [batch.numpy().tolist() for batch in tuned]
    assert sorted(batches[0] + batches[1]) == sorted(batches[2] + batches[3]) == list(range(10))
    once = tfn.util.tune_dataset(tf.data.Dataset.range(7), batch_size=3, repeat_count=None)
    assert [len(batch) for batch in once] == [3, 3]


def test_a_half_life_halves():
    decayed = tfn.util.halflife_decay(tf.range(3) * 5, half_life=5, initial=9.0, final=1.0)
    np.testing.assert_allclose(decayed, [9.0, 5.0, 3.0])


# Shapes.


@pytest.mark.parametrize("shape", [[2, 3, 4, 5], [3, 4, 5], [6, 2, 3, 4, 5]])
def test_the_last_axes_are_joined_whatever_stands_before(shape):
    flatten = tfn.util.flatten_rightmost(ndims=3)
    x = tf.random.normal(shape)
    np.testing.assert_array_equal(flatten(x), x.numpy().reshape(*shape[:-3], 60))
    concrete = tf.function(flatten, autograph=False).get_concrete_function(tf.TensorSpec([None, 3, 4, 5]))
    assert concrete.structured_outputs.shape.as_list() == [None, 60]
    with pytest.raises(ValueError, match=r"needs 3 axes\. Received shape \(2, 2\)"):
        flatten(tf.zeros([2, 2]))


@pytest.mark.parametrize("axis", [[0], [1], [-1], [-2], [0, 1], [-1, -1], [1, 1], [-2, -1]])
def test_axes_are_inserted_where_tfp_inserts_them(axis):
    x = tf.zeros([2, 3])
    assert tfn.util.expand_dims(axis)(x).shape == tfp_nn.util.expand_dims(axis)(x).shape
    if len(axis) == 1:
        assert tfn.util.expand_dims(axis[0])(x).shape == tf.expand_dims(x, axis[0]).shape


def test_an_operation_is_applied_under_any_number_of_leading_axes():
    x, w = tf.random.normal([2, 3, 4, 5]), tf.random.normal([5, 6])
    np.testing.assert_allclose(tfn.util.batchify_op(tf.matmul, 1, x, w), x @ w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tfn.util.batchify_op(tf.matmul, 1, x[0, 0], w), x[0, 0] @ w, rtol=1e-5)


def test_a_trace_writes_and_passes_on(capsys):
    model = tfn.Sequential([tfn.util.trace("in"), tf.nn.relu, tfn.util.trace()])
    np.testing.assert_array_equal(model(tf.ones([2, 3])), np.ones([2, 3]))
    tfn.util.trace()(None)
    first, second, third = capsys.readouterr().out.splitlines()
    assert "name:in" in first
    assert "shape:[2, 3]" in second
    assert "float32" in second
    assert "value:None" in third


# Files.


def test_files_by_position_are_tfps_in_both_directions(tmp_path):
    written = [tf.Variable(float(i) * tf.ones([2, i + 1])) for i in range(12)]  # more than ten: arr_10 after arr_9
    path = tmp_path / "v.npz"
    for module in (tfn, tfp_nn):
        for other in (tfn, tfp_nn):
            module.util.variables_save(path, written)
            read = [tf.Variable(tf.zeros_like(v)) for v in written]
            other.util.variables_load(path, read)
            tf.nest.map_structure(np.testing.assert_array_equal, read, written)


def test_a_file_that_does_not_fit_changes_nothing(tmp_path):
    path = tfn.util.variables_save(tmp_path / "v.npz", [tf.Variable([1.0]), tf.Variable([1.0, 2.0])])
    first, second = tf.Variable([0.0]), tf.Variable([0.0])
    with pytest.raises(ValueError, match=r"arr_1 is float32\[2\], expected float32\[1\]"):
        tfn.util.variables_load(path, [first, second])
    with pytest.raises(ValueError, match="unexpected arr_1"):
        tfn.util.variables_load(path, [first])
    assert float(first[0]) == 0.0


def test_the_table_of_variables_ends_like_tfps():
    variables = [tf.Variable(tf.zeros([2, 3]), name="kernel"), tf.Variable(0.0, trainable=False)]
    mine, theirs = (module.util.variables_summary(variables, "model") for module in (tfn, tfp_nn))
    assert mine.splitlines()[-1] == theirs.splitlines()[-1]
    assert [line.split() for line in mine.splitlines()] == [line.split() for line in theirs.splitlines()]


# Random variables.


def test_a_random_variable_keeps_its_value_until_it_is_reset():
    x = tfn.util.RandomVariable(tfd.Normal(0.0, 1.0))
    assert x.is_unset()
    first = tf.convert_to_tensor(x)
    assert float(x + 1.0) == float(first + 1.0)
    x.reset()
    assert float(tf.convert_to_tensor(x)) != float(first)
    assert x.distribution.name == x.name == "Normal"


def test_a_random_variable_takes_another_function_shape_and_name():
    x = tfn.util.RandomVariable(
        tfd.Bernoulli(probs=[[0.25], [0.5]]), convert_to_tensor_fn=tfd.Distribution.mean, dtype=tf.float32,
        shape=[2, 1], name="x",
    )  # fmt: skip
    np.testing.assert_array_equal(tf.convert_to_tensor(x), [[0.25], [0.5]])
    assert (x.shape, x.dtype, x.name) == ([2, 1], tf.float32, "x")


def test_the_value_of_another_graph_is_refused():
    x = tfn.util.RandomVariable(tfd.Normal(0.0, 1.0))
    first = tf.function(lambda: tf.convert_to_tensor(x), autograph=False)()
    with pytest.raises(ValueError, match=r"in another graph.*Call `reset\(\)`"):
        tf.convert_to_tensor(x)
    x.reset()
    assert float(tf.convert_to_tensor(x)) != float(first)
    assert tfn.util.CallOnce(lambda: 3).value is None


# Losses.


def test_divergences_are_those_of_tfp():
    q, r = tfd.Normal(0.5, 0.3), tfd.Normal(0.0, 1.0)
    w = q.sample(seed=1)
    for name in ("kl_divergence_monte_carlo", "kl_divergence_exact"):
        mine, theirs = (getattr(module.losses, name)(q, r, w) for module in (tfn, tfp_nn))
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_the_monte_carlo_divergence_has_the_right_gradient_without_reparameterization():
    logit = tf.Variable(0.3)
    r = tfd.Bernoulli(logits=0.0)
    with tf.GradientTape(persistent=True) as tape:
        q = tfd.Bernoulli(logits=logit)
        estimate = tf.reduce_mean(tfn.losses.kl_divergence_monte_carlo(q, r, q.sample(20000, seed=1)))
        exact = tfn.losses.kl_divergence_exact(q, r)
    np.testing.assert_allclose(tape.gradient(estimate, logit), tape.gradient(exact, logit), atol=0.01)


def test_negative_log_likelihood_is_the_mean_over_an_axis():
    x = tf.constant([[0.0, 1.0], [2.0, 3.0]])
    model_fn = lambda x: tfd.Normal(x, 1.0)  # noqa: E731
    expected = -np.mean(model_fn(x).log_prob(0.0), axis=-1)
    np.testing.assert_allclose(tfn.losses.negloglik(x, 0.0, model_fn), expected, rtol=1e-6)
    np.testing.assert_allclose(tfn.losses.negloglik(x, 0.0, model_fn, axis=None), expected.mean(), rtol=1e-6)


def test_the_penalty_of_a_model_hands_its_function_on_to_layers_inside_of_layers():
    flipout = bc.make_kernel_bias_flipout
    inner = tfn.Sequential([tfn.AffineVariationalFlipout(3, 3), bc.Affine(3, 2, make_kernel_bias_fn=flipout)])
    local = tfn.AffineVariationalReparameterizationLocal(2, 2)
    model = tfn.Sequential([inner, tf.nn.relu, local, local])
    model(tf.ones([1, 3]))
    seen = []

    def loss_fn(q, r, w):
        seen.append([tuple(part.shape) for part in w])
        return q.log_prob(w) - r.log_prob(w)

    tfn.losses.compute_extra_loss(model, loss_fn)
    assert sorted(seen) == sorted([[(3, 3), (3,)], [(3, 2), (2,)], [(2, 2), (2,)]])
    assert float(tfn.losses.compute_extra_loss(tfn.Affine(2, 2), loss_fn)) == 0.0
    first = inner[0]
    np.testing.assert_allclose(tfn.losses.compute_extra_loss(first), first.extra_loss, rtol=1e-5)


def test_initializers_know_batch_dimensions():
    for name in ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal"):
        mine, theirs = (
            getattr(module.initializers, name)(1)([4, 3, 3, 16, 32], tf.float32, 1) for module in (tfn, tfp_nn)
        )
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(np.std(mine), np.std(theirs), rtol=0.05)


# Images.


def test_images_are_shown_side_by_side():
    x = tf.random.uniform([3, 5, 8, 6, 1])
    figure, ax = tfn.util.display_imgs(x, title=tf.constant(7), fignum="digits")
    (image,) = ax.get_images()
    assert image.get_array().shape == (24, 30)
    np.testing.assert_array_equal(image.get_array()[8:16, :6], x[1, 0, :, :, 0])
    assert ax.figure is figure
    assert "7" in ax.get_title(loc="left") + ax.get_title()
    plt.close(figure)
    with pytest.raises(ValueError, match=r"must be \[\.\., N, H, W, C\]\. Received shape \[2, 2\]"):
        tfn.util.display_imgs(np.zeros([2, 2]))


# Factories: joint distributions, in every name and order that TFP had.


@pytest.mark.parametrize("name", ["make_kernel_bias_posterior_mvn_diag", "make_kernel_bias_prior_spike_and_slab"])
def test_factories_of_distributions_give_joint_distributions(name):
    joint = getattr(tfn.util, name)([5, 2], [2])
    assert isinstance(joint, tfd.JointDistributionSequential)
    draw = joint.sample(seed=1)
    assert [part.shape.as_list() for part in draw] == [[5, 2], [2]]
    assert joint.log_prob(draw).shape == []
    again = tfd.JointDistributionSequential(joint.model)
    np.testing.assert_allclose(again.log_prob(draw), joint.log_prob(draw), rtol=1e-6)


def test_factories_take_both_names_and_both_orders():
    ones = tf.initializers.ones()
    for given in (
        tfn.util.make_kernel_bias([2, 3], [3], kernel_initializer=ones),
        tfn.util.make_kernel_bias([2, 3], [3], init_kernel_fn=ones),
        tfn.util.make_kernel_bias([2, 3], [3], ones),
        tfn.util.make_kernel_bias([2, 3], [3], tf.float32, ones),
        tfn.util.make_kernel_bias([2, 3], [3], np.float32, ones, None, "kernel", "bias"),
    ):
        assert (given[0].numpy() == 1).all()
        assert (given[1].numpy() == 0).all()
    with pytest.raises(TypeError, match=r"takes .* after the shapes"):
        tfn.util.make_kernel_bias([2, 3], [3], *range(8))


def test_a_layer_of_ones_own_is_made_of_the_factories():
    class Dense(tfn.VariationalLayer):
        def __init__(self, inputs, outputs):
            super().__init__(
                posterior=tfn.util.make_kernel_bias_posterior_mvn_diag([inputs, outputs], [outputs]),
                prior=tfn.util.make_kernel_bias_prior_spike_and_slab([inputs, outputs], [outputs]),
            )

        def _eval(self, inputs, weights):
            return inputs @ weights[0] + weights[1]

    layer = Dense(4, 3)
    assert layer(tf.ones([2, 4])).shape == [2, 3]
    assert np.isfinite(layer.extra_loss)


def test_a_coroutine_is_a_joint_distribution_too():
    root = tfd.JointDistributionCoroutine.Root

    def make_prior(kernel_shape, bias_shape, *args, **kwargs):
        def parts():
            yield root(tfd.Sample(tfd.Normal(0.0, 0.5), kernel_shape))
            yield root(tfd.Sample(tfd.Normal(0.0, 0.5), bias_shape))

        return tfd.JointDistributionCoroutine(parts)

    layer = tfn.AffineVariationalFlipout(4, 3, make_prior_fn=make_prior)
    assert layer.prior.kernel.event_shape == [4, 3]
    assert float(layer.prior.kernel.stddev()[0, 0]) == 0.5
    assert np.isfinite(layer(tf.ones([2, 4])).numpy()).all()

"""Claims about what is traced once: it is the same function, wherever it was traced and wherever it runs."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import distributions, estimators, random, tracing
from bayesconv.divergences import closed_forms
from bayesconv.examples import never_empty
from bayesconv.tracing import traced

tfd = tfp.distributions


def test_it_belongs_to_no_device_and_no_graph():
    made = []

    @tf.function
    def outer(x):
        with tf.device("CPU:1"):
            made.append(traced(lambda x: x + 1.0, [tf.TensorSpec([])]))
            return made[0](x)

    assert float(outer(tf.constant(1.0))) == 2.0
    assert float(made[0](tf.constant(2.0))) == 3.0
    assert {op.device for op in made[0].graph.get_operations()} == {""}


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3, 4), (0, 2)])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_normals_are_the_same_for_a_shape_that_only_the_graph_knows(shape, dtype):
    unknown = tf.function(lambda size: random.normal(size, 7, dtype), input_signature=[tf.TensorSpec([None], tf.int32)])
    known = tf.function(lambda: random.normal(shape, 7, dtype))  # traced once, and called
    for found in (known(), unknown(tf.constant(shape, tf.int32))):
        np.testing.assert_allclose(found, random.normal(shape, 7, dtype), rtol=1e-6)


def test_seeds_are_folded_the_same_by_python_and_by_tensors():
    seed = tf.constant([3, -4])
    for data in (0, 5, 2**40, 2**63 + 1):
        np.testing.assert_array_equal(random.fold_in(seed, data), random.fold_in(seed, tf.constant(data, tf.uint64)))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_a_draw_of_normals_is_tfps(dtype):
    loc = tf.constant([[0.5, -1.0, 2.0], [0.0, 3.0, 1.0]], dtype)
    weight = distributions.mean_field_normal(loc, tf.fill([2, 3], tf.constant(0.3, dtype)), "w")
    np.testing.assert_array_equal(distributions.draw(weight, 5), weight.sample(seed=5))
    np.testing.assert_array_equal(distributions.draw(weight, 5, 4), weight.sample(4, seed=5))


@pytest.mark.parametrize("prior_shape", [(), (2, 3)])
def test_the_kl_and_all_its_slopes_are_those_of_automatic_differentiation(prior_shape):
    rng = np.random.default_rng(0)
    loc, scale = (tf.constant(rng.uniform(0.2, 2.0, [2, 3])) for _ in range(2))
    prior_loc, prior_scale = (tf.constant(rng.uniform(0.2, 2.0, prior_shape)) for _ in range(2))
    parts = [loc, scale, prior_loc, prior_scale]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(parts)
        q = tfd.Independent(tfd.Normal(loc, scale), 2)
        p = tfd.Sample(tfd.Normal(prior_loc, prior_scale), [2, 3]) if prior_shape == () else tfd.Independent(
            tfd.Normal(prior_loc, prior_scale), 2
        )  # fmt: skip
        found = closed_forms.closed_form(q, p)
        expected = tf.reduce_sum(tfd.kl_divergence(tfd.Normal(loc, scale), tfd.Normal(prior_loc, prior_scale)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    for slope, wanted in zip(tape.gradient(found, parts), tape.gradient(expected, parts), strict=True):
        np.testing.assert_allclose(slope, wanted, rtol=1e-10)


class Routed(bc.Layer):
    """Sends no example to the second of two convolutions."""

    def __init__(self, factory):
        super().__init__()
        self.experts = [bc.Convolution(1, 3, 3, make_kernel_bias_fn=factory) for _ in range(2)]

    def forward(self, inputs, *, is_training, seed):
        parts = tf.dynamic_partition(inputs, tf.zeros([tf.shape(inputs)[0]], tf.int32), 2)
        outputs = [expert(part, is_training=is_training) for expert, part in zip(self.experts, parts, strict=True)]
        return tf.reduce_mean(tf.concat(outputs, axis=0), axis=[1, 2])


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [name for name in estimators.names() if name != "local_reparameterization"])
def test_a_layer_in_a_model_that_is_trained_may_be_given_no_example(estimator):
    model = Routed(functools.partial(bc.make_kernel_bias_variational, estimator=estimator))
    x, y = np.ones([6, 5, 5, 1], np.float32), np.zeros(6, np.int32)
    assert np.isfinite(bc.fit(model, (x, y), epochs=1, batch_size=4, progress=False).rows[-1]["loss"])


def test_members_of_a_layer_of_ones_own_provide_for_empty_batches_and_other_layers_of_a_training_do_not():
    def is_provided_for(model):
        compiled = tf.function(model, [tf.TensorSpec([None, 3])], autograph=False)
        with never_empty():
            operations = compiled.get_concrete_function().graph.get_operations()
        return any(operation.type == "PartitionedCall" for operation in operations)

    class Own(bc.Layer):
        def __init__(self):
            super().__init__()
            self.member = bc.Affine(3, 2)

        def forward(self, inputs, *, is_training, seed):
            return self.member(inputs)

    affine = bc.Affine(3, 2)
    assert is_provided_for(Own())
    assert is_provided_for(bc.Lambda(affine, also_track=affine))
    assert is_provided_for(bc.Sequential([lambda x: affine(x)], also_track=affine))
    assert is_provided_for(bc.Residual(bc.Affine(3, 2), lambda x: affine(x)))
    assert not is_provided_for(bc.Sequential([affine, bc.Residual(bc.Affine(2, 2))]))


def test_fit_leaves_out_empty_batches_and_refuses_an_epoch_of_them():
    x, y = np.ones([6, 4], np.float32), np.zeros(6, np.int32)

    def stream(sizes):
        ends = np.cumsum([0, *sizes])
        parts = [(x[a:b], y[a:b]) for a, b in itertools.pairwise(ends)]
        specs = (tf.TensorSpec([None, 4]), tf.TensorSpec([None], tf.int32))
        return tf.data.Dataset.from_generator(lambda: iter(parts), output_signature=specs)

    losses = []
    for sizes in ([3, 3], [3, 0, 3]):
        bc.set_seed(0)
        model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        options = {
            "kl_schedule": "constant",
            "learning_rate_schedule": "constant",
        }  # others go by the number of batches
        history = bc.fit(model, stream(sizes), num_data=6, epochs=2, seed=1, progress=False, **options)
        losses.append([row["loss"] for row in history.rows])
    assert losses[0] == losses[1]
    with pytest.raises(ValueError, match=r"An epoch has examples\. Received none"):
        bc.fit(bc.Affine(4, 3), stream([0, 0]), num_data=6, epochs=1, progress=False)


def test_eager_calls_trace_nothing_for_every_new_shape(monkeypatch):
    monkeypatch.setattr(tracing, "traced", lambda *args: pytest.fail("traced"))
    layer = bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    for num in range(1, 5):
        layer(tf.ones([num, 3]), seed=1)
        random.normal([num, 7], 1)


def test_one_trace_draws_weights_of_all_shapes(monkeypatch):
    made = []

    def counted(function, specs, traced=tracing.traced):
        made.append(specs)
        return traced(function, specs)

    monkeypatch.setattr(tracing, "traced", counted)
    monkeypatch.setattr(random, "_normals", functools.cache(random._normals.__wrapped__))
    shapes = [[3], [2, 5], []]
    compiled = tf.function(lambda: [random.normal(shape, 1) for shape in shapes], autograph=False)
    for found, shape in zip(compiled(), shapes, strict=True):
        assert found.shape == shape
        np.testing.assert_array_equal(found, random.normal(shape, 1))
    assert len(made) == 1


def test_a_draw_of_several_weights_has_the_shape_of_a_sample():
    several = tfd.Sample(distributions.Normal(tf.zeros(3), 1.0), [3])
    found = distributions.draw(several, tf.constant([1, 2]))
    assert found.shape == (3, 3)
    np.testing.assert_array_equal(found, several.sample(seed=tf.constant([1, 2])))


def test_the_weight_of_a_penalty_may_be_a_variable_in_a_graph():
    def loss_of(weight):
        bc.set_seed(0)
        factory = functools.partial(bc.make_kernel_bias_variational, penalty_weight=weight)
        layer = bc.Affine(3, 2, make_kernel_bias_fn=factory)

        @tf.function
        def run():
            with bc.collect_extras() as extras:
                layer(tf.ones([4, 3]), seed=1)
            return extras.loss

        return run()

    np.testing.assert_allclose(loss_of(tf.Variable(0.5)), 0.5 * loss_of(1.0), rtol=1e-6)


def test_a_number_of_seeds_may_be_a_tensor_and_no_fraction():
    np.testing.assert_array_equal(random.split(tf.constant([1, 2]), tf.constant(3)), random.split((1, 2), 3))
    with pytest.raises(TypeError):
        random.split((1, 2), 2.0)

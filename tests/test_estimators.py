"""Claims about what estimators need and what they return; their moments are tested with the statistics."""

from __future__ import annotations

import ast
import functools
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import divergences, estimators
from bayesconv.estimators.slices import sliced_batch
from bayesconv.layers.affine import AffineOp

tfd = tfp.distributions
OP = AffineOp()


def _posterior(distribution=None):
    kernel = tfd.Normal(tf.reshape(tf.range(6.0), [3, 2]), 0.5) if distribution is None else distribution
    bias = tfd.Normal(tf.zeros([2]), 0.5)
    return bc.map_kernel_bias(lambda d: tfd.Independent(d, d.batch_shape.rank), bc.KernelBias(kernel, bias))


POSTERIOR = _posterior()
X = tf.constant(np.random.default_rng(0).normal(size=(5, 3)), tf.float32)
SEED = tf.constant([1, 2])


def _draw(num=None):
    return divergences.sample(POSTERIOR, SEED, num)


def _pass(choice, inputs=X, draw=_draw):
    return estimators.resolve(choice)(OP, POSTERIOR)(inputs, draw, SEED)


def test_reparameterization_applies_the_draw_and_returns_it():
    outputs, weights = estimators.reparameterization(OP, POSTERIOR)(X, _draw, SEED)
    np.testing.assert_array_equal(weights.kernel, _draw().kernel)
    np.testing.assert_allclose(outputs, X @ weights.kernel + weights.bias, rtol=1e-6)


def test_flipout_returns_the_base_draw_and_differs_between_examples():
    same = tf.repeat(X[:1], 64, axis=0)
    outputs, weights = estimators.flipout(OP, POSTERIOR)(same, _draw, SEED)
    np.testing.assert_array_equal(weights.kernel, _draw().kernel)
    assert len(np.unique(np.round(outputs[:, 0], 4))) == 16  # signs of three inputs and of the output, up to none


def test_local_reparameterization_draws_no_weights():
    def draw():
        raise AssertionError("must not draw")

    outputs, weights = estimators.local_reparameterization(OP, POSTERIOR)(X, draw, SEED)
    assert weights is None
    assert outputs.shape == (5, 2)


def test_a_dead_input_has_a_finite_gradient_under_local_reparameterization():
    posterior = bc.KernelBias(_posterior().kernel)
    x = tf.zeros([2, 3])
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs, _ = estimators.local_reparameterization(OP, posterior)(x, _draw, SEED)
    np.testing.assert_allclose(outputs, np.zeros([2, 2]), atol=1e-12)
    assert np.isfinite(tape.gradient(outputs, x)).all()


def test_flipout_needs_symmetric_independent_weights():
    for skewed in (tfd.Gumbel(tf.zeros([3, 2]), 1.0), tfd.MultivariateNormalDiag(tf.zeros([3, 2]))):
        with pytest.raises(
            ValueError, match=r"flipout needs a posterior of independent weights, each symmetric.*for the kernel"
        ):
            estimators.flipout(OP, _posterior(skewed))


def test_local_reparameterization_needs_normals_and_unshared_weights():
    with pytest.raises(ValueError, match="local_reparameterization needs a posterior of independent normals"):
        estimators.local_reparameterization(OP, _posterior(tfd.Laplace(tf.zeros([3, 2]), 1.0)))
    factory = bc.make_kernel_bias_local_reparameterization
    with pytest.raises(
        ValueError, match="exact only where weights are not shared over positions, and Convolution shares"
    ):
        bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory)
    layer = bc.Affine(3, 2, make_kernel_bias_fn=factory)
    with pytest.raises(
        ValueError, match=r"needs inputs of 2 dimensions.*Received shape \(4, 5, 3\)\. Flatten the inputs"
    ):
        layer(tf.zeros([4, 5, 3]))


SAMPLING = ("antithetic", "automatic", "flipout", "grouped_flipout", "per_example", "reparameterization", "sliced")


@pytest.mark.parametrize("name", SAMPLING)
def test_a_posterior_without_reparameterization_is_refused(name):
    posterior = _posterior(tfd.Poisson(tf.ones([3, 2])))
    with pytest.raises(ValueError, match="the posterior must be reparameterized"):
        estimators.get(name)(OP, posterior)


def test_one_registered_function_is_an_estimator_of_every_layer():
    def doubled(linear_op, posterior, *, factor=2.0):
        """Twice the mean."""

        def stochastic_pass(inputs, draw, seed):
            mean = bc.map_kernel_bias(lambda d: factor * d.mean(), posterior)
            return estimators.Estimate(linear_op(inputs, mean), mean)

        return stochastic_pass

    def factory(*args, **options):
        return bc.make_kernel_bias_variational(*args, estimator=doubled, **options)

    layer = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory)
    x = tf.ones([1, 4, 4, 1])
    np.testing.assert_allclose(layer(x), 2 * layer(x, weights="mean"), rtol=1e-6)


SKEWED = _posterior(tfd.Gumbel(tf.zeros([3, 2]), 1.0))


@pytest.mark.parametrize("name", ["antithetic", "flipout", "grouped_flipout", "sliced"])
def test_flips_of_a_posterior_that_is_not_symmetric_are_refused_with_a_way_out(name):
    with pytest.raises(ValueError, match=rf"{name} needs a posterior of .*symmetric.*Received.*for the kernel") as info:
        estimators.get(name)(OP, SKEWED)
    way_out = re.search(r"Use estimator=('\w+'|\{.*?\})", str(info.value))
    estimators.resolve(ast.literal_eval(way_out[1]))(OP, SKEWED)


def test_what_the_options_must_be():
    for count in (0, -1, 2.5, True, "8", None):
        with pytest.raises(ValueError, match=r"sliced divides the batch in num_slices >= 1 parts.*Received num_slices"):
            estimators.sliced(OP, POSTERIOR, num_slices=count)
        with pytest.raises(ValueError, match=r"grouped_flipout divides the batch in num_groups >= 1 parts"):
            estimators.grouped_flipout(OP, POSTERIOR, num_groups=count)
    with pytest.raises(ValueError, match=r"'fliped'; choose one of .*Did you mean 'flipped'"):
        estimators.sliced(OP, POSTERIOR, draws="fliped")
    for count in (1, 3, 12):
        with pytest.raises(ValueError, match=r"power of 2, such as 4 or 8\. Received num_slices=\d+; draws='flipped'"):
            estimators.sliced(OP, POSTERIOR, draws="balanced", num_slices=count)
    with pytest.raises(ValueError, match="got the unknown option 'slices'"):
        estimators.resolve({"name": "sliced", "slices": 4})


def test_the_mean_draws_nothing_and_the_layer_keeps_its_penalty():
    def draw():
        raise AssertionError("must not draw")

    outputs, weights = _pass("mean", draw=draw)
    assert weights is None
    np.testing.assert_allclose(outputs, X @ POSTERIOR.kernel.mean(), rtol=1e-6)
    layer = bc.Affine(3, 2, make_kernel_bias_fn=functools.partial(bc.make_kernel_bias_variational, estimator="mean"))
    layer(X)
    assert float(layer.extra_loss) > 0


def test_the_halves_of_an_antithetic_batch_meet_mirror_images():
    outputs, weights = _pass("antithetic")
    mean = POSTERIOR.kernel.mean()
    np.testing.assert_allclose(outputs[:2], X[:2] @ weights.kernel + weights.bias, rtol=1e-5)
    np.testing.assert_allclose(outputs[2:], X[2:] @ (2 * mean - weights.kernel) - weights.bias, rtol=1e-5)


def test_every_example_has_the_kernel_that_is_returned():
    outputs, weights = _pass("per_example")
    assert weights.kernel.shape == (5, 3, 2)
    np.testing.assert_allclose(outputs, tf.einsum("ni,nio->no", X, weights.kernel) + weights.bias, rtol=1e-5)


def test_per_example_refuses_uses_of_a_layer_with_other_numbers_of_examples():
    with pytest.raises(ValueError, match=r"must meet the same number of examples.*Received 5 examples after 4"):
        _pass("per_example", draw=lambda num: _draw(4))


def test_independent_slices_meet_the_kernels_that_are_returned():
    outputs, weights = _pass({"name": "sliced", "draws": "independent", "num_slices": 2})
    assert weights.kernel.shape == (2, 3, 2)
    kernels = tf.gather(weights.kernel, [0, 0, 1, 1, 1])
    biases = tf.gather(weights.bias, [0, 0, 1, 1, 1])
    np.testing.assert_allclose(outputs, tf.einsum("ni,nio->no", X, kernels) + biases, rtol=1e-5)


@pytest.mark.parametrize("draws", ["flipped", "balanced"])
def test_slices_of_one_draw_differ_from_it_by_signs_and_return_it(draws):
    posterior = POSTERIOR._replace(bias=None)
    estimator = estimators.sliced(OP, posterior, num_slices=4, draws=draws)
    every_input = tf.concat([tf.eye(3)] * 4, axis=0)
    outputs, weights = estimator(every_input, lambda: _draw()._replace(bias=None), SEED)
    np.testing.assert_array_equal(weights.kernel, _draw().kernel)
    deviation = tf.reshape(outputs, [4, 3, 2]) - posterior.kernel.mean()
    magnitude = np.abs(weights.kernel - posterior.kernel.mean())
    np.testing.assert_allclose(np.abs(deviation), np.broadcast_to(magnitude, [4, 3, 2]), rtol=1e-4)
    sums = np.abs(tf.reduce_sum(deviation, axis=0))
    assert (sums.max() < 1e-5) == (draws == "balanced")


def test_a_batch_is_cut_evenly_and_no_slice_is_empty():
    for num in range(1, 20):
        for count in (1, 2, 5, 8):
            x = tf.range(num)[:, tf.newaxis]
            parts, restored = sliced_batch(x, count)
            sizes = [part.shape[0] for part in parts]
            assert len(parts) == min(num, count)
            assert min(sizes) >= max(1, max(sizes) - 1)
            np.testing.assert_array_equal(restored(tf.concat(parts, axis=0)), x)


def test_a_batch_of_unknown_size_is_cut_in_the_same_way_with_examples_added_where_there_are_too_few():
    traces = []

    @functools.partial(tf.function, input_signature=[tf.TensorSpec([None, 1], tf.int32)])
    def cut(x):
        traces.append(0)
        parts, restored = sliced_batch(x, 4)
        return parts, restored(tf.concat(parts, axis=0))

    for num in (1, 3, 4, 11):
        x = 1 + tf.range(num)[:, tf.newaxis]
        parts, whole = cut(x)
        expected, _ = sliced_batch(x, 4)
        np.testing.assert_array_equal(whole, x)
        for part, wanted in zip(parts, expected, strict=False):
            np.testing.assert_array_equal(part, wanted)
        assert [part.shape[0] for part in parts[len(expected) :]] == [1] * (4 - len(expected))
    assert len(traces) == 1


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["sliced", "antithetic", "automatic", "grouped_flipout"])
def test_outputs_and_gradients_are_the_same_for_batches_of_unknown_size_and_under_xla(estimator):
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=estimator)
    layer = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory)
    x, traces = tf.constant(np.random.default_rng(1).normal(size=[11, 5, 5, 1]), tf.float32), []

    def run(x):
        traces.append(0)
        with tf.GradientTape() as tape:
            outputs = layer(x, seed=1, is_training=False)
            loss = tf.reduce_sum(tf.square(outputs + 1.0))
        return [outputs, *tape.gradient(loss, layer.trainable_variables)]

    signature = [tf.TensorSpec([None, 5, 5, 1])]
    compiled = tf.function(run, input_signature=signature)
    jitted = tf.function(run, input_signature=signature, jit_compile=True, autograph=False)
    results = [[run(x[:num]), compiled(x[:num])] for num in (1, 3, 8, 11)]
    for result, num in ((results[0], 1), (results[-1], 11)):  # XLA compiles every size anew
        result.append(jitted(x[:num]))
    assert len(traces) == 4 + 2  # four eager runs, and one trace of each function
    for eager, *others in results:
        for value, *found in zip(eager, *others, strict=True):
            for other in found:
                np.testing.assert_allclose(other, value, rtol=1e-4, atol=1e-4)


def test_automatic_takes_local_reparameterization_where_it_is_exact_and_slices_elsewhere():
    factory = functools.partial(bc.make_kernel_bias_variational, estimator="automatic")
    layer = bc.Affine(3, 2, make_kernel_bias_fn=factory)
    layer(X)
    assert layer.extra_result is None
    layer(tf.ones([5, 4, 3]))  # positions
    assert layer.extra_result.kernel.shape == (3, 2)
    convolution = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory)
    convolution(tf.ones([2, 5, 5, 1]))
    assert convolution.extra_result.kernel.shape == (3, 3, 1, 2)


def test_automatic_takes_independent_slices_where_signs_may_not_be_flipped():
    _, weights = estimators.automatic(OP, SKEWED)(X, lambda num: divergences.sample(SKEWED, SEED, num), SEED)
    assert weights.kernel.shape == (8, 3, 2)


@pytest.mark.parametrize(
    "element",
    [
        tfd.Cauchy(tf.zeros([3, 2]), 1.0),
        tfd.TransformedDistribution(tfd.Normal(tf.zeros([3, 2]), 1.0), tfp.bijectors.Exp()),
    ],
)
def test_the_mean_needs_a_posterior_that_has_one(element):
    with pytest.raises(ValueError, match=r"finite mean\. Received .*use estimator='reparameterization'"):
        estimators.mean(OP, _posterior(element))

"""Claims about what estimators need and what they return; their moments are tested with the statistics."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import divergences, estimators
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


def _draw():
    return divergences.sample(POSTERIOR, SEED)


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


def test_a_posterior_without_reparameterization_is_refused():
    distribution = tfd.Poisson(tf.ones([3, 2]))
    for estimator in (estimators.reparameterization, estimators.flipout):
        with pytest.raises(ValueError, match="the posterior must be reparameterized"):
            estimator(OP, _posterior(distribution))


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

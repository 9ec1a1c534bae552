"""Initial weights: activations keep their variance through a deep net of sampled weights, and gradients are finite.

E[y^2] after a layer is fan_in E[x^2] (Var loc + scale^2), so Var loc + scale^2 = 2 / fan_in keeps it under ReLU. Over
24 nets of 10 layers the logarithm of the mean E[y^2] varies by about 0.2, or 0.02 a layer; the bound is 0.1 a layer,
and a He location with a scale as large doubles E[y^2] at every layer, 0.69 in the logarithm.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import posterior_oracles
import pytest
import tensorflow as tf
from covering import diagonal

import bayesconv as bc
from bayesconv import estimators, initializers, posteriors, priors

pytestmark = pytest.mark.slow

DEPTH = 10
NUM_NETS = 24
WIDTH = 96


def log_drift_per_layer(make_layer: Callable[[], Any], input_shape: tuple[int, ...]) -> float:
    """log of E[y^2] after the last layer over that after the first, divided by the layers between; y before ReLU.

    The nets are a batch of kernels, so a layer holds that depth's weights of all of them.
    """
    bc.set_seed(0)
    y = tf.constant(np.random.default_rng(0).normal(size=input_shape), tf.float32)
    mean_squares = []
    for depth in range(DEPTH):
        y = make_layer()(y if depth == 0 else tf.nn.relu(y), seed=depth, is_training=False)
        mean_squares.append(float(tf.reduce_mean(tf.square(y))))
    return math.log(mean_squares[-1] / mean_squares[0]) / (DEPTH - 1)


def dense(init_kernel_fn: Any = None, **choices: Any) -> bc.Affine:
    factory = functools.partial(bc.make_kernel_bias_variational, **choices)
    return bc.Affine(WIDTH, WIDTH, init_kernel_fn, make_kernel_bias_fn=factory, batch_shape=NUM_NETS)


def convolution(**choices: Any) -> bc.Convolution:
    factory = functools.partial(bc.make_kernel_bias_variational, **choices)
    return bc.Convolution(24, 24, 2, make_kernel_bias_fn=factory, batch_shape=NUM_NETS)


DENSE_INPUTS = (32, NUM_NETS, WIDTH)
CONVOLUTION_INPUTS = (2, 12, 12, NUM_NETS, 24)


@pytest.mark.parametrize("estimator", estimators.names())
def test_sampled_activations_keep_their_variance_through_ten_dense_layers(estimator):
    assert abs(log_drift_per_layer(functools.partial(dense, estimator=estimator), DENSE_INPUTS)) < 0.1


@pytest.mark.parametrize(
    ("posterior", "make"), diagonal(posteriors.names(), [(dense, DENSE_INPUTS), (convolution, CONVOLUTION_INPUTS)])
)
def test_sampled_activations_keep_their_variance_under_every_posterior(posterior, make):
    choices = {"estimator": "reparameterization", "prior": posterior_oracles.OWN_PRIORS.get(posterior, "normal")}
    drift = log_drift_per_layer(functools.partial(make[0], posterior=posterior, **choices), make[1])
    assert abs(drift) < 0.1


@pytest.mark.parametrize("ratio", [0.05, 0.6, 1.0])
def test_sampled_activations_keep_their_variance_whatever_share_the_scale_has(ratio):
    posterior = {"name": "mean_field_normal", "initial_scale_ratio": ratio}
    assert abs(log_drift_per_layer(functools.partial(dense, posterior=posterior), DENSE_INPUTS)) < 0.1


def test_a_scale_on_top_of_full_he_locations_is_found():
    posterior = {"name": "mean_field_normal", "initial_scale_ratio": 1.0}
    naive = functools.partial(dense, posterior=posterior, init_kernel_fn=initializers.he_normal())
    assert log_drift_per_layer(naive, DENSE_INPUTS) == pytest.approx(math.log(2.0), abs=0.1)


def test_scales_that_forget_the_width_are_found():
    narrow = {"name": "mean_field_normal", "initial_scale": 0.3}  # 96 * 0.09 / 2 = 4.3 times too much
    assert log_drift_per_layer(functools.partial(dense, posterior=narrow), DENSE_INPUTS) > 1.0


@pytest.mark.parametrize("fan_in", [2, 50, 1_000])
def test_the_variance_of_a_sampled_weight_is_that_of_he(fan_in):
    bc.set_seed(3)
    layer = bc.Affine(fan_in, 40_000 // fan_in, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    loc, scale = (layer.named_variables[f"kernel/{part}"].numpy() for part in ("loc", "untransformed_scale"))
    scale = np.exp(scale)
    np.testing.assert_allclose(scale, 0.25 * math.sqrt(2.0 / fan_in), rtol=1e-5)
    # SE of a variance of 40,000 normals: sqrt(2 / 40,000) = 0.7 %.
    assert loc.var() + np.mean(np.square(scale)) == pytest.approx(2.0 / fan_in, rel=0.04)
    np.testing.assert_array_equal(layer.named_variables["bias/loc"], 0.0)


PRIORS = [name for name in priors.names() if name not in posterior_oracles.OWN_PRIORS.values()]


@pytest.mark.parametrize(("estimator", "prior"), diagonal(estimators.names(), PRIORS))
def test_gradients_are_finite_and_scales_positive_wherever_an_optimizer_takes_the_scales(estimator, prior):
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=estimator, prior=prior)
    layer = bc.Affine(3, 2, make_kernel_bias_fn=factory)
    x = np.array([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0], [1e-3, 0.0, 1.0]])
    parts = [part for part in layer.posterior if part is not None]
    of_posterior = {id(variable) for part in parts for variable in part.variables}

    @tf.function(autograph=False)
    def loss_and_gradients() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            with bc.collect_extras() as extras:
                outputs = layer(x, seed=0)
            loss = tf.reduce_mean(tf.square(outputs)) + extras.loss
        return loss, tape.gradient(loss, layer.trainable_variables)

    for value, zeros in itertools.product((-30.0, -10.0, 0.0, 10.0, 30.0), (False, True)):
        for name, variable in layer.named_variables.items():
            if id(variable) not in of_posterior:  # a prior with a scale of exp(-30) is at war with any mean
                continue
            if name.endswith("untransformed_scale"):
                variable.assign(tf.fill(variable.shape, value))
            elif zeros:  # where the density of a Laplace prior has its kink
                variable.assign(tf.zeros_like(variable))
        loss, gradients = loss_and_gradients()
        assert np.isfinite(loss), (value, zeros)
        assert all(np.isfinite(gradient).all() for gradient in gradients), (value, zeros)
        assert (layer.posterior.kernel.distribution.scale.numpy() > 0).all()

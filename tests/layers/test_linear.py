"""Claims about the body that every linear layer shares; what a factory may give is tested with the factories."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import calls, estimators

tfd = tfp.distributions
X = np.ones([4, 3])


class Doubled:
    """A linear operator of our own: twice the affine one."""

    name, batch_ndims, event_ndims, shares_weights = "Doubled", 0, 1, False

    def __call__(self, inputs, weights):
        return 2 * (inputs @ weights.kernel) + weights.bias

    def check_inputs(self, name, inputs, input_size):
        assert inputs.shape[-1] == input_size


def _custom(factory, fan_in=3):
    return bc.layers.Linear(
        Doubled(),
        bc.KernelBias((3, 2), (2,)),
        fan_in=fan_in,
        input_size=3,
        init_fns=bc.KernelBias(None, None),
        make_kernel_bias_fn=factory,
        dtype=tf.float64,
        activation_fn=None,
        name="doubled",
    )


@pytest.mark.parametrize("estimator", estimators.names())
def test_an_operator_is_a_layer_with_every_estimator(estimator):
    layer = _custom(functools.partial(bc.make_kernel_bias_variational, estimator=estimator))
    mean = 2 * X @ layer.kernel.mean().numpy() + layer.bias.mean().numpy()
    np.testing.assert_allclose(layer(X, weights="mean"), mean, rtol=1e-12)
    assert layer.linear_op.name == "Doubled"
    assert estimator == "mean" or np.abs(layer(X, seed=1) - mean).max() > 1e-3


def test_the_fan_in_is_the_operators_and_not_that_of_the_shape():
    layer = _custom(bc.make_kernel_bias_flipout, fan_in=50)
    np.testing.assert_allclose(layer.prior.kernel.distribution.scale, np.sqrt(2 / 50))
    np.testing.assert_allclose(layer.kernel.stddev(), 0.25 * np.sqrt(2 / 50), rtol=1e-6)


def test_forward_is_not_for_calling():
    with pytest.raises(RuntimeError, match=r"Call the layer itself, layer\(inputs\), not its forward method"):
        _custom(bc.make_kernel_bias_flipout).forward(X, is_training=True, seed=1)


def test_given_draws_are_used_instead_of_drawing():
    layer = _custom(bc.make_kernel_bias_flipout)
    given = bc.KernelBias(tf.ones([3, 2], tf.float64), tf.zeros([2], tf.float64))
    with calls.entered(calls.Call(0, weights="coherent", draws={(0, layer): given})):
        np.testing.assert_allclose(layer(X), np.full([4, 2], 6.0))


def test_a_users_factory_without_initializers_gets_tfps_defaults():
    seen = {}

    def factory(kernel_shape, bias_shape, init_kernel_fn, init_bias_fn):
        seen.update(kernel=init_kernel_fn, bias=init_bias_fn)
        return init_kernel_fn(kernel_shape, tf.float64), init_bias_fn(bias_shape, tf.float64)

    layer = _custom(factory)
    assert seen["kernel"].__name__ == "glorot_uniform"
    np.testing.assert_array_equal(layer.bias, np.zeros(2))


def test_a_new_posterior_scale_shows_at_the_next_call_of_a_compiled_function():
    layer = _custom(bc.make_kernel_bias_reparameterization)
    compiled = tf.function(lambda seed: layer(X, seed=seed))
    seed = tf.constant([1, 2])
    before = compiled(seed) - layer(X, weights="mean")
    for distribution in layer.posterior:
        scale = distribution.distribution.scale
        scale.assign(2.0 * tf.convert_to_tensor(scale))
    np.testing.assert_allclose(compiled(seed) - layer(X, weights="mean"), 2 * before, rtol=1e-9)


@pytest.mark.parametrize("weights", ["sample", "coherent", "mean"])
@pytest.mark.parametrize("divergence", ["exact", "monte_carlo"])
def test_a_training_call_has_its_penalty_however_it_uses_the_weights(weights, divergence):
    layer = _custom(functools.partial(bc.make_kernel_bias_flipout, divergence=divergence))
    layer(X, seed=1, weights=weights)
    expected = layer.extra_loss
    assert float(expected) > 0
    if divergence == "exact":
        np.testing.assert_allclose(expected, layer.divergence.penalty(None, None))
    elif weights == "coherent":
        w, q, p = layer.extra_result, layer.posterior, layer.prior
        parts = zip(w, q, p, strict=True)
        np.testing.assert_allclose(expected, sum(float(b.log_prob(a) - c.log_prob(a)) for a, b, c in parts), rtol=1e-9)
    layer(X, seed=1, weights=weights, is_training=False)
    assert layer.extra_loss is None


def test_a_mean_that_does_not_exist_is_refused():
    def posterior(specs):
        return bc.map_kernel_bias(
            lambda s: tfd.Sample(tfd.Cauchy(tf.Variable(0.0, dtype=s.dtype), np.float64(1.0)), s.shape), specs
        )

    layer = _custom(functools.partial(bc.make_kernel_bias_reparameterization, posterior=posterior, prior="cauchy"))
    assert layer(X, seed=1).shape == (4, 2)
    with pytest.raises(ValueError, match="`doubled` has one of Cauchy, Cauchy, without: use weights='sample' or"):
        tf.function(lambda: layer(X, weights="mean"))()


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_weights_of_half_precision_are_refused_with_the_way_out(dtype):
    with pytest.raises(ValueError, match=rf'with bc\.compute_dtype\("{dtype.name}"\)'):
        bc.Affine(3, 2, dtype=dtype)

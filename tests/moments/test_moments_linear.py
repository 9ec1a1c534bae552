"""Linear layers: exact on inputs that are known, and on inputs that are independent of one another."""

from __future__ import annotations

import bounds
import numpy as np
import oracles
import pytest
import tensorflow as tf
from descriptors import PRIOR_OF, factory
from draws import draws_of

import bayesconv as bc
from bayesconv import posteriors
from bayesconv.moments import Moments, apply_rule, linear, propagate

MIRRORED = {"conv2d_reflect"}
SMALL = [name for name, case in oracles.CASES.items() if np.prod(case.input_shape[1:]) <= 16 and name not in MIRRORED]


@pytest.mark.parametrize("name", oracles.CASES)
def test_one_layer_has_the_mean_and_the_variance_of_its_outputs(name):
    case = oracles.CASES[name]
    layer, x = oracles.make_layer(case), oracles.inputs_of(case)
    exact = oracles.output_moments(case, x, *oracles.moments_of(layer))
    moments = propagate(layer, x)
    np.testing.assert_allclose(np.ravel(moments.mean), exact.mean, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.ravel(moments.variance), np.diag(exact.covariance), rtol=1e-10)


@pytest.mark.parametrize("posterior", posteriors.names())
def test_every_posterior_gives_its_variance_weight_by_weight(posterior):
    make = factory("reparameterization", PRIOR_OF.get(posterior, "normal"), posterior)
    layer = oracles.randomized(bc.Affine(4, 3, make_kernel_bias_fn=make, dtype=tf.float64))
    x = np.eye(4)[1:2]  # one input that is not zero, so that no covariance between weights counts
    moments = propagate(layer, x)
    np.testing.assert_allclose(moments.mean[0], (layer.kernel.mean()[1] + layer.bias.mean()), rtol=1e-12)
    variance = layer.kernel.variance()[1] + layer.bias.variance()
    np.testing.assert_allclose(moments.variance[0], variance, rtol=1e-12)


def bilinear(case, num_inputs):
    """`[K, I, *output_shape]`: the outputs for every single weight, of the kernel, and every single input."""
    units = np.eye(num_inputs).reshape([num_inputs, *case.input_shape[1:]])
    kernels = np.eye(int(np.prod(case.kernel_shape))).reshape([-1, *case.kernel_shape])
    return np.stack([case.apply(units, kernel) for kernel in kernels])


def random_inputs(case):
    rng = np.random.default_rng(2)
    return rng.normal(size=case.input_shape[1:]), rng.uniform(0.2, 1.0, case.input_shape[1:])


def exact_variance(table, m, v, weights, spread, *, parts=("inputs", "weights", "both")):
    """`sum_i v_i (sum_k M_k T_kio)^2 + sum_k V_k (sum_i m_i T_kio)^2 + sum_ik v_i V_k T_kio^2`."""
    terms = {
        "inputs": np.tensordot(v, np.square(np.tensordot(weights, table, 1)), 1),
        "weights": np.tensordot(spread, np.square(np.tensordot(m, table, (0, 1))), 1),
        "both": np.tensordot(v, np.tensordot(spread, np.square(table), 1), 1),
    }
    return sum(terms[part] for part in parts)


@pytest.mark.parametrize("name", SMALL)
def test_inputs_that_are_random_and_independent_are_exact_too_and_each_term_counts(name):
    case = oracles.CASES[name]._replace(input_shape=(1, *oracles.CASES[name].input_shape[1:]))
    layer, (m, v) = oracles.make_layer(case), random_inputs(case)
    mean, variance = oracles.moments_of(layer)
    num = int(np.prod(case.kernel_shape))
    table = bilinear(case, m.size)
    moments = apply_rule(layer, Moments(tf.constant(m[np.newaxis]), tf.constant(v[np.newaxis])))
    arguments = table, m.ravel(), v.ravel(), mean[:num], variance[:num]
    of_bias = np.zeros([]) if layer.bias is None else layer.bias.variance().numpy()
    got = moments.variance[0] - of_bias
    np.testing.assert_allclose(got, exact_variance(*arguments), rtol=1e-9, atol=1e-12)
    for parts in (("weights", "both"), ("inputs", "both"), ("inputs", "weights")):  # a term that is forgotten
        mutant = exact_variance(*arguments, parts=parts)
        assert np.abs(got - mutant).max() > 0.02 * np.max(got), parts


def test_a_mirrored_input_counts_as_two_that_are_independent():
    case = oracles.CASES["conv2d_reflect"]
    layer, (m, v) = oracles.make_layer(case), random_inputs(case)
    mean, variance = oracles.moments_of(layer)
    num, table = int(np.prod(case.kernel_shape)), bilinear(case, m.size)
    moments = apply_rule(layer, Moments(tf.constant(m[np.newaxis]), tf.constant(v[np.newaxis])))
    arguments = table, m.ravel(), v.ravel(), mean[:num], variance[:num]
    apart = np.tensordot(v.ravel(), np.tensordot(np.square(mean[:num]), np.square(table), 1), 1)
    expected = apart + exact_variance(*arguments, parts=("weights", "both")) + layer.bias.variance().numpy()
    np.testing.assert_allclose(moments.variance[0], expected, rtol=1e-9)
    assert np.abs(apart / exact_variance(*arguments, parts=("inputs",)) - 1.0).max() > 0.05


def test_a_separable_convolution_has_the_moments_of_its_draws():
    layer = bc.SeparableConvolution(2, 3, 2, depth_multiplier=2, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    model = bc.Sequential([oracles.randomized(layer), bc.Flatten()])
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 2)).astype(np.float32)
    draws = draws_of(model, x, 4000)
    moments = propagate(model, x)
    # 24 comparisons each, false alarms 1e-6; a variance that is off by 15 % is found 19 times in 20.
    assert bounds.compare_means(draws, moments.mean.numpy()).agrees
    assert bounds.compare_variances(draws, moments.variance.numpy()).agrees
    assert not bounds.compare_variances(draws, 0.8 * moments.variance.numpy()).agrees


def test_weights_without_a_posterior_pass_known_inputs_on_and_random_ones_by_their_squares():
    layer = bc.Affine(3, 2, activation_fn=tf.nn.softmax)
    x = tf.ones([4, 3])
    np.testing.assert_allclose(propagate(layer, x).mean, layer(x, is_training=False), rtol=1e-6)
    np.testing.assert_array_equal(propagate(layer, x).variance, np.zeros([4, 2]))
    plain = bc.Affine(3, 2)
    plain.bias.assign([1.0, -1.0])
    moments = apply_rule(plain, Moments(x, 2.0 * x))
    np.testing.assert_allclose(moments.variance, 2.0 * x @ tf.square(plain.kernel), rtol=1e-6)


def test_a_layer_with_an_operator_of_its_own_needs_a_rule_and_may_take_ours():
    class Half(bc.layers.Linear):
        def __init__(self):
            op = bc.layers.FunctionOperator(name="Half", function=lambda x, k: x @ k)
            super().__init__(
                op,
                bc.KernelBias((2, 2), (2,)),
                fan_in=2,
                input_size=2,
                init_fns=bc.KernelBias(None, None),
                make_kernel_bias_fn=bc.make_kernel_bias_flipout,
                dtype=tf.float32,
                activation_fn=None,
                name=None,
            )

    with pytest.raises(TypeError, match="no rule for the moments of `half`, a Half"):
        propagate(Half(), tf.ones([1, 2]))
    bc.moments.register_moments(Half)(linear)
    layer = Half()
    variance = tf.reduce_sum(layer.kernel.variance(), 0) + layer.bias.variance()
    np.testing.assert_allclose(propagate(layer, tf.ones([1, 2])).variance[0], variance, rtol=1e-6)

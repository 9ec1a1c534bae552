"""Claims about naming what went wrong first; that training stops there is tested with training."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import random
from bayesconv.finiteness import first_non_finite

FAMILY = bc.likelihoods.categorical()
X, Y = tf.ones([4, 3]), tf.zeros([4], tf.int32)


def _model(*extra):
    layers = [bc.Affine(3, 3, name=name, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization) for name in "ab"]
    return bc.Sequential([*layers, *extra])


def _where(model, x=X, family=FAMILY):
    return first_non_finite(model, x, Y, family, [random.as_seed(1)])


def test_the_inputs_come_first():
    model = _model()
    model[0].kernel.distribution.loc.assign(tf.fill([3, 3], np.nan))
    assert _where(model, x=X / 0.0) == "the inputs"


def test_of_two_layers_the_first_is_named():
    model = _model()
    for layer in model[:2].layers:
        layer.kernel.distribution.loc.assign(tf.fill([3, 3], np.inf))
    assert _where(model) == "the variable layers/0/kernel/loc of `a`"


def test_a_draw_that_overflows_is_named_before_the_output():
    model = _model()
    model[1].kernel.distribution.scale.trainable_variables[0].assign(tf.fill([3, 3], 200.0))
    assert _where(model) == "the weight draw of `b`"


def test_an_output_is_named_by_the_innermost_layer():
    nested = bc.Sequential([bc.Lambda(lambda x: x / 0.0, name="division")], name="block")
    assert _where(_model(nested)) == "the output of `division`"


def test_a_penalty_is_named():
    assert (
        _where(_model(bc.Lambda(extra_loss_fn=lambda y: tf.math.log(-1.0), name="penalized")))
        == "the KL of `penalized`"
    )


def test_the_likelihood_is_named_if_the_outputs_are_fine():
    family = FAMILY._replace(log_prob=lambda outputs, targets: tf.math.log(-tf.ones([4])))
    assert _where(_model(), family=family).startswith("the log-likelihood of the targets")


def test_a_gradient_is_named_by_its_variable():
    @tf.custom_gradient
    def trap(x):
        return tf.identity(x), lambda upstream: upstream * np.inf

    assert _where(bc.Sequential([*_model().layers, trap])) == "the gradient of the variable layers/0/kernel/loc of `a`"


@pytest.mark.parametrize("is_bayesian", [True, False])
def test_a_single_layer_is_its_own_owner(is_bayesian):
    layer = bc.Affine(
        3, 3, name="only", make_kernel_bias_fn=bc.make_kernel_bias_flipout if is_bayesian else bc.make_kernel_bias
    )
    layer.variables[0].assign(tf.fill(layer.variables[0].shape, np.nan))
    assert _where(layer).endswith("of `only`")


def test_when_nothing_is_wrong_by_itself_the_sum_is():
    assert _where(_model()).startswith("the sum of the terms")

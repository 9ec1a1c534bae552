"""Every layer with every choice is built, called and differentiated, or refused when it is built, with the reason."""

from __future__ import annotations

import itertools

import descriptors
import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import estimators, posteriors, priors

CASES = list(descriptors.grid())
AXES = (descriptors.LINEAR, estimators.names(), priors.names())
PAIRS = descriptors.all_pairs(*AXES)


def _shares_weights(descriptor):
    layer = descriptor.make(bc.make_kernel_bias, tf.float32)
    linear = [part for part in (layer, *layer.submodules) if isinstance(part, bc.layers.Linear)]
    return any(part.linear_op.shares_weights for part in linear)


def _check_step(layer, inputs):
    with tf.GradientTape() as tape, bc.collect_extras() as extras:
        outputs = layer(inputs, seed=1)
        loss = tf.reduce_sum(tf.square(outputs)) + extras.loss
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert np.isfinite(extras.loss)
    assert outputs.shape[0] == inputs.shape[0]
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.name
        assert np.isfinite(gradient).all(), variable.name
        assert np.abs(gradient).max() > 0, variable.name


def _names(value):
    return value if isinstance(value, str) else value.name


@pytest.mark.parametrize(("descriptor", "estimator", "prior"), PAIRS, ids=_names)
def test_every_pair_gives_gradients_or_is_refused(descriptor, estimator, prior):
    _check_gradients_or_refusal(descriptor, estimator, prior)


@pytest.mark.full
@pytest.mark.parametrize(("descriptor", "estimator", "prior"), list(itertools.product(*AXES)), ids=_names)
def test_every_combination_gives_gradients_or_is_refused(descriptor, estimator, prior):
    _check_gradients_or_refusal(descriptor, estimator, prior)


def _check_gradients_or_refusal(descriptor, estimator, prior):
    for posterior in posteriors.names():
        factory = descriptors.factory(estimator, prior, posterior)
        try:
            layer = descriptor.make(factory, tf.float32)
        except ValueError as error:
            assert estimator in descriptors.REFUSALS
            assert descriptors.REFUSALS[estimator] in str(error)  # noqa: PT017
            assert _shares_weights(descriptor)
            layer = descriptor.make(
                descriptors.factory(descriptors.allowed_estimator(estimator), prior, posterior), tf.float32
            )
        assert len(layer.trainable_variables) % 2 == 0
        _check_step(layer, descriptor.inputs())


def test_refusals_happen_where_the_rule_says_and_nowhere_else():
    factory = descriptors.factory("local_reparameterization", "normal")
    refused = set()
    for descriptor in descriptors.LINEAR:
        try:
            descriptor.make(factory, tf.float32)
        except ValueError:
            refused.add(descriptor.name)
    assert refused == {descriptor.name for descriptor in descriptors.LINEAR if _shares_weights(descriptor)}
    assert "affine" not in refused
    assert "convolution2d" in refused


@pytest.mark.parametrize("descriptor", descriptors.DESCRIPTORS, ids=lambda descriptor: descriptor.name)
def test_point_layers_and_layers_without_weights_are_differentiable(descriptor):
    layer, inputs = descriptor.make(bc.make_kernel_bias, tf.float32), descriptor.inputs()
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(tf.square(layer(inputs)))
    assert float(layer.extra_loss) == 0.0
    for gradient in tape.gradient(loss, [inputs, *layer.trainable_variables]):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


def test_every_case_is_in_the_parametrization():
    assert len(CASES) == len(descriptors.LINEAR) * len(estimators.names()) * len(priors.names()) * len(
        posteriors.names()
    )

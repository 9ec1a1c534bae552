"""Every layer with every choice is built, called and differentiated, or refused when it is built, with the reason."""

from __future__ import annotations

import itertools

import descriptors
import numpy as np
import pytest
import tensorflow as tf
from covering import diagonal

import bayesconv as bc
from bayesconv import estimators, posteriors, priors

CASES = list(descriptors.grid())
CHOICES = (estimators.names(), priors.names(), posteriors.names())
LAYERS = descriptors.filled(list(itertools.product(descriptors.LINEAR, CHOICES[0])), *CHOICES[1:])
TURNS = {(descriptor.name, estimator): turn for descriptor, estimator, *turn in LAYERS}


def _shares_weights(descriptor):
    layer = descriptor.make(bc.make_kernel_bias, tf.float32)
    linear = [part for part in (layer, *layer.submodules) if isinstance(part, bc.layers.Linear)]
    return any(part.linear_op.shares_weights for part in linear)


def _check_step(layer, inputs, estimator):
    # Dropout of the only channel of a kernel leaves nothing to differentiate: some draw reaches every variable.
    is_reached = any(_are_reached(layer, inputs, seed, estimator) for seed in range(1, 2 if estimator == "mean" else 9))
    assert is_reached or estimator == "mean"


def _are_reached(layer, inputs, seed, estimator):
    with tf.GradientTape() as tape, bc.collect_extras() as extras:
        outputs = layer(inputs, seed=seed)
        loss = tf.reduce_sum(tf.square(outputs)) + extras.loss
    without = "zero" if estimator == "mean" else "none"  # no data meet its scales
    gradients = tape.gradient(loss, layer.trainable_variables, unconnected_gradients=without)
    assert np.isfinite(extras.loss)
    assert outputs.shape[0] == inputs.shape[0]
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.name
        assert np.isfinite(gradient).all(), variable.name
    return all(np.abs(gradient).max() > 0 for gradient in gradients)


def _names(value):
    return value if isinstance(value, str) else value.name


@pytest.mark.parametrize(("descriptor", "estimator"), diagonal(descriptors.LINEAR, CHOICES[0], width=4), ids=_names)
def test_every_layer_and_estimator_gives_gradients_or_is_refused(descriptor, estimator):
    _check_gradients_or_refusal(descriptor, estimator, *TURNS[descriptor.name, estimator])


@pytest.mark.parametrize(("estimator", "prior", "posterior"), descriptors.all_pairs(*CHOICES), ids=_names)
def test_every_pair_of_choices_gives_gradients_or_is_refused(estimator, prior, posterior):
    _check_gradients_or_refusal(descriptors.BY_NAME["affine"], estimator, prior, posterior)


@pytest.mark.full
@pytest.mark.parametrize("estimator", CHOICES[0])
@pytest.mark.parametrize("descriptor", descriptors.LINEAR, ids=_names)
def test_every_combination_gives_gradients_or_is_refused(descriptor, estimator):
    for prior, posterior in itertools.product(*CHOICES[1:]):
        _check_gradients_or_refusal(descriptor, estimator, prior, posterior)


def _check_gradients_or_refusal(descriptor, estimator, prior, posterior):
    reason = descriptors.refusal(estimator, prior, posterior)
    if reason is None and estimator == "local_reparameterization" and _shares_weights(descriptor):
        reason = descriptors.SHARED_WEIGHTS
    choices = (estimator, prior, posterior)
    if reason:
        with pytest.raises(ValueError, match=reason):
            descriptor.make(descriptors.factory(*choices), tf.float32)
        choices = descriptors.allowed(*choices)
    _check_step(descriptor.make(descriptors.factory(*choices), tf.float32), descriptor.inputs(), estimator)


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

"""Claims about what outlives a graph: nothing keeps a training step that nobody holds any more."""

from __future__ import annotations

import gc
import weakref

import descriptors
import pytest
import tensorflow as tf
from covering import in_turn
from tensorflow_probability import bijectors as tfb

import bayesconv as bc
from bayesconv import estimators, posteriors, priors


def graph_of_a_step(factory) -> weakref.ref:
    """The graph of a step of a layer, which goes out of scope with it."""
    layer = bc.Affine(3, 2, make_kernel_bias_fn=factory)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2) + layer.extra_loss
        return tape.gradient(loss, layer.trainable_variables)

    return weakref.ref(tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec([4, 3])).graph)


@pytest.mark.parametrize(
    ("estimator", "prior", "posterior"), in_turn(estimators.names(), priors.names(), posteriors.names())
)
def test_the_graph_of_a_step_goes_with_its_layer(estimator, prior, posterior):
    graph = graph_of_a_step(descriptors.factory(*descriptors.allowed(estimator, prior, posterior)))
    gc.collect()
    assert graph() is None


@pytest.mark.parametrize("parameterization", ["exp", "softplus"])
def test_reading_a_scale_leaves_nothing_in_the_memory_that_bijectors_share(parameterization):
    gc.collect()
    before = len(tfb.Bijector._cache.storage)
    scale = bc.distributions.positive_variable(tf.constant([1.0, 2.0]), "untransformed_scale", parameterization)
    graph = tf.function(lambda: scale * 2.0, autograph=False).get_concrete_function().graph
    scale.assign([3.0, 4.0])
    tf.debugging.assert_near(scale, [3.0, 4.0])
    assert graph.get_operations()
    assert len(tfb.Bijector._cache.storage) <= before


def test_the_memory_of_a_bijector_of_tfps_own_keeps_its_graph():
    variable, scale = tf.Variable(1.0), tfb.Exp()
    graph = weakref.ref(tf.function(lambda: scale(variable.read_value())).get_concrete_function().graph)
    gc.collect()
    assert graph() is not None, "TFP forgets by itself: `_NoMemory` can go."

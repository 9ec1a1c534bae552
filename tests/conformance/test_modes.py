"""Every layer, estimator and prior gives the same numbers in every way of running a layer.

A pairwise covering runs always; the full product with `-m full`.
"""

from __future__ import annotations

import itertools

import descriptors
import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import estimators, priors

AXES = (descriptors.LINEAR, estimators.names(), priors.names(), descriptors.MODES)
SEED = tf.constant([3, 4])


def _make(descriptor, estimator, prior, dtype=tf.float32):
    factory = descriptors.factory(descriptors.allowed_estimator(estimator), prior)
    return descriptor.make(factory, dtype)


def _run(layer, inputs, seed):
    with bc.collect_extras() as extras:
        outputs = layer(inputs, seed=seed)
    return outputs, extras.loss


def _assert_close(found, expected, rtol=1e-5):
    for value, wanted in zip(found, expected, strict=True):
        scale = float(tf.reduce_max(tf.abs(wanted)))
        np.testing.assert_allclose(value, wanted, rtol=rtol, atol=rtol * scale)


def check_eager(descriptor, layer, tmp_path):
    inputs = descriptor.inputs()
    first = _run(layer, inputs, SEED)
    for value, again in zip(first, _run(layer, inputs, SEED), strict=True):
        np.testing.assert_array_equal(value, again)
    other = _run(layer, inputs, tf.constant([5, 4]))
    assert np.abs(other[0] - first[0]).max() > 1e-4


def check_function(descriptor, layer, tmp_path):
    traces = []

    def run(inputs, seed):
        traces.append(0)
        return _run(layer, inputs, seed)

    spec = tf.TensorSpec([None, *descriptor.input_shape])
    compiled = tf.function(run, input_signature=[spec, tf.TensorSpec([2], tf.int32)])
    for num in (3, 2):
        inputs = descriptor.inputs(num)
        _assert_close(compiled(inputs, SEED), _run(layer, inputs, SEED))
    assert len(traces) == 1


def check_jit_compile(descriptor, layer, tmp_path):
    inputs = descriptor.inputs()
    compiled = tf.function(lambda x, seed: _run(layer, x, seed), jit_compile=True)
    _assert_close(compiled(inputs, SEED), _run(layer, inputs, SEED))


def check_checkpoint(descriptor, layer, tmp_path):
    inputs = descriptor.inputs()
    expected = _run(layer, inputs, SEED)
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "checkpoint"))
    for variable in layer.trainable_variables:
        variable.assign_add(tf.ones_like(variable))
    assert np.abs(_run(layer, inputs, SEED)[0] - expected[0]).max() > 1e-3
    tf.train.Checkpoint(layer=layer).read(path).assert_consumed()
    for value, wanted in zip(_run(layer, inputs, SEED), expected, strict=True):
        np.testing.assert_array_equal(value, wanted)


def check_saved_model(descriptor, layer, tmp_path):
    module = tf.Module()
    module.layer = layer
    spec = tf.TensorSpec([None, *descriptor.input_shape])
    signature = [spec, tf.TensorSpec([2], tf.int32)]
    module.run = tf.function(
        lambda inputs, seed: layer(inputs, seed=seed, is_training=False), input_signature=signature
    )
    tf.saved_model.save(module, str(tmp_path / "exported"))
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    for num, seed in ((3, SEED), (2, tf.constant([7, 0]))):
        inputs = descriptor.inputs(num)
        _assert_close([loaded.run(inputs, seed)], [layer(inputs, seed=seed, is_training=False)])


def check_float64(descriptor, layer, tmp_path):
    inputs = descriptor.inputs(dtype=tf.float64)
    outputs, loss = _run(layer, inputs, SEED)
    assert outputs.dtype == loss.dtype == tf.float64
    assert all(variable.dtype == tf.float64 for variable in layer.variables)
    _assert_close(tf.function(_run)(layer, inputs, SEED), (outputs, loss), rtol=1e-12)


CHECKS = {name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")}


def _check(descriptor, estimator, prior, mode, tmp_path):
    dtype = tf.float64 if mode == "float64" else tf.float32
    CHECKS[mode](descriptor, _make(descriptor, estimator, prior, dtype), tmp_path)


def _names(value):
    return value if isinstance(value, str) else value.name


def test_every_mode_has_a_check():
    assert set(CHECKS) == set(descriptors.MODES)


@pytest.mark.parametrize(("descriptor", "estimator", "prior", "mode"), descriptors.all_pairs(*AXES), ids=_names)
def test_pairwise(descriptor, estimator, prior, mode, tmp_path):
    _check(descriptor, estimator, prior, mode, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize(("descriptor", "estimator", "prior", "mode"), list(itertools.product(*AXES)), ids=_names)
def test_the_full_product(descriptor, estimator, prior, mode, tmp_path):
    _check(descriptor, estimator, prior, mode, tmp_path)

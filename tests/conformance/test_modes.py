"""Every layer, estimator, prior and posterior gives the same numbers in every way of running a layer.

A pairwise covering of one layer of each kind, estimators and modes runs always, the product of all with `-m full`;
priors and posteriors take turns in both.
"""

from __future__ import annotations

import functools

import descriptors
import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import estimators, posteriors, priors
from bayesconv.registry import name_of

AXES = (descriptors.DISTINCT, estimators.names(), descriptors.MODES)
TURNS = (priors.names(), posteriors.names())
NAMES = ("descriptor", "estimator", "mode", "prior", "posterior")
SEED = tf.constant([3, 4])


def _make(descriptor, estimator, prior, posterior, dtype=tf.float32):
    return descriptor.make(descriptors.factory(*descriptors.allowed(estimator, prior, posterior)), dtype)


def _run(layer, inputs, seed):
    with bc.collect_extras() as extras:
        outputs = layer(inputs, seed=seed)
    return outputs, extras.loss


def _assert_close(found, expected, rtol=1e-5):
    for value, wanted in zip(found, expected, strict=True):
        scale = float(tf.reduce_max(tf.abs(wanted)))
        np.testing.assert_allclose(value, wanted, rtol=rtol, atol=rtol * max(scale, 0.1))


@functools.cache
def _strategy():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # conftest.py makes two devices of the processor


def _estimators(layer):
    parts = (part for part in (layer, *layer.submodules) if isinstance(part, bc.layers.Linear))
    return {name_of(part.estimator) for part in parts}


def _slopes(layer, inputs, seed=SEED):
    """Outputs, and the slopes of the sum of their squares for every variable; no data meet the prior's variables."""
    with tf.GradientTape() as tape:
        outputs = layer(inputs, seed=seed)
        loss = tf.reduce_sum(tf.square(outputs))
    return outputs, tape.gradient(loss, layer.trainable_variables, unconnected_gradients="zero")


def check_eager(descriptor, make, tmp_path):
    layer, inputs = make(), descriptor.inputs()
    first = _run(layer, inputs, SEED)
    for value, again in zip(first, _run(layer, inputs, SEED), strict=True):
        np.testing.assert_array_equal(value, again)
    others = (_run(layer, inputs, tf.constant([seed, 4]))[0] for seed in range(5, 13))  # few channels, few masks
    assert any(np.abs(other - first[0]).max() > 1e-4 for other in others) == (_estimators(layer) != {"mean"})


def check_function(descriptor, make, tmp_path):
    layer, traces = make(), []

    def run(inputs, seed):
        traces.append(0)
        return _run(layer, inputs, seed)

    spec = tf.TensorSpec([None, *descriptor.input_shape])
    compiled = tf.function(run, input_signature=[spec, tf.TensorSpec([2], tf.int32)])
    for num in (3, 2):
        inputs = descriptor.inputs(num)
        _assert_close(compiled(inputs, SEED), _run(layer, inputs, SEED))
    assert len(traces) == 1


def check_jit_compile(descriptor, make, tmp_path):
    layer, inputs = make(), descriptor.inputs()
    compiled = tf.function(lambda x, seed: _run(layer, x, seed), jit_compile=True, autograph=False)
    _assert_close(compiled(inputs, SEED), _run(layer, inputs, SEED))


def check_checkpoint(descriptor, make, tmp_path):
    layer, inputs = make(), descriptor.inputs()
    expected = _run(layer, inputs, SEED)
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "checkpoint"))
    for variable in layer.trainable_variables:
        variable.assign_add(tf.ones_like(variable))
    assert np.abs(_run(layer, inputs, SEED)[0] - expected[0]).max() > 1e-3
    tf.train.Checkpoint(layer=layer).read(path).assert_consumed()
    for value, wanted in zip(_run(layer, inputs, SEED), expected, strict=True):
        np.testing.assert_array_equal(value, wanted)


def check_save_load(descriptor, make, tmp_path):
    layer, fresh, inputs = make(), make(), descriptor.inputs()
    expected = _run(layer, inputs, SEED)
    assert np.abs(_run(fresh, inputs, SEED)[0] - expected[0]).max() > 1e-4
    assert fresh.load(layer.save(tmp_path / "weights.npz")) is fresh
    for value, wanted in zip(_run(fresh, inputs, SEED), expected, strict=True):
        np.testing.assert_array_equal(value, wanted)


def check_saved_model(descriptor, make, tmp_path):
    layer, module = make(), tf.Module()
    module.layer = layer
    spec = tf.TensorSpec([None, *descriptor.input_shape])
    signature = [spec, tf.TensorSpec([2], tf.int32)]
    module.run = tf.function(
        lambda inputs, seed: layer(inputs, seed=seed, is_training=False), input_signature=signature, autograph=False
    )
    tf.saved_model.save(module, str(tmp_path / "exported"))
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    for num, seed in ((3, SEED), (2, tf.constant([7, 0]))):
        inputs = descriptor.inputs(num)
        _assert_close([loaded.run(inputs, seed)], [layer(inputs, seed=seed, is_training=False)])


def check_strategy(descriptor, make, tmp_path):
    with _strategy().scope():
        layer = make()
    inputs = descriptor.inputs()
    step = tf.function(lambda x, seed: _strategy().run(_run, args=(layer, x, seed)), autograph=False)
    replicas = zip(*map(_strategy().experimental_local_results, step(inputs, SEED)), strict=True)
    first, second = replicas
    for value, other in zip(first, second, strict=True):  # one seed, one draw
        np.testing.assert_array_equal(value, other)
    _assert_close(first, _run(layer, inputs, SEED))


def check_float64(descriptor, make, tmp_path):
    layer, inputs = make(tf.float64), descriptor.inputs(dtype=tf.float64)
    outputs, loss = _run(layer, inputs, SEED)
    assert outputs.dtype == loss.dtype == tf.float64
    assert all(variable.dtype == tf.float64 for variable in layer.variables)
    _assert_close(tf.function(_run, autograph=False)(layer, inputs, SEED), (outputs, loss), rtol=1e-12)
    for slope in _slopes(layer, inputs)[1]:  # that they reach every variable is test_grid.py's
        assert slope.dtype == tf.float64
        assert np.isfinite(slope).all()


def check_bfloat16(descriptor, make, tmp_path):
    layer, inputs = make(), descriptor.inputs()
    expected = _run(layer, inputs, SEED)
    with bc.compute_dtype("bfloat16"):
        outputs, loss = _run(layer, inputs, SEED)
        slopes = _slopes(layer, inputs)[1]
    assert outputs.dtype == tf.bfloat16
    assert loss.dtype == tf.float32
    _assert_close([tf.cast(outputs, tf.float32)], expected[:1], rtol=3e-2)
    _assert_close([loss], expected[1:])
    for variable, slope in zip(layer.trainable_variables, slopes, strict=True):
        assert variable.dtype == slope.dtype == tf.float32
        assert np.isfinite(slope).all()


def check_empty(descriptor, make, tmp_path):
    layer = make()
    shape = layer(descriptor.inputs(2), seed=SEED).shape[1:]
    spec = tf.TensorSpec([None, *descriptor.input_shape])
    compiled = tf.function(lambda inputs: _slopes(layer, inputs), input_signature=[spec], autograph=False)
    for run in (functools.partial(_slopes, layer), compiled):
        outputs, slopes = run(descriptor.inputs(0))
        assert outputs.shape == (0, *shape)
        assert len(slopes) == len(layer.trainable_variables)
        for slope in slopes:
            np.testing.assert_array_equal(slope, np.zeros(slope.shape))


def check_one(descriptor, make, tmp_path):
    layer, inputs = make(), descriptor.inputs()
    alone, slopes = _slopes(layer, inputs[:1])
    assert np.isfinite(alone).all()
    assert all(np.isfinite(slope).all() for slope in slopes)
    if _estimators(layer) == {"reparameterization"}:
        _assert_close([alone[0]], [layer(inputs, seed=SEED)[0]])
        if isinstance(layer, bc.layers.Linear):  # without a batch axis, which pooling needs
            _assert_close([layer(inputs[0], seed=SEED)], [alone[0]])


CHECKS = {name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")}


def _check(descriptor, estimator, prior, posterior, mode, tmp_path):
    CHECKS[mode](descriptor, functools.partial(_make, descriptor, estimator, prior, posterior), tmp_path)


def _names(value):
    return value if isinstance(value, str) else value.name


def test_every_mode_has_a_check():
    assert set(CHECKS) == set(descriptors.MODES)


@pytest.mark.parametrize(NAMES, descriptors.filled(descriptors.all_pairs(*AXES), *TURNS), ids=_names)
def test_pairwise(descriptor, estimator, prior, posterior, mode, tmp_path):
    _check(descriptor, estimator, prior, posterior, mode, tmp_path)


def pytest_generate_tests(metafunc):
    # The full product takes longer to collect than all the rest, so it exists only when it is asked for.
    if metafunc.definition.get_closest_marker("full"):
        rows = descriptors.full_product() if "full" in metafunc.config.option.markexpr else []
        metafunc.parametrize(NAMES, rows, ids=_names)


@pytest.mark.full
def test_the_full_product(descriptor, estimator, prior, posterior, mode, tmp_path):
    _check(descriptor, estimator, prior, posterior, mode, tmp_path)

"""Every layer, estimator, prior and posterior comes back from one file with the same numbers to the last bit."""

from __future__ import annotations

import itertools
import subprocess
import sys

import descriptors
import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import estimators, posteriors, priors

DTYPES = (tf.float32, tf.float64)
CHOICES = (estimators.names(), priors.names(), posteriors.names())
AXES = (descriptors.LINEAR, DTYPES)
NAMES = ("descriptor", "dtype", "estimator", "prior", "posterior")
SEED = 7

LOADING = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
import bayesconv as bc

for path in sorted(Path(sys.argv[1]).glob("*.npz")):
    expected = np.load(path.with_suffix(".npy"))
    inputs = tf.constant(np.load(path.with_suffix(".inputs")))
    found = bc.load_model(path)(inputs, seed=7)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6, err_msg=path.name)  # sums by other threads
    print(path.stem)
"""


def _changed(layer):
    """Weights that no initializer gives."""
    for index, variable in enumerate(layer.variables):
        values = np.random.default_rng(index).uniform(0.1, 0.4, variable.shape)
        variable.assign(values.astype(variable.dtype.as_numpy_dtype))
    return layer


def _bayesian(descriptor, estimator, prior, posterior="mean_field_normal", dtype=tf.float32):
    factory = descriptors.factory(*descriptors.allowed(estimator, prior, posterior))
    return _changed(descriptor.make(factory, dtype))


def _check(descriptor, layer, dtype, path):
    again = bc.load_model(bc.save_model(layer, path))
    inputs = descriptor.inputs(dtype=dtype)
    assert type(again) is type(layer)
    assert list(again.named_variables) == list(layer.named_variables)
    for call in ({"seed": SEED}, {"seed": SEED, "is_training": False}, {"seed": SEED, "weights": "mean"}):
        np.testing.assert_array_equal(again(inputs, **call), layer(inputs, **call))
        if layer.extra_loss is not None:
            np.testing.assert_array_equal(again.extra_loss, layer.extra_loss)
    assert again.summary() == layer.summary()


def _names(value):
    return value if isinstance(value, str) else value.name


@pytest.mark.parametrize("descriptor", descriptors.DESCRIPTORS, ids=_names)
def test_point_layers(descriptor, tmp_path):
    _check(descriptor, _changed(descriptor.make(bc.make_kernel_bias, tf.float32)), tf.float32, tmp_path / "m.npz")


@pytest.mark.slow
@pytest.mark.parametrize(NAMES, descriptors.filled(list(itertools.product(*AXES)), *CHOICES), ids=_names)
def test_layers(descriptor, estimator, prior, posterior, dtype, tmp_path):
    layer = _bayesian(descriptor, estimator, prior, posterior, dtype)
    _check(descriptor, layer, dtype, tmp_path / "m.npz")


@pytest.mark.full
@pytest.mark.parametrize(("estimator", "prior", "posterior"), descriptors.all_pairs(*CHOICES), ids=_names)
def test_every_pair_of_choices(estimator, prior, posterior, tmp_path):
    test_layers(descriptors.BY_NAME["convolution2d"], estimator, prior, posterior, tf.float32, tmp_path)


@pytest.mark.slow
def test_a_fresh_process_computes_the_same_numbers(tmp_path):
    for descriptor, (estimator, prior) in zip(
        descriptors.DESCRIPTORS, itertools.cycle(itertools.product(estimators.names(), priors.names())), strict=False
    ):
        layer, inputs = _bayesian(descriptor, estimator, prior), descriptor.inputs()
        path = bc.save_model(layer, tmp_path / f"{descriptor.name}.npz")
        np.save(path.with_suffix(".npy"), layer(inputs, seed=SEED))
        with open(path.with_suffix(".inputs"), "wb") as file:
            np.save(file, inputs)
    command = [sys.executable, "-c", LOADING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert set(done.stdout.split()) == set(descriptors.BY_NAME)

"""Claims about exported models: TensorFlow alone gives the numbers that `predict` gives, and folders are whole."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import export

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=[5, 8, 8, 1]).astype(np.float32)
FIELDS = ("mean", "std", "predictive_entropy", "expected_entropy", "mutual_information")
FACTORIES = {
    "flipout": bc.make_kernel_bias_flipout,
    "laplace": functools.partial(bc.make_kernel_bias_reparameterization, prior="laplace"),
    "deterministic": bc.make_kernel_bias,
}

SERVING = """
import sys
import numpy as np
import tensorflow as tf

x = np.load("x.npy")
for name in sys.argv[1:]:
    loaded = tf.saved_model.load(name)
    for part, num in (("all", len(x)), ("two", 2)):
        found = loaded.predict(tf.constant(x[:num]), num_samples=tf.constant(7), seed=tf.constant(-3, tf.int64))
        np.savez(f"{name}-{part}.npz", **{key: value.numpy() for key, value in found.items()})
    found = loaded.signatures["serving_default"](x=tf.constant(x))
    np.savez(f"{name}-default.npz", **{key: value.numpy() for key, value in found.items()})
absent = [name for name in sys.modules if name.startswith(("bayesconv", "tensorflow_probability"))]
assert not absent, absent
"""


def _model(factory):
    convolution = bc.Convolution(1, 4, 3, activation_fn=tf.nn.relu, make_kernel_bias_fn=factory)
    return bc.Sequential([convolution, bc.MaxPool(2), bc.Flatten(), bc.Affine(36, 3, make_kernel_bias_fn=factory)])


def _small(factory=bc.make_kernel_bias_reparameterization, dtype=tf.float32):
    return bc.Sequential([bc.Flatten(), bc.Affine(64, 3, make_kernel_bias_fn=factory, dtype=dtype)])


def _assert_same(found, predictive, rtol=0.0):
    assert set(found) == set(FIELDS)
    for name in FIELDS:
        np.testing.assert_allclose(found[name], getattr(predictive, name), rtol=rtol, atol=rtol, err_msg=name)


def _assert_close(path, predictive):
    # Of another process: where oneDNN shares a sum out among threads, their number decides its order.
    _assert_same(dict(np.load(path)), predictive, rtol=1e-6)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model and its SavedModel."""
    bc.set_seed(0)
    model = _model(FACTORIES["flipout"])
    path = bc.export_saved_model(model, tmp_path_factory.mktemp("exported") / "model", [8, 8, 1], num_samples=3, seed=9)
    return model, path, tf.saved_model.load(str(path))


class TestNumbers:
    def test_a_process_with_tensorflow_alone_computes_the_same_numbers(self, exported, tmp_path):
        np.save(tmp_path / "x.npy", X)
        shutil.copytree(exported[1], tmp_path / "flipout")
        others = {"laplace": _small(FACTORIES["laplace"]), "deterministic": _model(FACTORIES["deterministic"])}
        nets = {"flipout": exported[0], **others}
        for name, model in others.items():
            assert bc.export_saved_model(model, tmp_path / name, X.shape[1:], num_samples=3, seed=9) == tmp_path / name
        command = [sys.executable, "-c", SERVING, *nets]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
        for name, model in nets.items():
            _assert_close(tmp_path / f"{name}-all.npz", bc.predict(model, X, num_samples=7, seed=-3))
            _assert_close(tmp_path / f"{name}-two.npz", bc.predict(model, X[:2], num_samples=7, seed=-3))
            _assert_close(tmp_path / f"{name}-default.npz", bc.predict(model, X, num_samples=3, seed=9))

    @pytest.mark.parametrize("seed", [0, 12345, -1, 2**31, -(2**31), 2**40 + 3, 2**63 - 1, -(2**63)])
    def test_seeds_are_those_of_predict(self, exported, seed):
        model, _, loaded = exported
        found = loaded.predict(X, tf.constant(4), tf.constant(seed, tf.int64))
        _assert_same(found, bc.predict(model, X, num_samples=4, seed=seed))

    @pytest.mark.parametrize("num_samples", [1, 3, 8])
    def test_integers_may_be_of_either_type_or_pythons(self, exported, num_samples):
        model, _, loaded = exported
        expected = bc.predict(model, X, num_samples=num_samples, seed=-6)
        for count in (tf.int32, tf.int64):
            for kind in (tf.int32, tf.int64):
                found = loaded.predict(X, tf.constant(num_samples, count), tf.constant(-6, kind))
                _assert_same(found, expected)
        _assert_same(loaded.predict(X, num_samples, -6), expected)

    @pytest.mark.parametrize(
        ("likelihood", "dtype"), [("bernoulli", tf.float64), ({"name": "normal", "scale": 0.5}, tf.float32)]
    )
    def test_other_likelihoods_and_float64(self, tmp_path, likelihood, dtype):
        model, x = _small(dtype=dtype), X.astype(dtype.as_numpy_dtype)
        path = bc.export_saved_model(model, tmp_path / "m", [8, 8, 1], likelihood=likelihood)
        loaded = tf.saved_model.load(str(path))
        found = loaded.predict(x, tf.constant(4), tf.constant(1))
        _assert_same(found, bc.predict(model, x, num_samples=4, seed=1, likelihood=likelihood))

    def test_dropout_and_shared_layers(self, tmp_path):
        dense = bc.Affine(64, 64, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        model = bc.Sequential([bc.Flatten(), dense, bc.Dropout(0.3, mc=True), tf.nn.relu, dense, bc.Affine(64, 3)])
        loaded = tf.saved_model.load(str(bc.export_saved_model(model, tmp_path / "m", [8, 8, 1])))
        found = loaded.predict(X, tf.constant(5), tf.constant(2))
        _assert_same(found, bc.predict(model, X, num_samples=5, seed=2))

    def test_recalibrated_normalization(self, tmp_path):
        convolution = bc.Convolution(1, 2, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        model = bc.Sequential([convolution, bc.BatchNorm(2, policy="recalibrated"), bc.Flatten(), bc.Affine(72, 3)])
        with pytest.raises(ValueError, match=r"policy='recalibrated'.*Received none"):
            bc.export_saved_model(model, tmp_path / "m", [8, 8, 1])
        with pytest.raises(ValueError, match=r"`calibration` holds inputs of shape \['M', 8, 8, 1\]\. Received"):
            bc.export_saved_model(model, tmp_path / "m", [8, 8, 1], calibration=X[:, :4])
        path = bc.export_saved_model(model, tmp_path / "m", [8, 8, 1], calibration=X)
        loaded = tf.saved_model.load(str(path))
        found = loaded.predict(X[:3], tf.constant(5), tf.constant(2))
        _assert_same(found, bc.predict(model, X[:3], num_samples=5, seed=2, calibration=X))

    def test_no_samples_are_refused(self, exported):
        _, _, loaded = exported
        with pytest.raises(tf.errors.InvalidArgumentError, match="`num_samples` must be a positive integer"):
            loaded.predict(X, tf.constant(0), tf.constant(0))

    def test_exporting_changes_no_prediction(self, tmp_path):
        model = _small()
        before = bc.predict(model, X, num_samples=3).mean
        bc.set_seed(4)
        expected = model(X)
        bc.set_seed(4)
        bc.export_saved_model(model, tmp_path / "m", [8, 8, 1])
        np.testing.assert_array_equal(model(X), expected)
        np.testing.assert_array_equal(bc.predict(model, X, num_samples=3).mean, before)


class TestSignatures:
    def test_names_types_and_shapes(self, exported):
        _, _, loaded = exported
        signature = loaded.signatures["predict"]
        specs = signature.structured_input_signature[1]
        assert {name: (spec.shape.as_list(), spec.dtype) for name, spec in specs.items()} == {
            "x": ([None, 8, 8, 1], tf.float32),
            "num_samples": ([], tf.int32),
            "seed": ([], tf.int64),
        }
        assert set(signature.structured_outputs) == set(FIELDS)
        assert list(loaded.signatures["serving_default"].structured_input_signature[1]) == ["x"]

    def test_only_variables_are_saved_and_they_stay_variables(self, exported):
        model, _, loaded = exported
        assert len(loaded.variables_of_the_model) == len(model.variables)


class TestFolder:
    def _export(self, path, **options):
        return bc.export_saved_model(bc.Sequential([bc.Affine(2, 3)]), path, [2], **options)

    def test_missing_folders_are_made_and_an_empty_one_is_taken(self, tmp_path):
        self._export(tmp_path / "a" / "b")
        (tmp_path / "empty").mkdir()
        self._export(tmp_path / "empty")
        assert sorted(os.listdir(tmp_path)) == ["a", "empty"]
        assert (tmp_path / "empty" / "saved_model.pb").is_file()

    def test_another_folder_is_never_replaced(self, tmp_path):
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "thesis.txt").write_text("text")
        with pytest.raises(FileExistsError, match=r"There is something at .*precious already.*overwrite=True"):
            self._export(tmp_path / "precious")
        with pytest.raises(FileExistsError, match="replaces a SavedModel only"):
            self._export(tmp_path / "precious", overwrite=True)
        with pytest.raises(FileExistsError, match="replaces a SavedModel only"):
            self._export(tmp_path / "precious" / "thesis.txt", overwrite=True)
        assert os.listdir(tmp_path / "precious") == ["thesis.txt"]

    def test_a_saved_model_is_replaced_on_request(self, tmp_path):
        path = self._export(tmp_path / "m")
        (path / "extra").write_text("")
        with pytest.raises(FileExistsError, match="There is something at"):
            self._export(path)
        self._export(path, overwrite=True)
        assert not (path / "extra").exists()
        assert os.listdir(tmp_path) == ["m"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
    def test_an_interrupted_export_leaves_what_was_there(self, tmp_path, monkeypatch, error):
        path = self._export(tmp_path / "m")
        before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}

        def save(module, folder, signatures):
            os.makedirs(folder)
            raise error

        monkeypatch.setattr(tf.saved_model, "save", save)
        for target in (path, tmp_path / "new"):
            with pytest.raises(error):
                self._export(target, overwrite=True)
        assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
        assert os.listdir(tmp_path) == ["m"]

    def test_a_failed_exchange_brings_the_old_one_back(self, tmp_path, monkeypatch):
        path = self._export(tmp_path / "m")
        replace = os.replace

        def failing(source, target):
            if str(source).endswith("new"):
                raise OSError("no")
            replace(source, target)

        monkeypatch.setattr(export.os, "replace", failing)
        with pytest.raises(OSError, match="no"):
            self._export(path, overwrite=True)
        assert (path / "saved_model.pb").is_file()

    def test_killed_half_way_it_leaves_nothing_at_the_target(self, tmp_path, monkeypatch):
        save, folder, left = tf.saved_model.save, tmp_path / "folder", tmp_path / "left"

        def seen(*args):
            save(*args)
            shutil.copytree(folder, left)  # what is there if the process dies now

        folder.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(tf.saved_model, "save", seen)
            self._export(folder / "m")
        assert list(left.rglob("saved_model.pb"))
        assert not (left / "m").exists()
        self._export(left / "m")


class TestArguments:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"input_shape": []}, "`input_shape` holds positive ints"),
            ({"input_shape": [None]}, "`input_shape` must be a positive int"),
            ({"input_shape": [3]}, "takes inputs of shape"),
            ({"input_shape": [2], "num_samples": 0}, "`num_samples` must be a positive int"),
            ({"input_shape": [2], "seed": "x"}, "A seed is an int"),
            ({"input_shape": [2], "seed": 2**63}, "A seed is an int of 64 bits"),
            ({"input_shape": [2], "seed": (1, 2)}, r"A seed is an int of 64 bits.*\(1, 2\)"),
            ({"input_shape": [2], "likelihood": "categorica"}, "Did you mean 'categorical'"),
            ({"input_shape": [2], "calibration": X}, "other models have no use for them. Received some"),
        ],
    )
    def test_what_does_not_fit_is_refused_before_anything_is_written(self, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            bc.export_saved_model(bc.Affine(2, 3), tmp_path / "m", **options)
        assert os.listdir(tmp_path) == []

    def test_an_ensemble_is_refused(self, tmp_path):
        with pytest.raises(TypeError, match="takes models made of bayesconv layers"):
            bc.export_saved_model([bc.Affine(2, 3)], tmp_path / "m", [2])

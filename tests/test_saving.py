"""Claims about models in one file: everything comes back, and a stranger's file does no harm."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import compat as tfn
from bayesconv import models, saving

X = tf.constant(np.random.default_rng(0).normal(size=[3, 8, 8, 1]), tf.float32)


def _model():
    factory = functools.partial(bc.make_kernel_bias_reparameterization, prior={"name": "laplace", "scale": 0.2})
    shared = bc.Convolution(4, 4, 3, padding="SAME", make_kernel_bias_fn=factory, activation_fn=tf.nn.relu)
    return bc.Sequential(
        [
            bc.Convolution(1, 4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout, name="first"),
            bc.Residual(bc.Sequential([shared, bc.BatchNorm(4)]), activation_fn=tf.nn.relu),
            shared,
            bc.Flatten(),
            bc.Affine(144, 3, make_kernel_bias_fn=bc.make_kernel_bias_local_reparameterization),
        ],
        name="net",
    )


def _arrays(path):
    with np.load(path) as archive:
        return dict(archive)


def _header(path):
    return json.loads(_arrays(path)["bayesconv.json"].tobytes())


def _with_header(path, text):
    """The file with another description."""
    text = text if isinstance(text, (str, bytes)) else json.dumps(text)
    data = text if isinstance(text, bytes) else text.encode()
    np.savez(path, **{**_arrays(path), "bayesconv.json": np.frombuffer(data, np.uint8)})
    return path


class TestRoundTrip:
    def test_a_model_comes_back_bit_for_bit(self, tmp_path):
        model = _model()
        model(X, seed=1)  # moves the moments of the normalization
        again = bc.load_model(bc.save_model(model, tmp_path / "deep" / "m.npz"))
        np.testing.assert_array_equal(again(X, seed=1, is_training=False), model(X, seed=1, is_training=False))
        assert list(again.named_variables) == list(model.named_variables)
        for a, b in zip(again.variables, model.variables, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.trainable == b.trainable
        assert again.summary() == model.summary()
        assert again.name == "net"
        np.testing.assert_array_equal(
            bc.predict(again, X, num_samples=3).probs, bc.predict(model, X, num_samples=3).probs
        )

    def test_a_shared_layer_stays_one(self, tmp_path):
        again = bc.load_model(bc.save_model(_model(), tmp_path / "m.npz"))
        block = again[1].submodules[0]
        assert any(member is again[2] for member in (block, *block.submodules))

    def test_what_was_loaded_is_saved_as_the_same_bytes(self, tmp_path):
        first = bc.save_model(_model(), tmp_path / "a.npz")
        second = bc.save_model(bc.load_model(first), tmp_path / "b.npz")
        a, b = _arrays(first), _arrays(second)
        assert list(a) == list(b)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])

    @pytest.mark.slow
    @pytest.mark.parametrize("name", models.names())
    def test_every_registered_model(self, name, tmp_path):
        x = X[..., 0] if name == "cnn1d" else X  # series, and for the others images
        model = models.get(name)(x.shape[1:], 3, bc.make_kernel_bias_flipout)
        again = bc.load_model(bc.save_model(model, tmp_path / "m.npz"))
        np.testing.assert_array_equal(again(x, seed=2), model(x, seed=2))

    def test_slices_and_copies(self, tmp_path):
        model = bc.Sequential([bc.Convolution(1, 2, 3), tf.nn.relu, bc.Flatten()])
        for part in (model[:2], model[0]):
            np.testing.assert_array_equal(bc.load_model(bc.save_model(part, tmp_path / "m.npz"))(X), part(X))

    def test_layers_and_functions_of_the_users_own(self, tmp_path):
        @bc.register_function("shifted")
        def shifted(x, offset=1.0):
            return x + offset

        @bc.register_layer("scale")
        class Scale(bc.Layer):
            def __init__(self, *factors, base=None, name=None):
                super().__init__(name=name)
                self.factors, self.base = tuple(tf.Variable(f, name=f"factor{i}") for i, f in enumerate(factors)), base

            def forward(self, inputs, *, is_training, seed):
                return tf.add_n(list(self.factors)) * self.base(inputs)

        model = bc.Sequential([Scale(2.0, 3.0, base=functools.partial(shifted, offset=4.0)), bc.Lambda(shifted)])
        again = bc.load_model(bc.save_model(model, tmp_path / "m.npz"))
        assert isinstance(again[0], Scale)
        assert float(again(tf.constant(1.0))) == 26.0

    def test_priors_and_posteriors_of_the_users_own(self, tmp_path):
        @bc.register_function("my_factory")
        def my_factory(kernel_shape, bias_shape, dtype=tf.float32, **_):
            return bc.KernelBias(tf.Variable(tf.ones(kernel_shape, dtype)), tf.Variable(tf.ones(bias_shape, dtype)))

        @bc.priors.register("my_prior")
        def my_prior(specs, *, scale=1.0):
            return bc.priors.normal(specs, scale=scale)

        factory = functools.partial(bc.make_kernel_bias_flipout, prior=functools.partial(my_prior, scale=3.0))
        model = bc.Sequential([bc.Affine(2, 3, make_kernel_bias_fn=my_factory), bc.Affine(3, 2, None, None, factory)])
        again = bc.load_model(bc.save_model(model, tmp_path / "m.npz"))
        np.testing.assert_array_equal(again[1].prior.kernel.distribution.scale, 3.0)
        np.testing.assert_array_equal(again(tf.ones([1, 2]), seed=0), model(tf.ones([1, 2]), seed=0))

    def test_the_layers_of_the_compatible_interface(self, tmp_path):
        model = tfn.Sequential(
            [
                tfn.ConvolutionVariationalFlipout(
                    1,
                    2,
                    3,
                    make_prior_fn=bc.make_kernel_bias_posterior_mvn_diag,
                    posterior_penalty_fn=tfn.losses.kl_divergence_exact,
                ),
                tf.nn.elu,
                tfn.ConvolutionTranspose(2, 2, 3, kernel_initializer=tfn.initializers.he_normal()),
                bc.Flatten(),
                tfn.AffineVariationalReparameterizationLocal(128, 3, penalty_weight=0.5, seed=3),
            ]
        )
        again = bc.load_model(bc.save_model(model, tmp_path / "m.npz"))
        assert type(again) is tfn.Sequential
        assert type(again[4]) is tfn.AffineVariationalReparameterizationLocal
        np.testing.assert_array_equal(again(X, seed=1), model(X, seed=1))
        np.testing.assert_array_equal(again.extra_loss, model.extra_loss)

    def test_an_initializer_is_not_needed_any_more(self, tmp_path):
        layer = bc.Affine(2, 3, init_kernel_fn=lambda shape, dtype: tf.fill(shape, tf.cast(7.0, dtype)))
        again = bc.load_model(bc.save_model(layer, tmp_path / "m.npz"))
        np.testing.assert_array_equal(again.kernel, np.full([2, 3], 7.0))


class TestFile:
    def test_it_holds_the_weights_as_save_writes_them_and_readable_json(self, tmp_path):
        model = _model()
        arrays = _arrays(bc.save_model(model, tmp_path / "a.npz"))
        header = json.loads(arrays.pop("bayesconv.json").tobytes().decode())
        assert header["format"] == saving.FORMAT
        assert header["bayesconv"] == bc.__version__
        assert header["random"] == bc.random.ALGORITHM
        assert header["model"]["arguments"]["name"] == "net"
        weights = _arrays(model.save(tmp_path / "b.npz"))
        assert list(arrays) == list(weights)
        for name, array in weights.items():
            np.testing.assert_array_equal(arrays[name], array)

    def test_no_pickle_is_needed_or_made(self, tmp_path, monkeypatch):
        def refuse(*args, **kwargs):
            raise AssertionError("a pickle")

        for name in ("load", "loads", "dump", "dumps"):
            monkeypatch.setattr(pickle, name, refuse)
        model = _model()
        path = bc.save_model(model, tmp_path / "m.npz")
        with np.load(path, allow_pickle=False) as archive:
            assert not [name for name in archive.files if archive[name].dtype.hasobject]
        bc.load_model(path)

    def test_a_model_without_names_is_not_written(self, tmp_path):
        path = bc.save_model(_model(), tmp_path / "m.npz")
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"<lambda> at `layers/1`.*model\.save\(path\)"):
            bc.save_model(bc.Sequential([bc.Flatten(), lambda x: x]), path)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["m.npz"]

    def test_only_layers_are_saved(self, tmp_path):
        with pytest.raises(TypeError, match=r"save_model saves layers\. Received \[.*of type list"):
            bc.save_model([_model()], tmp_path / "m.npz")


class TestMismatch:
    def _changed(self, tmp_path, change):
        path = bc.save_model(bc.Affine(2, 3), tmp_path / "m.npz")
        arrays = _arrays(path)
        change(arrays)
        np.savez(path, **arrays)
        return path

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (lambda arrays: arrays.pop("bias"), "missing bias"),
            (lambda arrays: arrays.update(extra=np.zeros(1)), "unexpected extra"),
            (lambda arrays: arrays.update(bias=np.zeros(4, "f")), r"bias is float32\[4\], expected float32\[3\]"),
            (lambda arrays: arrays.update(bias=np.zeros(3)), r"bias is float64\[3\], expected float32\[3\]"),
        ],
    )
    def test_weights_that_do_not_fit_are_named(self, tmp_path, change, problem):
        with pytest.raises(ValueError, match=rf"m\.npz do not fit this model: {problem}"):
            bc.load_model(self._changed(tmp_path, change))

    def test_what_model_save_wrote_is_told_apart(self, tmp_path):
        path = _model().save(tmp_path / "weights.npz")
        with pytest.raises(ValueError, match=r"weights\.npz holds no architecture.*call model\.load\(path\)"):
            bc.load_model(path)

    def test_a_missing_file_is_said_to_be_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.npz"):
            bc.load_model(tmp_path / "none.npz")


class TestHostileFiles:
    @pytest.fixture
    def path(self, tmp_path):
        return bc.save_model(bc.Sequential([bc.Affine(2, 3), tf.nn.relu]), tmp_path / "m.npz")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "no readable architecture"),
            (b"\xff\xfe", "no readable architecture"),
            ("{", "no readable architecture"),
            ("[" * 200_000, "no readable architecture"),
            ("9" * 5000, "no readable architecture"),
            ("null", "no architecture with a format"),
            ("[]", "no architecture with a format"),
            ({"format": 1}, "no architecture with a format"),
            (
                {"format": 2, "bayesconv": "9.0", "model": {}},
                r"format 2 of bayesconv '9\.0'.*Install a later bayesconv",
            ),
            ({"format": "1", "model": {}}, "format '1'"),
            ({"format": [1], "model": {}}, r"format \[1\]"),
            ({"format": 1, "model": None}, r"m\.npz cannot be built\. The description of a model"),
            ({"format": 1, "model": {"$layer": "os.system", "arguments": {}}}, r"Unknown layer 'os\.system'"),
            (
                {"format": 1, "model": {"$layer": "Affine", "arguments": {"input_size": 2**40, "output_size": 1}}},
                "holds far fewer",
            ),
        ],
    )
    def test_descriptions(self, path, text, message):
        with pytest.raises(ValueError, match=message):
            bc.load_model(_with_header(path, text))

    def test_any_other_character_is_refused_or_gives_another_model(self, path):
        text = _arrays(path)["bayesconv.json"].tobytes().decode()
        outcomes = []
        for at in range(0, len(text), 2):
            for character in '"9-':
                try:
                    outcomes.append(bc.load_model(_with_header(path, text[:at] + character + text[at + 1 :])))
                except ValueError:
                    outcomes.append(None)
        assert outcomes.count(None) > len(text) / 2
        assert all(model is None or isinstance(model, bc.Sequential) for model in outcomes)
        assert any(outcomes)

    def test_a_file_cut_anywhere_is_refused(self, path):
        whole = path.read_bytes()
        for length in range(0, len(whole), 11):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match="is damaged"):
                bc.load_model(path)

    def test_a_flipped_byte_is_refused_or_harmless(self, path):
        whole, expected = path.read_bytes(), bc.load_model(path)
        for at in range(0, len(whole), 5):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
            try:
                model = bc.load_model(path)
            except ValueError:
                continue
            for a, b in zip(model.variables, expected.variables, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_a_pickle_is_refused_and_not_run(self, path, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "boom"),))

        for name in ("bayesconv.json", "layers/0/bias"):
            bad = tmp_path / "bad.npz"
            np.savez(bad, **{**_arrays(path), name: np.array([Bomb()], object)})
            with pytest.raises(ValueError, match=r"is damaged or is not an \.npz file of plain arrays"):
                bc.load_model(bad)
        assert not (tmp_path / "boom").exists()

    def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(self, path):
        np.savez_compressed(path, **_arrays(path), zeros=np.zeros(2**22))
        assert path.stat().st_size < 2**20
        with pytest.raises(ValueError, match=r"m\.npz is compressed or its sizes are wrong"):
            bc.load_model(path)

    def test_entries_that_share_their_bytes_are_refused(self, path):
        whole = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            largest = max(archive.infolist(), key=lambda member: member.file_size)
        with zipfile.ZipFile(path, "a") as archive:
            for index in range(50):
                copied = zipfile.ZipInfo(f"copy{index}.npy")
                copied.header_offset, copied.CRC = largest.header_offset, largest.CRC
                copied.file_size = copied.compress_size = largest.file_size
                archive.filelist.append(copied)
                archive.NameToInfo[copied.filename] = copied
            archive._didModify = True
        with pytest.raises(ValueError, match="its sizes are wrong"):
            bc.load_model(path)

    @pytest.mark.parametrize("count", [10**6, 10**10, 10**14, 10**30])
    def test_an_array_that_announces_more_than_it_holds_is_refused(self, path, count):
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},), }}".ljust(117) + "\n"
        data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\0" * 12
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("more.npy", data)
        with pytest.raises(ValueError, match="is damaged"):
            bc.load_model(path)

    def test_other_entries_are_refused(self, path):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("readme.txt", "text")
        with pytest.raises(ValueError, match=r"is damaged or .*: its entry 'readme\.txt' is no array"):
            bc.load_model(path)

    def test_a_description_of_another_type_is_refused(self, path):
        arrays = _arrays(path)
        for other in (np.zeros(3), np.array("{}"), np.zeros([0])):
            np.savez(path, **{**arrays, "bayesconv.json": other})
            with pytest.raises(ValueError, match="no readable architecture"):
                bc.load_model(path)

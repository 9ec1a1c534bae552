import gzip
import struct

import numpy as np
import pytest

from bayesconv import data, image_files, user_arrays
from bayesconv.registry import name_of

SIZES = {"train": 40, "test": 10}


def arrays(**changes):
    generator = np.random.default_rng(0)
    made = {}
    for part, size in SIZES.items():
        made[f"x_{part}"] = generator.integers(0, 256, [size, 6, 5, 3], np.uint8)
        made[f"y_{part}"] = np.arange(size) % 4
    return {key: value for key, value in (made | changes).items() if value is not None}


def saved(path, **changes):
    np.savez(path / "images.npz", **arrays(**changes))
    return str(path / "images.npz")


def keys(split):
    return {image.tobytes() for image in split.x}


class TestDigits:
    def test_the_parts_have_exact_sizes_and_share_no_image(self):
        digits = data.digits()
        assert [len(part.x) for part in digits[1:4]] == [1150, 287, 360]
        assert sum(len(keys(part)) for part in digits[1:4]) == len(set().union(*map(keys, digits[1:4])))

    def test_every_part_has_the_classes_in_proportion(self):
        digits = data.digits()
        labels = [part.y for part in digits[1:4]]
        overall = np.bincount(np.concatenate(labels)) / 1797
        for y in labels:
            np.testing.assert_allclose(np.bincount(y) / len(y), overall, atol=0.5 / len(y) + 1e-3)

    def test_the_seed_decides_the_split(self):
        np.testing.assert_array_equal(data.digits(seed=3).test.x, data.digits(seed=3).test.x)
        assert keys(data.digits(seed=3).test) != keys(data.digits(seed=4).test)

    def test_refit_trains_on_validation_too_and_leaves_the_test_images_alone(self):
        plain, refit = data.digits(), data.digits(refit=True)
        np.testing.assert_array_equal(plain.test.x, refit.test.x)
        assert keys(refit.train) == keys(plain.train) | keys(plain.validation)
        assert (plain.validation_held_out, refit.validation_held_out) == (True, False)

    def test_pixels_are_float32_between_0_and_1(self):
        digits = data.digits()
        assert (digits.train.x.dtype, digits.train.y.dtype) == (np.float32, np.int64)
        assert (digits.input_shape, digits.value_range) == ((8, 8, 1), (0.0, 1.0))
        assert (digits.num_classes, len(digits.class_names)) == (10, 10)

    @pytest.mark.parametrize("options", [{"test_size": 1795}, {"test_size": 3}, {"validation_size": 0}])
    def test_a_part_too_small_for_every_class_is_refused(self, options):
        with pytest.raises(ValueError, match=r"stratified split needs.*change the size"):
            data.digits(**options)


class TestNpz:
    def test_uint8_is_divided_by_255_and_validation_is_split_off(self, tmp_path):
        found = data.npz(path=saved(tmp_path))
        assert [part.x.shape for part in found[1:4]] == [(36, 6, 5, 3), (4, 6, 5, 3), (10, 6, 5, 3)]
        assert (found.num_classes, found.class_names) == (4, ("0", "1", "2", "3"))
        np.testing.assert_allclose(found.test.x, arrays()["x_test"] / 255, rtol=1e-6)
        assert keys(found.train).isdisjoint(keys(found.validation))

    def test_float_is_left_as_it_is_and_grey_images_get_a_channel(self, tmp_path):
        x = {f"x_{part}": np.linspace(-3, 7, size * 6 * 5).reshape(size, 6, 5) for part, size in SIZES.items()}
        found = data.npz(path=saved(tmp_path, **x), validation_fraction=0.25)
        assert (found.input_shape, len(found.validation.y)) == ((6, 5, 1), 10)
        np.testing.assert_allclose(found.test.x[..., 0], x["x_test"], rtol=1e-6)

    def test_a_validation_part_in_the_file_is_used(self, tmp_path):
        extra = {"x_validation": arrays()["x_test"][:3], "y_validation": np.array([[0], [1], [2]], np.uint8)}
        found = data.npz(path=saved(tmp_path, **extra))
        assert (len(found.train.y), found.validation.y.tolist()) == (40, [0, 1, 2])

    def test_a_missing_file_is_named_with_its_whole_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(FileNotFoundError, match=f"No file {tmp_path}/nothing.npz"):
            data.npz(path="nothing.npz")

    @pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
    def test_something_else_than_an_archive_is_refused(self, tmp_path, content):
        (tmp_path / "images.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"must be an \.npz archive"):
            data.npz(path=str(tmp_path / "images.npz"))

    def test_a_damaged_archive_is_refused(self, tmp_path):
        path = saved(tmp_path)
        content = bytearray((tmp_path / "images.npz").read_bytes())
        content[200:2000] = bytes(1800)
        (tmp_path / "images.npz").write_bytes(content)
        with pytest.raises(ValueError, match="Reading it failed"):
            data.npz(path=path)

    def test_nothing_is_unpickled(self, tmp_path):
        with pytest.raises(ValueError, match=r"plain numeric arrays.*Object arrays cannot be loaded"):
            data.npz(path=saved(tmp_path, y_train=np.array([{}] * 40, object)))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"y_test": None}, r"must hold the arrays .*add \['y_test'\]"),
            ({"x_validation": np.zeros([2, 6, 5, 3])}, r"add \['y_validation'\]"),
            ({"x_val": np.zeros([2, 6, 5, 3])}, r"must name its arrays .*\['x_val'\]; rename"),
            ({"x_train": np.zeros(40)}, r"x_train must be images \[N, H, W\].*rows \[N, D\].*Received shape \(40,\)"),
            ({"x_train": np.zeros([40, 6], np.uint8)}, r"one shape\. Received \(6,\) in x_train"),
            ({"x_test": np.zeros([0, 6, 5, 3])}, "x_test must be .* not empty"),
            (
                {"x_test": np.zeros([10, 6, 4, 3], np.uint8)},
                r"one shape\. Received \(6, 5, 3\) in x_train and \(6, 4, 3\)",
            ),
            ({"x_train": np.zeros([40, 6, 5, 3], int)}, "x_train must be uint8 .*Received int64; convert"),
            ({"x_train": np.full([40, 6, 5, 3], np.nan)}, "x_train must be finite .* in 40 images"),
            ({"x_train": np.full([40, 6, 5, 3], 1e300)}, "x_train must be finite"),
            ({"y_test": np.zeros([10])}, "y_test must be integers .*Received float64"),
            ({"y_train": np.zeros([40])}, r"integers, which are classes, or all as float.*\{'y_train': 'float64'"),
            ({"y_train": np.eye(4, dtype=int)[np.arange(40) % 4]}, r"one-hot rows with \.argmax"),
            ({"y_train": np.arange(39) % 4}, "one label an image. Received 39 labels for 40 images"),
            ({"y_train": np.arange(40) % 4 - 1}, "count classes from 0. Received the label -1"),
            ({"y_train": np.arange(40) % 4 + 1}, r"every class 0, 1, .*Received the classes \[1, 2, 3, 4\]"),
            ({"y_train": np.arange(40) % 4 * 10}, r"renumber them, e\.g\. with numpy\.unique"),
            ({"y_train": np.zeros(40, int)}, "K >= 2"),
            ({"y_test": np.arange(10)}, "y_test must only hold classes of y_train, 0 to 3. Received 9"),
            ({"y_train": np.array([3] + [0, 1, 2] * 13)}, "2 images of each class .* with 1 in the smallest class"),
        ],
    )
    def test_arrays_that_break_a_rule_are_refused(self, tmp_path, changes, message):
        with pytest.raises(ValueError, match=message):
            data.npz(path=saved(tmp_path, **changes))

    @pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
    def test_a_fraction_outside_0_to_1_is_refused(self, tmp_path, fraction):
        with pytest.raises(ValueError, match="between 0 and 1"):
            data.npz(path=saved(tmp_path), validation_fraction=fraction)


class TestTables:
    def test_rows_with_classes(self, tmp_path):
        x = {f"x_{part}": np.random.default_rng(1).normal(size=[size, 7]) for part, size in SIZES.items()}
        found = data.npz(path=saved(tmp_path, **x), validation_fraction=0.25)
        assert (found.task, found.input_shape, found.num_classes) == ("classification", (7,), 4)
        np.testing.assert_allclose(found.test.x, x["x_test"], rtol=1e-6)
        assert np.bincount(found.validation.y).max() == 3  # 10 of 40, stratified by 4 classes

    @pytest.mark.parametrize("num_targets", [None, 1, 2])
    def test_float_labels_are_real_numbers_to_predict(self, tmp_path, num_targets):
        inner = [] if num_targets is None else [num_targets]
        y = {f"y_{part}": np.random.default_rng(2).normal(size=[size, *inner]) for part, size in SIZES.items()}
        x = {f"x_{part}": np.arange(7.0 * size).reshape(size, 7) for part, size in SIZES.items()}
        found = data.npz(path=saved(tmp_path, **x, **y), validation_fraction=0.25)
        assert (found.task, found.num_classes, len(found.class_names)) == ("regression", *(2 * [num_targets or 1]))
        np.testing.assert_allclose(found.test.y, y["y_test"].reshape(10, -1), rtol=1e-6)
        rows = np.concatenate([found.train.x, found.validation.x])[:, 0].astype(int) // 7
        assert (len(found.validation.y), sorted(rows)) == (10, list(range(40)))
        targets = np.concatenate([found.train.y, found.validation.y])
        np.testing.assert_allclose(targets, y["y_train"].reshape(40, -1)[rows], rtol=1e-6)  # each row keeps its own

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"y_test": np.full(10, np.nan)}, "y_test must be finite float32 .* in 10 of 10 rows"),
            ({"y_test": np.zeros([10, 2])}, r"same number of targets. Received \{'y_train': 1, 'y_test': 2\}"),
            ({"y_test": np.zeros(9)}, r"y_test must be finite numbers \[10, T\].*shape \[9\]"),
            ({"y_test": np.arange(10)}, "bring them to one type"),
            ({"x_test": np.zeros([10, 6])}, r"one shape\. Received \(7,\) in x_train and \(6,\) in x_test"),
            ({"x_train": np.full([40, 7], np.nan)}, "x_train must be finite .* in 40 rows"),
        ],
    )
    def test_tables_that_break_a_rule_are_refused(self, tmp_path, changes, message):
        table = {f"x_{part}": np.ones([size, 7]) for part, size in SIZES.items()}
        real = {f"y_{part}": np.ones(size) for part, size in SIZES.items()}
        with pytest.raises(ValueError, match=message):
            data.npz(path=saved(tmp_path, **{**table, **real, **changes}))

    @pytest.mark.parametrize("name", ["photo_patches", "rotated"])
    def test_what_is_made_of_images_refuses_a_table(self, name):
        with pytest.raises(ValueError, match=f"'{name}' is made of images. Received the rows of 'diabetes'; take"):
            data.ood.get(name)(data.diabetes())


class TestWeights:
    @pytest.mark.parametrize("labels", ["classes", "masks", "numbers"])
    def test_each_example_keeps_its_own(self, tmp_path, labels):
        x = {f"x_{part}": np.arange(float(size)).repeat(30).reshape(size, 6, 5) for part, size in SIZES.items()}
        y = {
            "classes": lambda size: np.arange(size) % 4,
            "masks": lambda size: np.tile(np.arange(30).reshape(6, 5) % 4, [size, 1, 1]),
            "numbers": lambda size: np.arange(float(size)),
        }[labels]
        made = {**x, **{f"y_{part}": y(size) for part, size in SIZES.items()}, "weights_train": np.arange(40) + 0.5}
        found = data.npz(path=saved(tmp_path, **made), validation_fraction=0.25)
        assert (len(found.train.y), found.train_weights.dtype) == (30, np.float32)
        np.testing.assert_array_equal(found.train_weights, found.train.x[:, 0, 0, 0] + 0.5)

    def test_with_a_validation_part_they_stay_as_they_are_and_without_weights_there_are_none(self, tmp_path):
        extra = {"x_validation": arrays()["x_test"][:3], "y_validation": np.arange(3)}
        found = data.npz(path=saved(tmp_path, **extra, weights_train=np.arange(40)))
        np.testing.assert_array_equal(found.train_weights, np.arange(40))
        assert data.npz(path=saved(tmp_path)).train_weights is None

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"weights_train": np.ones(39)}, r"weights_train must be 40 numbers .*Received float64 of shape \[39\]"),
            ({"weights_train": np.full(40, "a")}, r"Received <U1 of shape \[40\]"),
            ({"weights_train": np.linspace(-1, 1, 40)}, "Received 20 that are negative or not finite"),
            ({"weights_train": np.zeros(40, int)}, "Received zeros only"),
            ({"weights_test": np.ones(10)}, r"Received also \['weights_test'\]; rename them"),
        ],
    )
    def test_what_breaks_the_rule_is_refused(self, tmp_path, changes, message):
        with pytest.raises(ValueError, match=message):
            data.npz(path=saved(tmp_path, **changes))


def test_uint8_that_does_not_reach_255_is_warned_of(tmp_path):
    digits = {
        f"x_{part}": (np.arange(size * 30) % 17).astype(np.uint8).reshape(size, 6, 5) for part, size in SIZES.items()
    }
    with pytest.warns(UserWarning, match=r"x_train is uint8, .*its largest value is 16\..*astype\('float32'\) / 16"):
        data.npz(path=saved(tmp_path, **digits))
    np.save(tmp_path / "x.npy", digits["x_test"])
    with pytest.warns(UserWarning, match=r"x\.npy is uint8, .*its largest value is 16"):
        image_files.read_images(tmp_path / "x.npy", (6, 5, 1), (0.0, 1.0))
    image_files.read_images(tmp_path / "x.npy", (6, 5, 1), (0.0, 0.1))  # as dark as those of training


def idx_bytes(array):
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def write_idx(folder, ending="", compress=bytes, **changes):
    generator = np.random.default_rng(0)
    for prefix, size in (("train", 40), ("t10k", 10)):
        images = generator.integers(0, 256, [size, 4, 7], np.uint8)
        for name, array in ((f"{prefix}-images-idx3", images), (f"{prefix}-labels-idx1", np.arange(size) % 4)):
            content = changes.get(name, idx_bytes(array.astype(np.uint8)))
            (folder / f"{name}-ubyte{ending}").write_bytes(compress(content))
    return str(folder)


class TestIdx:
    @pytest.mark.parametrize(("ending", "compress"), [("", bytes), (".gz", gzip.compress)])
    def test_reads_what_the_format_says(self, tmp_path, ending, compress):
        found = data.idx(path=write_idx(tmp_path, ending, compress))
        assert [part.x.shape for part in found[1:4]] == [(36, 4, 7, 1), (4, 4, 7, 1), (10, 4, 7, 1)]
        expected = np.random.default_rng(0)
        expected.integers(0, 256, [40, 4, 7], np.uint8)
        np.testing.assert_allclose(
            found.test.x[..., 0] * 255, expected.integers(0, 256, [10, 4, 7], np.uint8), rtol=1e-6
        )
        np.testing.assert_array_equal(found.test.y, np.arange(10) % 4)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=f"train-images-idx3-ubyte or .*gz in {tmp_path}"):
            data.idx(path=str(tmp_path))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "starts with the number 2051. Received 0"),
            (idx_bytes(np.zeros(3, np.uint8)) + bytes(20), "starts with the number 2051. Received 2049"),
            (idx_bytes(np.zeros([40, 4, 7], np.uint8))[:-1], r"must hold 1120 bytes for its shape \[40, 4, 7\]"),
        ],
    )
    def test_a_damaged_file_is_refused(self, tmp_path, content, message):
        with pytest.raises(ValueError, match=message):
            data.idx(path=write_idx(tmp_path, **{"train-images-idx3": content}))

    def test_damaged_gzip_data_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="must be gzip data"):
            data.idx(path=write_idx(tmp_path, ".gz", lambda content: gzip.compress(content)[:-9]))


@pytest.fixture(scope="module")
def digits():
    return data.digits()


@pytest.fixture
def colourful(tmp_path):
    return data.npz(path=saved(tmp_path))


class TestOutOfDistribution:
    @pytest.mark.parametrize("name", data.ood.names())
    def test_every_set_looks_like_an_input_and_is_reproducible(self, name, digits, colourful, tmp_path):
        for dataset in [data.digit_rows()] if name == "time_reversed" else [digits, colourful]:
            np.savez(tmp_path / "strange.npz", x=dataset.test.x[::-1])
            options = {"path": str(tmp_path / "strange.npz")} if name == "npz" else {}
            images = data.ood.get(name)(dataset, **options)
            assert (images.shape[1:], images.dtype) == (dataset.input_shape, np.float32)
            np.testing.assert_array_equal(images, data.ood.get(name)(dataset, **options))
            low, high = dataset.value_range
            assert low - 1e-6 <= images.min() <= images.max() <= high + 1e-6

    def test_photo_patches_use_the_whole_range_and_differ(self, digits):
        patches = data.photo_patches(digits)
        assert len(patches) == 360
        np.testing.assert_allclose(patches.min(axis=(1, 2, 3)), 0, atol=1e-6)
        np.testing.assert_allclose(patches.max(axis=(1, 2, 3)), 1, atol=1e-6)
        assert len({patch.tobytes() for patch in patches}) > 350
        assert not np.array_equal(patches, data.photo_patches(digits, seed=1))

    def test_photo_patches_are_grey(self, colourful):
        patches = data.photo_patches(colourful, count=5)
        assert patches.shape == (5, 6, 5, 3)
        np.testing.assert_array_equal(patches[..., 0], patches[..., 2])

    @pytest.mark.parametrize("shape", [(428, 8, 1), (8, 641, 1)])
    def test_photo_patches_larger_than_the_photographs_are_refused(self, digits, shape):
        large = digits._replace(train=data.Split(np.zeros([1, *shape], np.float32), np.zeros(1, np.int64)))
        with pytest.raises(ValueError, match="at most 427x640"):
            data.photo_patches(large)

    def test_turning_by_90_degrees_moves_pixels_and_agrees_with_interpolation(self, digits):
        turned = data.rotated(digits)
        np.testing.assert_array_equal(turned[7, ..., 0], np.rot90(digits.test.x[7, ..., 0]))
        np.testing.assert_allclose(turned, data.rotated(digits, degrees=90 + 1e-7), atol=1e-5)

    def test_four_quarter_turns_are_none(self, digits):
        np.testing.assert_array_equal(data.rotated(digits, degrees=360), digits.test.x)

    def test_inverting_twice_is_nothing(self, digits):
        inverted = digits._replace(test=data.Split(data.inverted(digits), digits.test.y))
        np.testing.assert_allclose(data.inverted(inverted), digits.test.x, atol=1e-6)


def test_the_module_is_the_registry():
    assert set(data.names()) >= {"diabetes", "digit_rotation", "digits", "idx", "npz"}
    assert name_of(data.resolve({"name": "digits", "refit": True})) == "digits(refit=True)"
    with pytest.raises(ValueError, match=r"Unknown dataset 'digit'.*Did you mean 'digits'"):
        data.resolve("digit")
    with pytest.raises(ValueError, match=r"unknown option 'refti'.*Did you mean 'refit'"):
        data.resolve({"name": "digits", "refti": True})


def test_as_inputs_copies():
    original = np.full([1, 2, 2, 1], 3.0, np.float32)
    user_arrays.as_inputs(original, "x")[:] = 0
    assert original.min() == 3


def test_all_parts_of_an_archive_have_one_type(tmp_path):
    for changes in ({"x_test": np.zeros([10, 6, 5, 3], np.float32)}, {"x_train": np.zeros([40, 6, 5, 3])}):
        with pytest.raises(ValueError, match=r"all images as uint8.*Received \{'x_train': .*bring them to one type"):
            data.npz(path=saved(tmp_path, **changes))

"""Claims about a user's own images with one class a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from bayesconv import data

SIZES = {"train": 20, "test": 5}


def _arrays(**changes):
    generator = np.random.default_rng(0)
    made = {}
    for part, size in SIZES.items():
        made[f"x_{part}"] = generator.integers(0, 256, [size, 6, 4, 3], np.uint8)
        made[f"y_{part}"] = generator.integers(0, 3, [size, 6, 4]).astype(np.uint8)
    return {key: value for key, value in (made | changes).items() if value is not None}


def _loaded(folder, changes=(), **options):
    np.savez(folder / "masks.npz", **_arrays(**dict(changes)))
    return data.npz(path=str(folder / "masks.npz"), **options)


def _changed(part, index, value):
    masks = _arrays()[f"y_{part}"].astype(np.int64)
    masks[index] = value
    return {f"y_{part}": masks}


def test_masks_make_it_a_segmentation(tmp_path):
    found = _loaded(tmp_path)
    assert (found.task, found.num_classes, found.class_names) == ("segmentation", 3, ("0", "1", "2"))
    assert [part.y.shape for part in found[1:4]] == [(18, 6, 4), (2, 6, 4), (5, 6, 4)]
    assert found.train.y.dtype == np.int64
    assert found.ignored_label is None
    np.testing.assert_array_equal(found.test.y, _arrays()["y_test"])
    np.testing.assert_allclose(found.test.x, _arrays()["x_test"] / 255, rtol=1e-6)


def test_held_out_images_keep_their_masks(tmp_path):
    found, given = _loaded(tmp_path, validation_fraction=0.25), _arrays()
    masks = {np.float32(x / 255).tobytes(): y for x, y in zip(given["x_train"], given["y_train"], strict=True)}
    x, y = (np.concatenate(parts) for parts in zip(found.train, found.validation, strict=True))
    assert len(found.validation.y) == 5
    assert len({image.tobytes() for image in x}) == 20
    for image, mask in zip(x, y, strict=True):
        np.testing.assert_array_equal(mask, masks[image.tobytes()])


def test_the_seed_chooses_what_is_held_out(tmp_path):
    first, again, other = (_loaded(tmp_path, seed=seed).validation.x for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_a_validation_part_and_a_last_axis_of_one_are_taken(tmp_path):
    given = _arrays()
    extra = {"x_validation": given["x_test"][:2], "y_validation": given["y_test"][:2, ..., np.newaxis]}
    found = _loaded(tmp_path, extra)
    assert (len(found.train.y), found.validation.y.shape) == (20, (2, 6, 4))


def test_an_ignored_label_is_no_class(tmp_path):
    found = _loaded(tmp_path, _changed("train", np.s_[:, 0], 255) | _changed("test", 0, 255), ignored_label=255)
    assert (found.num_classes, found.ignored_label) == (3, 255)
    assert (found.train.y[:, 0] == 255).all()
    between = _loaded(tmp_path, _changed("train", np.s_[:, 0], 3), ignored_label=3)
    assert between.num_classes == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": _arrays()["y_train"][:, :5]}, r"y_train must be integers of shape \[20, 6, 4\].*\[20, 5, 4\]"),
        ({"y_test": np.arange(5) % 3}, r"y_test must be integers of shape \[5, 6, 4\].*int64 of shape \[5\]"),
        ({"y_test": np.zeros([5, 6, 4])}, "Received float64"),
        (_changed("train", (0, 0, 0), -1), "y_train must count classes from 0. Received the label -1"),
        (
            _changed("train", (0, 0, 0), 7),
            r"every class 0, 1, .*\[0, 1, 2, 7\], 4 in all, the largest 7; .*ignored_label",
        ),
        ({"y_train": np.zeros([20, 6, 4], int)}, "K >= 2"),
        (_changed("test", (0, 0, 0), 3), "y_test must only hold classes of y_train, 0 to 2. Received 3"),
        ({"x_test": np.zeros([5, 6, 6, 3], np.uint8), "y_test": np.zeros([5, 6, 6], int)}, "must have one shape"),
    ],
)
def test_masks_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        _loaded(tmp_path, changes)


def test_options_that_leave_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Some training examples must be left\. Received 20, 20 of them"):
        _loaded(tmp_path, validation_fraction=0.99)
    with pytest.raises(ValueError, match=r"`validation_fraction` must lie between 0 and 1. Received 1\.5"):
        _loaded(tmp_path, validation_fraction=1.5)


def test_an_ignored_label_is_for_pixels(tmp_path):
    with pytest.raises(
        ValueError, match=r"`ignored_label` is for one class a pixel.* Received 255 with labels of shape"
    ):
        _loaded(tmp_path, {f"y_{part}": np.arange(size) % 3 for part, size in SIZES.items()}, ignored_label=255)

"""Claims about scenes of digits on photographs."""

from __future__ import annotations

import types

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from bayesconv import data

SIZES = {"train_size": 40, "validation_size": 20, "test_size": 20}
SCANS, DIGITS = load_digits().images / 16, load_digits().target
LARGE = tf.image.resize(SCANS[..., np.newaxis], [16, 16], "bilinear").numpy()[..., 0]


def _levels(images):
    """Ink in units of 1/256, in which scans and their interpolations are whole."""
    return np.rint(256 * images).astype(np.int16)


NUMBERS = {scan.tobytes(): number for scans in (SCANS, LARGE) for number, scan in enumerate(_levels(scans))}


def _drawn(ink):
    """What lies in a scene of ink alone: its labels, and the numbers of the scans, looked for in every window."""
    labels, found, rest = np.zeros(ink.shape, int), [], _levels(ink)
    for scans in (LARGE, SCANS):
        side = scans.shape[1]
        for top, left in np.ndindex(*(length - side + 1 for length in ink.shape)):
            box = np.s_[top : top + side, left : left + side]
            number = NUMBERS.get(rest[box].tobytes())
            if number is not None:
                found.append(number)
                labels[box][scans[number] >= 0.5] = DIGITS[number] + 1
                rest[box] = 0
    assert not rest.any()  # all of the ink is explained
    return labels, found


@pytest.fixture(scope="module")
def black():
    """Scenes without their photographs."""
    return data.digit_scenes(**SIZES, background=0.0)


@pytest.fixture(scope="module")
def drawn(black):
    return [[_drawn(image) for image in part.x[..., 0]] for part in black[1:4]]


def test_the_labels_are_the_digits_whose_ink_covers_the_pixels(black, drawn):
    for part, scenes in zip(black[1:4], drawn, strict=True):
        np.testing.assert_array_equal(part.y, [labels for labels, _ in scenes])


def test_a_scene_has_one_to_three_digits(drawn):
    assert {len(found) for scenes in drawn for _, found in scenes} == {1, 2, 3}
    single = data.digit_scenes(**SIZES, background=0.0, max_digits=1)
    assert {len(_drawn(image)[1]) for image in single.test.x[..., 0]} == {1}


def test_no_scan_is_in_two_parts(drawn):
    parts = [{number for _, found in scenes for number in found} for scenes in drawn]
    assert min(map(len, parts)) > 20
    for i in range(3):
        assert parts[i].isdisjoint(parts[i - 1])


def test_every_scan_is_drawn_about_as_often_as_any_other(drawn):
    numbers = [number for _, found in drawn[0] for number in found]
    assert len(numbers) == len(set(numbers))  # fewer than the 1150 scans of the training part


def test_no_pixel_of_a_photograph_is_in_two_parts(monkeypatch):
    rows, columns = 427, 640
    where = np.arange(1, 2 * rows * columns + 1).reshape(2, rows, columns, 1)  # every pixel says where it is from
    photos = types.SimpleNamespace(images=list(where * 255.0 / where.size))
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: photos)
    scenes = data.digit_scenes(**SIZES, background=1.0)
    pixels = []
    for part in scenes[1:4]:
        places = np.rint(part.x[..., 0].astype(np.float64) * where.size).astype(int) - 1
        # Ink makes some pixels brighter, but hardly the corner of a scene and its right and lower neighbours.
        corners = [_corner(place, columns) for place in places]
        offsets = np.arange(32)[:, np.newaxis] * columns + np.arange(32)
        pixels.append({int(pixel) for corner in corners for pixel in np.ravel(corner + offsets)})
        # 20 scenes of one square of 64 x 64 pixels would have 4096 at most
        assert len(pixels[-1]) > 10_000
    for i in range(3):
        assert pixels[i].isdisjoint(pixels[i - 1])


def _corner(place, columns):
    """The place of a scene's first pixel, in which most of its pixels agree."""
    offsets = np.arange(32)[:, np.newaxis] * columns + np.arange(32)
    values, counts = np.unique(place - offsets, return_counts=True)
    assert counts.max() > 300
    return values[counts.argmax()]


def test_ink_is_laid_over_the_photograph(black):
    scenes = data.digit_scenes(**SIZES, background=0.6)
    np.testing.assert_array_equal(scenes.test.y, black.test.y)
    ink, x = black.test.x, scenes.test.x
    assert x[ink == 0].max() <= 0.6
    np.testing.assert_allclose(x[ink == 1], 1.0)
    half = data.digit_scenes(**SIZES, background=0.3).test.x  # x = b p (1 - ink) + ink, so that it is linear in b
    np.testing.assert_allclose(x - half, half - ink, atol=1e-6)


def test_the_seed_determines_everything():
    first, again, other = (data.digit_scenes(**SIZES, seed=seed) for seed in (3, 3, 4))
    for part, same, different in zip(first[1:4], again[1:4], other[1:4], strict=True):
        np.testing.assert_array_equal(part.x, same.x)
        np.testing.assert_array_equal(part.y, same.y)
        assert np.abs(part.x - different.x).max() > 0.1


def test_a_part_does_not_depend_on_how_many_scenes_the_others_have():
    few = data.digit_scenes(**{**SIZES, "train_size": 5})
    np.testing.assert_array_equal(few.test.x, data.digit_scenes(**SIZES).test.x)


def test_what_it_returns_fits_a_segmentation():
    scenes = data.resolve({"name": "digit_scenes", **SIZES, "size": 24})()
    assert scenes.task == "segmentation"
    assert scenes.input_shape == (24, 24, 1)
    assert (scenes.train.x.dtype, scenes.train.y.dtype, scenes.train.y.shape) == (np.float32, np.int64, (40, 24, 24))
    assert (scenes.num_classes, len(scenes.class_names), scenes.class_names[4]) == (11, 11, "3")
    assert 0 <= scenes.value_range[0] < scenes.value_range[1] <= 1
    assert set(np.unique(scenes.train.y)) == set(range(11))


def test_ink_alone_may_be_the_class():
    digits, ink = data.digit_scenes(**SIZES), data.digit_scenes(**SIZES, classes="ink")
    assert (ink.num_classes, ink.class_names) == (2, ("background", "ink"))
    np.testing.assert_array_equal(ink.test.y, digits.test.y > 0)
    assert ink.test.y.dtype == np.int64


def test_where_no_room_is_left_there_are_fewer_digits():
    crowded = data.digit_scenes(**SIZES, size=16, max_digits=9, background=0.0)
    counts = [len(_drawn(image[..., 0])[1]) for image in crowded.test.x]
    assert min(counts) >= 1
    assert max(counts) <= 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, r"`size` of a digit scene is 16 to 64 pixels\. Received 8"),
        ({"size": 65}, "16 to 64 pixels"),
        ({"test_size": 0}, r"at least one scene in every part.*Received 40, 20, 0 scenes and max_digits=3"),
        ({"max_digits": 0}, "one digit in a scene"),
        ({"classes": "digit"}, r"Unknown value of `classes` 'digit'.*Did you mean 'digits'"),
        ({"background": 1.5}, r"brightness in \[0, 1\]\. Received 1\.5"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        data.digit_scenes(**{**SIZES, **options})

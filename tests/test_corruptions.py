"""Claims about corrupted images: what each severity does, exactly, and that nothing leaves the range of values."""

from __future__ import annotations

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import corruptions
from bayesconv.corruptions import SEVERITIES, corrupt

RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 20, 16, 3))


LETTER = np.zeros([12, 20, 16, 3])  # of the shape of an L
LETTER[:, 4:15, 4:7] = LETTER[:, 12:15, 4:12] = 1.0


def _raw(name, images, severity=1, **options):
    """Without the clipping."""
    return corruptions.resolve({"name": name, **options})(images, np.random.default_rng(3), severity)


@pytest.mark.parametrize("name", corruptions.names())
def test_every_severity_is_further_from_the_image_and_within_its_range(name):
    distances = [0.0]
    for severity in SEVERITIES:
        found = corrupt(LETTER, name, severity=severity, seed=1)
        assert found.dtype == np.float32
        assert found.shape == LETTER.shape
        assert 0 <= found.min() <= found.max() <= 1
        distances.append(np.abs(found - LETTER).mean())
    assert np.diff(distances).min() > 0.1 * max(np.diff(distances))


@pytest.mark.parametrize("name", corruptions.names())
def test_it_is_the_same_for_the_same_seed_and_in_any_unit(name):
    found = corrupt(IMAGES, name, severity=3, seed=1)
    np.testing.assert_array_equal(found, corrupt(IMAGES, name, severity=3, seed=1))
    is_random = np.abs(found - corrupt(IMAGES, name, severity=3, seed=2)).max() > 0.01
    assert is_random == (name not in ("blur", "contrast"))
    scaled = corrupt(6 * IMAGES - 2, name, severity=3, seed=1, value_range=(-2, 4))
    np.testing.assert_allclose(scaled, 6 * found - 2, atol=1e-5)


def test_noise_has_the_variance_it_says():
    # The variance of n normals has a relative deviation of sqrt(2 / n): beyond five of them once in a million.
    noise = _raw("gaussian_noise", np.zeros([10, 50, 50, 1]), severity=4)
    assert abs(noise.var() / 0.18**2 - 1) < 5 * np.sqrt(2 / noise.size)
    assert abs((1.05 * noise).var() / 0.18**2 - 1) > 5 * np.sqrt(2 / noise.size)


def test_a_blurred_point_has_the_variance_of_the_kernel():
    point = np.zeros([1, 41, 61, 1])
    point[0, 20, 30] = 1
    spread = _raw("blur", point, severity=5)[0, ..., 0]
    for axis, sigma in ((0, 0.08 * 41), (1, 0.08 * 61)):
        along = spread.sum(axis=1 - axis)
        places = np.arange(len(along)) - len(along) // 2
        assert along.sum() == pytest.approx(1, abs=1e-6)
        assert (along * places**2).sum() == pytest.approx(sigma**2, rel=0.02)  # the kernel is cut off at 4 sigma


def test_contrast_keeps_the_mean_and_scales_the_rest():
    found = _raw("contrast", IMAGES, severity=2)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), IMAGES.mean(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.std(axis=(1, 2)), 0.5 * IMAGES.std(axis=(1, 2)), rtol=1e-12)


def test_a_quarter_turn_moves_pixels_either_way():
    square = IMAGES[:, :16]
    found = _raw("rotation", square, amounts=[90] * 5)
    ways = [np.abs(found - np.rot90(square, turns, axes=(1, 2))).max(axis=(1, 2, 3)) < 1e-6 for turns in (1, -1)]
    assert (ways[0] ^ ways[1]).all()
    assert ways[0].any()
    assert ways[1].any()


def test_a_translation_moves_the_centre_by_what_it_says_in_all_directions():
    point = np.zeros([200, 31, 31, 1])
    point[:, 15, 15] = 1
    found = _raw("translation", point, severity=5)[..., 0]
    places = np.arange(31) - 15
    moved = np.stack([(found.sum(axis=2) * places).sum(1), (found.sum(axis=1) * places).sum(1)])
    np.testing.assert_allclose(np.hypot(*moved), 0.25 * 31, rtol=1e-6)  # interpolation keeps the centre of mass
    assert np.abs(moved.mean(axis=1)).max() < 5 * 0.25 * 31 / np.sqrt(2 * 200)


def test_an_occlusion_covers_a_rectangle_of_its_size_anywhere():
    found = _raw("occlusion", np.zeros([300, 20, 10, 2]), severity=1)
    assert set(np.unique(found)) == {0, 0.5}
    covered = found[..., 0] > 0
    assert (covered.sum(axis=(1, 2)) == 4 * 2).all()
    assert covered.any(axis=0).all()


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (32, 20)])
def test_an_occlusion_grows_with_its_severity_on_small_images_too(shape):
    areas = [(_raw("occlusion", np.zeros([1, *shape, 1]), severity=s) > 0).sum() for s in range(1, 6)]
    wanted = np.square([0.2, 0.3, 0.4, 0.5, 0.6]) * np.prod(shape)
    assert np.all(np.diff(areas) > 0)
    assert np.all(np.abs(areas - wanted) <= 0.5 * 0.6 * shape[0] + 0.5)  # half a column of the widest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": 0}, r"integer from 1 to 5\. Received 0"),
        ({"severity": 2.5}, r"integer from 1 to 5\. Received 2\.5"),
        ({"corruption": "fog"}, r"Unknown corruption 'fog'"),
        ({"corruption": {"name": "blur", "amounts": [0.1]}}, r"five numbers, one a severity\. Received \[0\.1\]"),
        ({"corruption": {"name": "blur", "amount": 1}}, r"unknown option 'amount'.*Did you mean 'amounts'"),
        ({"images": IMAGES[0]}, r"\[N, H, W, C\] with N >= 1\. Received shape \[20, 16, 3\]"),
        ({"images": IMAGES[:0]}, r"N >= 1"),
        ({"series": True}, r"Series are \[N, T, C\] with N >= 1\. Received shape \[12, 20, 16, 3\]"),
        ({"value_range": (1, 1)}, r"lowest and the highest.*\(1, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    arguments = {"images": IMAGES, "corruption": "blur", "severity": 1, **change}
    with pytest.raises(ValueError, match=message):
        corrupt(arguments.pop("images"), arguments.pop("corruption"), **arguments)


def test_a_corruption_of_ones_own_is_one_function():
    @bc.corruptions.register("dark")
    def dark(images, rng, severity, *, amounts=(0.8, 0.6, 0.4, 0.2, 0.1)):
        return amounts[severity - 1] * images

    np.testing.assert_allclose(corrupt(IMAGES, "dark", severity=2), 0.6 * IMAGES, rtol=1e-6)


SERIES = RNG.random((9, 24, 2))


@pytest.mark.parametrize("name", [name for name in corruptions.names() if name != "rotation"])
def test_a_series_is_an_image_of_one_column(name):
    found = corrupt(SERIES, name, severity=3, seed=4, series=True)
    assert found.shape == SERIES.shape
    np.testing.assert_array_equal(found, corrupt(SERIES[:, :, None], name, severity=3, seed=4)[:, :, 0])
    assert np.abs(found - SERIES).max() > 0.01


def test_a_translation_of_a_series_is_all_in_time():
    points = np.zeros([200, 41, 1])
    points[:, 20] = 1.0
    moved = corrupt(points, "translation", severity=2, seed=0, series=True)[..., 0]
    centres = moved @ np.arange(41)
    np.testing.assert_allclose(moved.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.abs(centres - 20), 0.1 * 41, rtol=1e-4)
    assert 0.3 < np.mean(centres > 20) < 0.7  # 6 standard errors: both ways alike


def test_a_series_cannot_be_turned():
    with pytest.raises(ValueError, match=r"A rotation turns images\. Received series"):
        corrupt(SERIES, "rotation", severity=1, series=True)

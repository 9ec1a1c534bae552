"""Scenes of handwritten digits on photographs, with a class for every pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesconv.data.handwritten import digits
from bayesconv.data.registry import Array, Dataset, Split, register
from bayesconv.registry import unknown_name_message

_HALF = 0.5  # a pixel is ink if ink covers that much of it
_SHARES = (0.6, 0.2, 0.2)  # of the photographs: training, validation, test
_CLASS_NAMES = {"digits": ("background", *map(str, range(10))), "ink": ("background", "ink")}


@register("digit_scenes")
def digit_scenes(
    *,
    seed: int = 0,
    size: int = 32,
    train_size: int = 1000,
    validation_size: int = 200,
    test_size: int = 300,
    max_digits: int = 3,
    classes: str = "digits",
    background: float = 0.6,
) -> Dataset:
    """Real scans of digits in white ink on pieces of two photographs, and the class of every pixel; from scikit-learn.

    A scene has one digit or more, each 8x8 or 16x16 pixels, side by side. A pixel belongs to a digit if ink covers at
    least half of it. Training, validation and test share no scan and no pixel of a photograph.

    Args:
      seed: Determines the scenes and what they are made of.
      size: Height and width of a scene in pixels, from 16 to 64.
      train_size: Number of training scenes.
      validation_size: Number of validation scenes.
      test_size: Number of test scenes.
      max_digits: Most digits of a scene; there are fewer where no room is left.
      classes: `"digits"` for background and ten digits, K = 11, or `"ink"` for background and ink, K = 2.
      background: Brightness of a white photograph, in [0, 1], where ink has 1. Closer to 1 it is harder to see.

    Returns:
      The data set, with images `[N, size, size, 1]` in [0, 1] and classes `[N, size, size]`.

    Raises:
      ValueError: If an option is out of range.

    Example:
      >>> from bayesconv import data
      >>> scenes = data.digit_scenes(train_size=8, validation_size=4, test_size=4)
      >>> scenes.train.x.shape, scenes.train.y.shape, scenes.class_names[:3]
      ((8, 32, 32, 1), (8, 32, 32), ('background', '0', '1'))
    """
    counts = (train_size, validation_size, test_size)
    _check(size, counts, max_digits, classes, background)
    scans, areas = digits(seed=seed), _areas(2 * size, np.random.default_rng(seed))
    train, validation, test = (
        _drawn(part, areas[i], counts[i], size, max_digits, classes, background, np.random.default_rng([seed, i]))
        for i, part in enumerate((scans.train, scans.validation, scans.test))
    )
    names = _CLASS_NAMES[classes]
    return Dataset("digit_scenes", train, validation, test, len(names), names, task="segmentation")


def _drawn(
    scans: Split,
    areas: list[Array],
    count: int,
    size: int,
    max_digits: int,
    classes: str,
    background: float,
    generator: np.random.Generator,
) -> Split:
    """The scenes of one part."""
    endless = _endless(scans, generator)
    drawn = [_ink(endless, size, int(generator.integers(1, max_digits + 1)), generator) for _ in range(count)]
    ink, labels = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
    photos = background * np.stack([_piece(areas, size, generator) for _ in range(count)])
    x = photos + ink * (1.0 - photos)
    y = np.minimum(labels, 1) if classes == "ink" else labels
    return Split(x.astype(np.float32)[..., np.newaxis], y)


def _areas(side: int, generator: np.random.Generator) -> list[list[Array]]:
    """Squares of the photographs, grey in [0, 1]: those of the training, the validation and the test scenes."""
    from sklearn.datasets import load_sample_images

    squares = []
    for photo in load_sample_images().images:
        grey = photo.mean(axis=-1) / 255
        rows, columns = (length // side for length in grey.shape)
        strips = np.split(grey[: rows * side, : columns * side], rows)
        squares += [square for strip in strips for square in np.split(strip, columns, axis=1)]
    shuffled = [squares[i] for i in generator.permutation(len(squares))]
    first, second = (round(share * len(shuffled)) for share in np.cumsum(_SHARES)[:2])
    return [shuffled[:first], shuffled[first:second], shuffled[second:]]


def _piece(areas: list[Array], size: int, generator: np.random.Generator) -> Array:
    area = areas[generator.integers(len(areas))]
    top, left = generator.integers(len(area) - size + 1, size=2)
    return area[top : top + size, left : left + size]


def _endless(split: Split, generator: np.random.Generator) -> Iterator[tuple[Array, int]]:
    """Scans and their digits, each as often as any other."""
    while True:
        for i in generator.permutation(len(split.y)):
            yield split.x[i, ..., 0], int(split.y[i])


def _ink(
    scans: Iterator[tuple[Array, int]], size: int, num_digits: int, generator: np.random.Generator
) -> tuple[Array, Array]:
    """How much of every pixel ink covers, in [0, 1], and what it shows: 0, or the digit plus 1."""
    ink, labels, taken = np.zeros([size, size]), np.zeros([size, size], np.int64), np.zeros([size, size], bool)
    for _ in range(num_digits):
        scan, digit = next(scans)
        for drawn in [_enlarged(scan), scan] if generator.random() < 0.5 else [scan]:
            corners = _free_corners(taken, len(drawn))
            if len(corners):
                top, left = corners[generator.integers(len(corners))]
                box = np.s_[top : top + len(drawn), left : left + len(drawn)]
                ink[box], labels[box], taken[box] = drawn, np.where(drawn >= _HALF, digit + 1, 0), True
                break
    return ink, labels


def _free_corners(taken: Array, side: int) -> Array:
    """Top left corners `[M, 2]` of all squares of that side in which nothing is taken."""
    windows = np.lib.stride_tricks.sliding_window_view(taken, (side, side))
    return np.argwhere(~windows.any(axis=(2, 3)))


def _enlarged(scan: Array) -> Array:
    from scipy import ndimage

    return ndimage.zoom(scan, 2, order=1, mode="nearest", grid_mode=True)


def _check(size: int, counts: tuple[int, ...], max_digits: int, classes: str, background: float) -> None:
    if classes not in _CLASS_NAMES:
        raise ValueError(unknown_name_message("value of `classes`", classes, _CLASS_NAMES))
    if not 16 <= size <= 64:
        raise ValueError(f"`size` of a digit scene is 16 to 64 pixels. Received {size}.")
    if min(*counts, max_digits) < 1:
        raise ValueError(
            "A data set of digit scenes needs at least one scene in every part and one digit in a scene. Received "
            f"{', '.join(map(str, counts))} scenes and max_digits={max_digits}."
        )
    if not 0 <= background <= 1:
        raise ValueError(f"`background` is a brightness in [0, 1]. Received {background}.")

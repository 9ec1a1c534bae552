"""Training images changed at random each time they are seen, so that a net learns what does not matter.

An augmentation is `augmentation(images, rng, *, options) -> images` of a batch `[N, H, W, C]`, which it leaves as it
is.

With augmentation the objective is no bound on the evidence: the changed copies are no independent data, and the KL is
still divided by the number of images. The data term is harder to fit then, so a lower temperature may suit it. Report
both with every result.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesconv.registry import Identifier, Registry, name_of

REGISTRY = Registry("augmentation", num_positional=2)
register, names, get, resolve = REGISTRY.register, REGISTRY.names, REGISTRY.get, REGISTRY.resolve
describe, options, check_options = REGISTRY.describe, REGISTRY.options, REGISTRY.check_options

Array = np.ndarray[Any, Any]
Generator = np.random.Generator
Augmentation = Callable[[Array, Generator], Array]


def chain(augmentations: Sequence[Identifier]) -> Augmentation:
    """One augmentation after the other, as one function.

    Args:
      augmentations: Registered names, mappings of a name and options, or functions.

    Raises:
      TypeError: If it is a single name or mapping instead of a sequence.
      ValueError: If a name or an option is unknown.

    Example:
      >>> augment = chain(["horizontal_flip", {"name": "shift", "pixels": 1}])
      >>> augment(np.ones([2, 8, 8, 1], np.float32), np.random.default_rng(0)).shape
      (2, 8, 8, 1)
    """
    resolved = [resolve(identifier) for identifier in check_sequence(augmentations)]

    def augment(images: Array, rng: Generator) -> Array:
        return functools.reduce(lambda changed, augmentation: augmentation(changed, rng), resolved, images)

    return augment


def describe_chain(augmentations: Sequence[Identifier]) -> str | None:
    """The augmentations with their options as text; None if there are none."""
    return ", ".join(name_of(resolve(identifier)) for identifier in augmentations) or None


def check_sequence(augmentations: Any) -> Sequence[Identifier]:
    """Raises a TypeError unless the augmentations are a sequence."""
    if not isinstance(augmentations, list | tuple):
        raise TypeError(
            "Augmentations are a sequence of names, mappings {'name': ..., **options} or functions. "
            f"Received {augmentations!r}; write [...] around it."
        )
    return augmentations


@register("horizontal_flip")
def horizontal_flip(images: Array, rng: Generator, *, probability: float = 0.5) -> Array:
    """Left and right exchanged in some images.

    Args:
      images: `[N, H, W, C]`.
      rng: Chooses the images.
      probability: Of an image to be flipped.

    Raises:
      ValueError: If the images are none, or the probability is not in [0, 1].
    """
    _check_images(images)
    if not 0 <= probability <= 1:
        raise ValueError(f"`probability` lies between 0 and 1. Received {probability!r}.")
    flipped = rng.random(len(images)) < probability
    return np.where(flipped[:, np.newaxis, np.newaxis, np.newaxis], images[:, :, ::-1], images)


@register("shift")
def shift(images: Array, rng: Generator, *, pixels: int = 2, fill: float = 0.0) -> Array:
    """Each image moved up or down and left or right by a whole number of pixels, each series in time.

    Args:
      images: `[N, H, W, C]`, or series `[N, T, C]`.
      rng: Chooses the distances, each uniformly from `-pixels` to `pixels`.
      pixels: The largest distance.
      fill: What is uncovered: the value of the background.

    Raises:
      ValueError: If the images are none, or `pixels` is negative or not below their height and width.

    Example:
      >>> shift(np.ones([1, 3, 3, 1]), np.random.default_rng(2), pixels=1)[0, :, :, 0]
      array([[0., 1., 1.],
             [0., 1., 1.],
             [0., 0., 0.]])
    """
    if images.ndim == 3:
        return _shift_in_time(images, rng, pixels, fill)
    _check_images(images)
    height, width = images.shape[1:3]
    if not 0 <= pixels < min(height, width):
        raise ValueError(
            f"`pixels` is at least 0 and less than the images' height and width, {height} and {width}. "
            f"Received {pixels!r}."
        )
    tops, lefts = rng.integers(0, 2 * pixels + 1, (2, len(images), 1))
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), constant_values=fill)
    rows, columns = tops + np.arange(height), lefts + np.arange(width)
    return padded[np.arange(len(images))[:, np.newaxis, np.newaxis], rows[:, :, np.newaxis], columns[:, np.newaxis]]


def _shift_in_time(series: Array, rng: Generator, steps: int, fill: float) -> Array:
    num, length, _ = series.shape
    if not 0 <= steps < length:
        raise ValueError(
            f"`pixels` is at least 0 and less than the length of the series, {length}. Received {steps!r}."
        )
    first = rng.integers(0, 2 * steps + 1, (num, 1))
    padded = np.pad(series, ((0, 0), (steps, steps), (0, 0)), constant_values=fill)
    return padded[np.arange(num)[:, np.newaxis], first + np.arange(length)]


def _check_images(images: Array) -> None:
    if images.ndim != 4:
        raise ValueError(
            f"Augmentations change images [N, H, W, C], and shift changes series [N, T, C]. Received shape "
            f"{list(images.shape)}."
        )

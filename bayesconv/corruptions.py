"""Corruptions of images and series in five severities: what a net meets when the world is not as in training.

A corruption is `corruption(images, rng, severity, *, options) -> images` of float64 `[N, H, W, C]` in [0, 1]. Series
`[N, T, C]` are images `[N, T, 1, C]` to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from bayesconv.registry import Identifier, Registry

REGISTRY = Registry("corruption", num_positional=3)
register, names, get, resolve = REGISTRY.register, REGISTRY.names, REGISTRY.get, REGISTRY.resolve
describe, options, check_options = REGISTRY.describe, REGISTRY.options, REGISTRY.check_options

SEVERITIES = (1, 2, 3, 4, 5)
MOVING = ("rotation", "translation")  # which part pixels from their classes
Array = np.ndarray[Any, Any]
Generator = np.random.Generator


def corrupt(
    images: Any,
    corruption: Identifier,
    *,
    severity: int,
    seed: int = 0,
    value_range: tuple[float, float] = (0.0, 1.0),
    series: bool = False,
) -> Array:
    """Images or series made harder to recognize, the same for the same seed.

    What is random in an image, such as the direction of a shift, is so for all severities alike: only its size differs.

    Args:
      images: `[N, H, W, C]`, or series `[N, T, C]`.
      corruption: A registered name, a mapping of a name and options, or a function.
      severity: 1 to 5.
      seed: Of what is random.
      value_range: The values of black and white; the result stays between them.
      series: These are series, and no images.

    Returns:
      float32, of the same shape. Targets that say where something is, or how it is turned, are true no longer after a
      rotation or a translation.

    Raises:
      ValueError: If the images, the severity or the range are none, or an option does not fit.

    Example:
      >>> corrupt(np.ones([2, 8, 8, 1]), "contrast", severity=5).shape
      (2, 8, 8, 1)

    References:
      Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
      ICLR 2019. arXiv:1903.12261. The kinds are theirs, the amounts are not.
    """
    x, (low, high) = np.asarray(images, np.float64), value_range
    if x.ndim != (3 if series else 4) or not len(x):
        wanted = "Series are [N, T, C]" if series else "Images are [N, H, W, C]"
        raise ValueError(f"{wanted} with N >= 1. Received shape {list(x.shape)}.")
    flat = x[:, :, np.newaxis] if series else x
    if severity not in SEVERITIES:
        raise ValueError(f"`severity` is an integer from 1 to 5. Received {severity!r}.")
    if not high > low:
        raise ValueError(f"`value_range` is the lowest and the highest value of a pixel. Received {value_range}.")
    corrupted = resolve(corruption)((flat - low) / (high - low), np.random.default_rng(seed), severity)
    return (low + (high - low) * np.clip(corrupted, 0, 1)).astype(np.float32).reshape(x.shape)


@register("gaussian_noise")
def gaussian_noise(
    images: Array, rng: Generator, severity: int, *, amounts: Sequence[float] = (0.04, 0.08, 0.12, 0.18, 0.26)
) -> Array:
    """Independent normal noise; `amounts` are its standard deviations, white minus black being 1."""
    return images + _amount(amounts, severity) * rng.standard_normal(images.shape)


@register("blur")
def blur(
    images: Array, rng: Generator, severity: int, *, amounts: Sequence[float] = (0.02, 0.03, 0.045, 0.06, 0.08)
) -> Array:
    """A Gaussian blur; `amounts` are its standard deviations as shares of the image's height and width, or length."""
    share = _amount(amounts, severity)
    sigma = (0, share * images.shape[1], share * images.shape[2], 0)
    return np.asarray(ndimage.gaussian_filter(images, sigma, mode="nearest"))


@register("contrast")
def contrast(
    images: Array, rng: Generator, severity: int, *, amounts: Sequence[float] = (0.75, 0.5, 0.35, 0.25, 0.15)
) -> Array:
    """Less contrast; `amounts` are what is left of every pixel's distance to its image's mean."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    return mean + _amount(amounts, severity) * (images - mean)


@register("rotation")
def rotation(images: Array, rng: Generator, severity: int, *, amounts: Sequence[float] = (10, 20, 35, 50, 70)) -> Array:
    """Turned clockwise or anticlockwise at random; `amounts` are angles in degrees. Black fills the corners.

    Raises:
      ValueError: If these are series.
    """
    if 1 in images.shape[1:3]:
        raise ValueError("A rotation turns images. Received series, or images of a single row; leave it out.")
    sign = rng.choice([-1, 1], len(images))
    turned = np.empty_like(images)
    for side in (-1, 1):
        angle = side * _amount(amounts, severity)
        turned[sign == side] = ndimage.rotate(
            images[sign == side], angle, axes=(2, 1), reshape=False, order=1, mode="grid-constant"
        )
    return turned


@register("translation")
def translation(
    images: Array, rng: Generator, severity: int, *, amounts: Sequence[float] = (0.05, 0.1, 0.15, 0.2, 0.25)
) -> Array:
    """Moved in a random direction; `amounts` are shares of height and width, or length. What is uncovered is black."""
    angle = rng.uniform(0, 2 * np.pi, len(images))
    ways = np.stack([np.sin(angle), np.cos(angle)], axis=1) * (np.array(images.shape[1:3]) > 1)  # one row stays a row
    ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    steps = _amount(amounts, severity) * ways * images.shape[1:3]
    moved = (ndimage.shift(x, (*s, 0), order=1, mode="grid-constant") for x, s in zip(images, steps, strict=True))
    return np.stack(list(moved))


@register("occlusion")
def occlusion(
    images: Array, rng: Generator, severity: int, *, amounts: Sequence[float] = (0.2, 0.3, 0.4, 0.5, 0.6)
) -> Array:
    """A grey rectangle at a random place; `amounts` are its sides as shares of the image's height and width.

    Its height is a whole number of pixels, and its width that which comes closest to the area: on small images, two
    severities would else cover the same.
    """
    height, width = _amount(amounts, severity) * np.array(images.shape[1:3])
    rows = max(1, round(height))
    columns = min(max(1, round(height * width / rows)), images.shape[2])
    size = np.array([rows, columns])
    corners = np.floor(rng.random((len(images), 2)) * (np.array(images.shape[1:3]) - size + 1)).astype(int)
    covered = images.copy()
    for image, (top, left) in zip(covered, corners, strict=True):
        image[top : top + size[0], left : left + size[1]] = 0.5
    return covered


def _amount(amounts: Sequence[float], severity: int) -> float:
    if len(amounts) != len(SEVERITIES):
        raise ValueError(f"`amounts` are five numbers, one a severity. Received {list(amounts)}.")
    return float(amounts[severity - 1])

"""Scans of handwritten digits turned by an angle, which is to be found."""

from __future__ import annotations

import math

import numpy as np

from bayesconv.data.handwritten import digits
from bayesconv.data.registry import Dataset, Split, register


@register("digit_rotation")
def digit_rotation(
    *,
    seed: int = 0,
    test_size: int = 360,
    validation_size: int = 287,
    max_degrees: float = 45.0,
    copies: int = 3,
    refit: bool = False,
) -> Dataset:
    """Real scans of digits, each turned by a random angle; the target is that angle in radians, from scikit-learn.

    Writers slant their digits, and a 0 looks much the same from all sides: how well an angle can be known depends on
    the image. Angles are uniform, anticlockwise, and in radians so that they are of order 1.

    Args:
      seed: Chooses the split, which is that of `digits`, and the angles.
      test_size: Number of test images.
      validation_size: Number of validation images.
      max_degrees: Largest angle in either direction, at most 180.
      copies: How often each training scan occurs, each time turned by another angle; others occur once.
      refit: Train on train and validation together, as for `digits`.

    Returns:
      The data set, with images `[N, 8, 8, 1]` in [0, 1] and angles `[N, 1]`.

    Raises:
      ValueError: If an option is out of range.

    Example:
      >>> from bayesconv import data
      >>> turned = data.digit_rotation(copies=1)
      >>> turned.train.x.shape, turned.train.y.shape, turned.class_names
      ((1150, 8, 8, 1), (1150, 1), ('angle [rad]',))
    """
    if not 0 < max_degrees <= 180:
        raise ValueError(f"`max_degrees` must be positive and at most 180. Received {max_degrees}.")
    if copies < 1:
        raise ValueError(f"`copies` of the training images must be at least 1. Received {copies}.")
    scans = digits(seed=seed, test_size=test_size, validation_size=validation_size, refit=refit)
    parts = [
        _turned(np.tile(part.x, (count, 1, 1, 1)), max_degrees, np.random.default_rng([seed, index]))
        for index, (part, count) in enumerate(((scans.train, copies), (scans.validation, 1), (scans.test, 1)))
    ]
    train, validation, test = parts
    return Dataset(
        "digit_rotation",
        train,
        validation,
        test,
        1,
        ("angle [rad]",),
        validation_held_out=not refit,
        task="regression",
    )


def _turned(images: np.ndarray, max_degrees: float, generator: np.random.Generator) -> Split:
    from scipy import ndimage

    degrees = generator.uniform(-max_degrees, max_degrees, size=len(images))
    options = {"axes": (1, 0), "reshape": False, "order": 1, "mode": "grid-constant", "cval": 0.0}
    turned = np.stack([ndimage.rotate(image, angle, **options) for image, angle in zip(images, degrees, strict=True)])
    return Split(turned.astype(np.float32), (degrees * math.pi / 180).astype(np.float32)[:, np.newaxis])

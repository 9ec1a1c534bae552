"""Scans of handwritten digits."""

from __future__ import annotations

import numpy as np

from bayesconv.data.division import divide
from bayesconv.data.registry import Dataset, Split, register


@register("digits")
def digits(*, seed: int = 0, test_size: int = 360, validation_size: int = 287, refit: bool = False) -> Dataset:
    """1797 real scans of handwritten digits, 8x8 pixels in [0, 1], from scikit-learn.

    Args:
      seed: Chooses the split, which is stratified by class.
      test_size: Number of test images.
      validation_size: Number of validation images.
      refit: Train on train and validation together. The test images stay the same; the validation split is then
        only for monitoring, nothing may be chosen on it.

    Raises:
      ValueError: If the sizes leave a part with less than one image of each class.

    Example:
      >>> from bayesconv import data
      >>> [len(part.y) for part in data.digits()[1:4]]
      [1150, 287, 360]
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / 16).astype(np.float32)[..., np.newaxis]
    rest, test = divide(Split(images, bunch.target.astype(np.int64)), test_size, seed)
    train, validation = divide(rest, validation_size, seed)
    class_names = tuple(str(digit) for digit in range(10))
    return Dataset("digits", rest if refit else train, validation, test, 10, class_names, validation_held_out=not refit)

"""Images and series from another distribution than a data set's."""

from __future__ import annotations

import numpy as np

from bayesconv import user_arrays
from bayesconv.data.registry import OOD, Array, Dataset


@OOD.register("photo_patches")
def photo_patches(dataset: Dataset, *, count: int = 360, seed: int = 0) -> Array:
    """Grey patches of two photographs, each stretched to the data set's range of values.

    Args:
      dataset: Gives the patches' size and range.
      count: Number of patches, M.
      seed: Chooses where they are cut.

    Returns:
      `[M, H, W, C]`.

    Raises:
      ValueError: If the photographs are smaller than the data set's images, or `count` is not positive.
    """
    from sklearn.datasets import load_sample_images

    _check_rank("photo_patches", dataset, 3)
    height, width, channels = dataset.input_shape
    photos = [photo.mean(axis=-1) for photo in load_sample_images().images]
    rows, columns = photos[0].shape
    if height > rows or width > columns or count < 1:
        raise ValueError(
            f"Photo patches need count >= 1 and images of at most {rows}x{columns}, the size of the photographs. "
            f"Received count={count} and {height}x{width}; leave 'photo_patches' out of evaluation.ood."
        )
    generator = np.random.default_rng(seed)
    tops, lefts = generator.integers(rows - height + 1, size=count), generator.integers(columns - width + 1, size=count)
    chosen = zip(generator.integers(len(photos), size=count), tops, lefts, strict=True)
    patches = np.stack([photos[i][top : top + height, left : left + width] for i, top, left in chosen])
    stretched = _stretch(patches, *dataset.value_range)
    return np.repeat(stretched[..., np.newaxis], channels, axis=-1).astype(np.float32)


@OOD.register("rotated")
def rotated(dataset: Dataset, *, degrees: float = 90) -> Array:
    """The test images, turned anticlockwise.

    Args:
      dataset: Its test images are turned.
      degrees: The angle. Multiples of 90 move pixels; other angles, and images that are not square, interpolate
        linearly, cut the corners off and fill with the smallest value.

    Returns:
      `[M, H, W, C]`.
    """
    from scipy import ndimage

    _check_rank("rotated", dataset, 3)
    images = dataset.test.x
    turns, remainder = divmod(degrees, 90)
    if remainder == 0 and (images.shape[1] == images.shape[2] or turns % 2 == 0):
        return np.ascontiguousarray(np.rot90(images, int(turns), axes=(1, 2)))
    low, _ = dataset.value_range
    return ndimage.rotate(images, degrees, axes=(2, 1), reshape=False, order=1, mode="grid-constant", cval=low)


@OOD.register("time_reversed")
def time_reversed(dataset: Dataset) -> Array:
    """The test series, running backwards.

    Returns:
      `[M, T, C]`.

    Raises:
      ValueError: If the data are no series.
    """
    _check_rank("time_reversed", dataset, 2)
    return np.ascontiguousarray(dataset.test.x[:, ::-1])


@OOD.register("inverted")
def inverted(dataset: Dataset) -> Array:
    """The test images with light and dark exchanged.

    Of series and tables, small and large values are.

    Returns:
      `[M, H, W, C]`, or as the data are.
    """
    low, high = dataset.value_range
    return (low + high - dataset.test.x).astype(np.float32)


def _stretch(patches: Array, low: float, high: float) -> Array:
    smallest, largest = patches.min(axis=(1, 2), keepdims=True), patches.max(axis=(1, 2), keepdims=True)
    spread = np.where(largest > smallest, largest - smallest, 1.0)  # a flat patch stays flat
    return low + (high - low) * (patches - smallest) / spread


def _check_rank(name: str, dataset: Dataset, rank: int) -> None:
    if (received := len(dataset.input_shape)) != rank:
        raise ValueError(
            f"{name!r} is made of {user_arrays.kind_of(rank)}. Received the {user_arrays.kind_of(received)} of "
            f"{dataset.name!r}; take 'inverted', a file of your own by 'npz', or none."
        )

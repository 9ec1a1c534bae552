"""A user's own images or rows: labelled ones to judge a trained model by, and ones that are meant to look strange."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bayesconv import image_files, user_arrays
from bayesconv.data.real_targets import as_targets
from bayesconv.data.registry import OOD, Array, Dataset, Split

_PAIRS = (("x", "y"), ("images", "labels"), ("x_test", "y_test"))


def read_labelled(path: str | Path, dataset: Dataset) -> Split:
    """Images, or rows of a table, and labels of an .npz file, like those of a data set.

    Args:
      path: The file, with `x` and `y`, `images` and `labels`, or `x_test` and `y_test`. The images follow the rules of
        `image_files.read_images`. Labels are as `Split` has them: classes counted from 0, one an image or one a pixel,
        or real numbers.
      dataset: Gives the images' size and range, and the task.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it cannot be read, or images or labels are not like those of the data set.
    """
    path = image_files.existing_file(path)
    arrays = image_files.read_npz(path)
    for x, y in _PAIRS:
        if x in arrays and y in arrays:
            images = image_files.images_like(arrays[x], path, dataset.input_shape, dataset.value_range)
            return Split(images, _LABELS[dataset.task](arrays[y], f"{path}: {y}", images, dataset))
    pairs = ", ".join(f"`{x}` and `{y}`" for x, y in _PAIRS)
    raise ValueError(f"{path} must hold images and their labels: {pairs}. It has {sorted(arrays)}.")


def _classes(array: Array, what: str, images: Array, dataset: Dataset) -> Array:
    labels = user_arrays.as_labels(array, what, length=len(images))
    _check_known(labels, what, dataset)
    return labels


def _classes_of_pixels(array: Array, what: str, images: Array, dataset: Dataset) -> Array:
    if array.shape != images.shape[:3] or not np.issubdtype(array.dtype, np.integer):
        expected, received = list(images.shape[:3]), list(array.shape)
        raise ValueError(f"{what} must be integers {expected}, one a pixel. Received {array.dtype} {received}.")
    _check_known(array[array != dataset.ignored_label], what, dataset)
    return array.astype(np.int64)


def _real_numbers(array: Array, what: str, images: Array, dataset: Dataset) -> Array:
    return as_targets(array, what, length=len(images), num_targets=dataset.num_classes)


_LABELS = {"classification": _classes, "segmentation": _classes_of_pixels, "regression": _real_numbers}


def _check_known(labels: Array, what: str, dataset: Dataset) -> None:
    if labels.size and (labels.min() < 0 or labels.max() >= dataset.num_classes):
        raise ValueError(
            f"{what} must have labels of the {dataset.num_classes} classes that the model knows, from 0 to "
            f"{dataset.num_classes - 1}. Received {labels.min()} to {labels.max()}; images of other classes are what "
            "evaluation.ood is for."
        )


@OOD.register("npz")
def strange_images(dataset: Dataset, *, path: str) -> Array:
    """Your own images from a file, which need no labels.

    Args:
      dataset: Gives the images' size and range.
      path: An `.npz` archive with `x` or `images`, a `.npy` array, or a picture. uint8 is divided by 255 and float left
        as it is, see `image_files.read_images`.

    Returns:
      `[M, H, W, C]`.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it cannot be read, or shape, type or values are not those of the training images.
    """
    return np.asarray(image_files.read_images(path, dataset.input_shape, dataset.value_range))

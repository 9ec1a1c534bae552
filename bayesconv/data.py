"""Images with labels: registered data sets, split once, and sets that come from another distribution.

Every image is float32 `[N, H, W, C]`. Images stored as uint8 are divided by 255; float images are left as they are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bayesconv import image_files
from bayesconv.registry import Registry

Array = np.ndarray[Any, Any]

datasets = Registry("dataset")
register, names, get, resolve = datasets.register, datasets.names, datasets.get, datasets.resolve
describe, options, check_options = datasets.describe, datasets.options, datasets.check_options

ood = Registry("out-of-distribution set")

_KEYS = ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test")


class Split(NamedTuple):
    """Images and their labels.

    Attributes:
      x: float32 `[N, H, W, C]`.
      y: int64 `[N]`, classes counted from 0.
    """

    x: Array
    y: Array


class Dataset(NamedTuple):
    """A labelled set of images in three parts.

    Attributes:
      name: The name it is registered under.
      train: What a model is fitted to.
      validation: What hyperparameters and the best epoch are chosen on.
      test: What results are reported on.
      num_classes: Number of classes, K.
      class_names: One string a class.
      validation_held_out: False if `train` contains the validation images, which are then good for monitoring only.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    class_names: tuple[str, ...]
    validation_held_out: bool = True

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return self.train.x.shape[1:]

    @property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest pixel of the training images."""
        return float(self.train.x.min()), float(self.train.x.max())


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
    rest, test = _divide(Split(images, bunch.target.astype(np.int64)), test_size, seed)
    train, validation = _divide(rest, validation_size, seed)
    class_names = tuple(str(digit) for digit in range(10))
    return Dataset("digits", rest if refit else train, validation, test, 10, class_names, validation_held_out=not refit)


@register("npz")
def npz(*, path: str, validation_fraction: float = 0.1, seed: int = 0) -> Dataset:
    """Your own images from an .npz file with x_train, y_train, x_test and y_test.

    Args:
      path: The file. Images are `[N, H, W]` or `[N, H, W, C]`, uint8 (then divided by 255) or float (left as they
        are); labels are integers `[N]` counted from 0. `x_validation` and `y_validation` are optional. Nothing is
        ever unpickled.
      validation_fraction: Share of the training images held out, stratified by class, if the file has no validation.
      seed: Chooses those images.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is not an .npz archive or its arrays do not fit the rules above.
    """
    arrays = image_files.read_npz(path)
    _check_keys(set(arrays), path)
    parts = [part for part in ("train", "validation", "test") if f"x_{part}" in arrays]
    splits = {part: _as_split(arrays[f"x_{part}"], arrays[f"y_{part}"], f"{path}: ", f"_{part}") for part in parts}
    types = {f"x_{part}": str(arrays[f"x_{part}"].dtype) for part in parts}
    if len({dtype == "uint8" for dtype in types.values()}) > 1:
        raise ValueError(
            f"{path} must have all images as uint8, divided by 255 here, or all as float, left as they are. "
            f"Received {types}; bring them to one type and scale."
        )
    return _assemble("npz", splits, validation_fraction, seed)


@register("idx")
def idx(*, path: str, validation_fraction: float = 0.1, seed: int = 0) -> Dataset:
    """MNIST or Fashion-MNIST from a folder of IDX files, gzipped or not.

    Args:
      path: The folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
        `t10k-labels-idx1-ubyte`, each with or without `.gz`. Pixels are divided by 255.
      validation_fraction: Share of the training images held out, stratified by class.
      seed: Chooses those images.

    Raises:
      FileNotFoundError: If a file is missing.
      ValueError: If a file is damaged or is not what its name says.
    """
    splits = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images = image_files.read_idx(path, prefix, "images-idx3-ubyte")
        labels = image_files.read_idx(path, prefix, "labels-idx1-ubyte")
        splits[part] = _as_split(images, labels, f"{path}: ", f"_{part}")
    return _assemble("idx", splits, validation_fraction, seed)


@ood.register("photo_patches")
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


@ood.register("rotated")
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

    images = dataset.test.x
    turns, remainder = divmod(degrees, 90)
    if remainder == 0 and (images.shape[1] == images.shape[2] or turns % 2 == 0):
        return np.ascontiguousarray(np.rot90(images, int(turns), axes=(1, 2)))
    low, _ = dataset.value_range
    return ndimage.rotate(images, degrees, axes=(2, 1), reshape=False, order=1, mode="grid-constant", cval=low)


@ood.register("inverted")
def inverted(dataset: Dataset) -> Array:
    """The test images with light and dark exchanged.

    Returns:
      `[M, H, W, C]`.
    """
    low, high = dataset.value_range
    return (low + high - dataset.test.x).astype(np.float32)


def _stretch(patches: Array, low: float, high: float) -> Array:
    smallest, largest = patches.min(axis=(1, 2), keepdims=True), patches.max(axis=(1, 2), keepdims=True)
    spread = np.where(largest > smallest, largest - smallest, 1.0)  # a flat patch stays flat
    return low + (high - low) * (patches - smallest) / spread


def _check_keys(keys: set[str], path: str) -> None:
    required = set(_KEYS) if keys & {"x_validation", "y_validation"} else {k for k in _KEYS if "validation" not in k}
    unknown = {key for key in keys if key.startswith(("x_", "y_"))} - set(_KEYS)
    if missing := sorted(required - keys):
        raise ValueError(f"{path} must hold the arrays {sorted(required)}. It has {sorted(keys)}; add {missing}.")
    if unknown:
        raise ValueError(f"{path} must name its arrays {list(_KEYS)}. Received also {sorted(unknown)}; rename them.")


def _as_split(images: Array, labels: Array, before: str, after: str) -> Split:
    x = image_files.as_images(images, f"{before}x{after}")
    return Split(x, image_files.as_labels(labels, f"{before}y{after}", length=len(x)))


def _assemble(name: str, splits: dict[str, Split], fraction: float, seed: int) -> Dataset:
    num_classes = _check_agreement(splits)
    train, validation = splits["train"], splits.get("validation")
    if validation is None:
        if not 0 < fraction < 1:
            raise ValueError(f"`validation_fraction` must lie between 0 and 1. Received {fraction}.")
        train, validation = _divide(train, max(round(fraction * len(train.y)), num_classes), seed)
    class_names = tuple(str(label) for label in range(num_classes))
    return Dataset(name, train, validation, splits["test"], num_classes, class_names)


def _check_agreement(splits: dict[str, Split]) -> int:
    """Number of classes, once every part is known to agree with the training part."""
    train = splits["train"]
    classes = np.unique(train.y)
    if len(classes) < 2 or classes[-1] != len(classes) - 1:
        raise ValueError(
            f"y_train must hold every class 0, 1, ..., K-1 with K >= 2. Received the classes {_some(classes)}; "
            f"renumber them, e.g. with numpy.unique(y, return_inverse=True)."
        )
    for part, split in splits.items():
        if split.x.shape[1:] != train.x.shape[1:]:
            raise ValueError(
                f"All images must have one shape. Received {train.x.shape[1:]} in x_train and "
                f"{split.x.shape[1:]} in x_{part}."
            )
        if split.y.max() >= len(classes):
            raise ValueError(
                f"y_{part} must only hold classes of y_train, 0 to {len(classes) - 1}. Received {split.y.max()}; "
                f"add training images of that class or leave it out."
            )
    return len(classes)


def _some(values: Array) -> str:
    return f"{values.tolist()}" if len(values) <= 12 else f"{values[:11].tolist()} and {len(values) - 11} more"


def _divide(split: Split, size: int, seed: int) -> tuple[Split, Split]:
    """All but `size` images, and these, both with the classes in proportion."""
    from sklearn.model_selection import train_test_split

    counts = np.bincount(split.y)
    if counts.min() < 2 or not len(counts) <= size <= len(split.y) - len(counts):
        raise ValueError(
            f"A stratified split needs at least 2 images of each class and {len(counts)} images in either part. "
            f"Received {size} of {len(split.y)} images to hold out, with {counts.min()} in the smallest class; "
            f"change the size or supply the parts ready-made."
        )
    x, x_held, y, y_held = train_test_split(*split, test_size=size, stratify=split.y, random_state=seed)
    return Split(x, y), Split(x_held, y_held)

"""A user's own images, series or tables, from an .npz archive or a folder of IDX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayesconv import image_files, user_arrays
from bayesconv.data.division import with_validation
from bayesconv.data.idx_files import read_idx
from bayesconv.data.masks import are_masks, as_masks, segmentation
from bayesconv.data.real_targets import are_real, as_targets, regression
from bayesconv.data.registry import Array, Dataset, Split, register

_OF_EVERY_STEP = (
    "{} must be one class, or real numbers, a series. Received labels of every step; cut windows that have one label."
)
_KEYS = ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test")


@register("npz")
def npz(
    *,
    path: str,
    validation_fraction: float = 0.1,
    seed: int = 0,
    ignored_label: int | None = None,
    series: bool = False,
) -> Dataset:
    """Your own images, series or tables from an .npz file with x_train, y_train, x_test and y_test.

    Args:
      path: The file. Images are `[N, H, W]` or `[N, H, W, C]`, rows of a table `[N, D]`, uint8 (then divided by 255) or
        float (left as they are, so standardize the columns of a table); labels are integers counted from 0, `[N]`, or
        `[N, H, W]` for one class a pixel; float labels, `[N]` or `[N, T]`, are real numbers to predict. `x_validation`
        and `y_validation` are optional, and so is `weights_train`, `[N]`: what each training example counts in the
        loss, see `bayesconv.weighting`. Nothing is ever unpickled.
      validation_fraction: Share of the training images held out if the file has no validation, stratified by class
        where an image has one.
      seed: Chooses those images.
      ignored_label: A label of pixels that do not count, 255 in many data sets; None if there is none.
      series: Inputs are series `[N, T]` or `[N, T, C]`, T steps in time of C channels, such as sensors, and no images.
        Bring the channels to one scale.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is not an .npz archive or its arrays do not fit the rules above.
    """
    arrays = image_files.read_npz(path)
    _check_keys(set(arrays), path)
    parts = [part for part in ("train", "validation", "test") if f"x_{part}" in arrays]
    is_masked, is_real = are_masks(arrays["y_train"]), are_real(arrays["y_train"])
    as_split = _as_masked_split if is_masked else _as_real_split if is_real else _as_split
    splits = {
        part: as_split(arrays[f"x_{part}"], arrays[f"y_{part}"], f"{path}: ", f"_{part}", series=series)
        for part in parts
    }
    _check_types(arrays, parts, path, is_real=is_real)
    user_arrays.warn_of_dark(arrays["x_train"], f"{path}: x_train")
    weights = _weights(arrays, len(splits["train"].y), path)
    if is_masked:
        _check_shapes(splits)
        return segmentation("npz", splits, _checked(validation_fraction), seed, ignored_label, weights)
    if ignored_label is not None:
        raise ValueError(
            "`ignored_label` is for one class a pixel, labels [N, H, W]. "
            f"Received {ignored_label} with labels of shape {list(arrays['y_train'].shape)}; leave it out."
        )
    if is_real:
        _check_shapes(splits)
        return regression("npz", splits, _checked(validation_fraction), seed, weights)
    return _assemble("npz", splits, validation_fraction, seed, weights)


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
        images = read_idx(path, prefix, "images-idx3-ubyte")
        labels = read_idx(path, prefix, "labels-idx1-ubyte")
        splits[part] = _as_split(images, labels, f"{path}: ", f"_{part}")
    return _assemble("idx", splits, validation_fraction, seed)


def _check_keys(keys: set[str], path: str) -> None:
    required = set(_KEYS) if keys & {"x_validation", "y_validation"} else {k for k in _KEYS if "validation" not in k}
    unknown = {key for key in keys if key.startswith(("x_", "y_", "weights"))} - {*_KEYS, "weights_train"}
    if missing := sorted(required - keys):
        raise ValueError(f"{path} must hold the arrays {sorted(required)}. It has {sorted(keys)}; add {missing}.")
    if unknown:
        names = [*_KEYS, "weights_train"]
        raise ValueError(f"{path} must name its arrays {names}. Received also {sorted(unknown)}; rename them.")


def _check_types(arrays: Mapping[str, Array], parts: Sequence[str], path: str, *, is_real: bool) -> None:
    types = {f"x_{part}": str(arrays[f"x_{part}"].dtype) for part in parts}
    if len({dtype == "uint8" for dtype in types.values()}) > 1:
        raise ValueError(
            f"{path} must have all images as uint8, divided by 255 here, or all as float, left as they are. "
            f"Received {types}; bring them to one type and scale."
        )
    if is_real and not all(are_real(arrays[f"y_{part}"]) for part in parts):
        types = {f"y_{part}": str(arrays[f"y_{part}"].dtype) for part in parts}
        raise ValueError(
            f"{path} must have all labels as integers, which are classes, or all as float, which are real numbers to "
            f"predict. Received {types}; bring them to one type."
        )


def _as_split(images: Array, labels: Array, before: str, after: str, *, series: bool = False) -> Split:
    x = user_arrays.as_inputs(images, f"{before}x{after}", series=series)
    if series and labels.shape[:2] == x.shape[:2] and labels.size > len(x):
        raise ValueError(_OF_EVERY_STEP.format(f"{before}y{after}"))
    return Split(x, user_arrays.as_labels(labels, f"{before}y{after}", length=len(x)))


def _as_masked_split(images: Array, masks: Array, before: str, after: str, *, series: bool = False) -> Split:
    if series:
        raise ValueError(_OF_EVERY_STEP.format(f"{before}y{after}"))
    x = user_arrays.as_inputs(images, f"{before}x{after}")
    return Split(x, as_masks(masks, f"{before}y{after}", shape=x.shape[:3]))


def _as_real_split(inputs: Array, targets: Array, before: str, after: str, *, series: bool = False) -> Split:
    x = user_arrays.as_inputs(inputs, f"{before}x{after}", series=series)
    return Split(x, as_targets(targets, f"{before}y{after}", length=len(x)))


def _checked(fraction: float) -> float:
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_fraction` must lie between 0 and 1. Received {fraction}.")
    return fraction


def _weights(arrays: Mapping[str, Array], num_examples: int, path: str) -> Array | None:
    if (weights := arrays.get("weights_train")) is None:
        return None
    rule = f"{path}: weights_train must be {num_examples} numbers from 0 up, one for each of x_train. Received "
    if weights.shape != (num_examples,) or not (np.issubdtype(weights.dtype, np.number) and np.isrealobj(weights)):
        raise ValueError(f"{rule}{weights.dtype} of shape {list(weights.shape)}.")
    if wrong := int((~np.isfinite(weights) | (weights < 0)).sum()):
        raise ValueError(f"{rule}{wrong} that are negative or not finite.")
    if not weights.any():
        raise ValueError(f"{rule}zeros only.")
    return weights.astype(np.float32)


def _assemble(name: str, splits: dict[str, Split], fraction: float, seed: int, weights: Array | None = None) -> Dataset:
    num_classes = _check_agreement(splits)
    train, validation, test, weights = with_validation(splits, weights, _checked(fraction), seed, stratified=True)
    class_names = tuple(str(label) for label in range(num_classes))
    return Dataset(name, train, validation, test, num_classes, class_names, train_weights=weights)


def _check_agreement(splits: dict[str, Split]) -> int:
    """Number of classes, once every part is known to agree with the training part."""
    train = splits["train"]
    classes = np.unique(train.y)
    if len(classes) < 2 or classes[-1] != len(classes) - 1:
        raise ValueError(
            f"y_train must hold every class 0, 1, ..., K-1 with K >= 2. Received the classes {_some(classes)}; "
            f"renumber them, e.g. with numpy.unique(y, return_inverse=True)."
        )
    _check_shapes(splits)
    for part, split in splits.items():
        if split.y.max() >= len(classes):
            raise ValueError(
                f"y_{part} must only hold classes of y_train, 0 to {len(classes) - 1}. Received {split.y.max()}; "
                f"add training images of that class or leave it out."
            )
    return len(classes)


def _check_shapes(splits: dict[str, Split]) -> None:
    train = splits["train"]
    for part, split in splits.items():
        if split.x.shape[1:] != train.x.shape[1:]:
            raise ValueError(
                f"All images, series or rows must have one shape. Received {train.x.shape[1:]} in x_train and "
                f"{split.x.shape[1:]} in x_{part}."
            )


def _some(values: Array) -> str:
    return f"{values.tolist()}" if len(values) <= 12 else f"{values[:11].tolist()} and {len(values) - 11} more"

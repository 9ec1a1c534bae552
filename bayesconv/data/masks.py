"""A user's own images with one class a pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayesconv.data.division import with_validation
from bayesconv.data.registry import Array, Dataset, Split


def are_masks(labels: Array) -> bool:
    """Whether labels are integers `[N, H, W]` or `[N, H, W, 1]`, one a pixel."""
    return np.issubdtype(labels.dtype, np.integer) and (labels.ndim == 3 or (labels.ndim == 4 and labels.shape[3] == 1))


def as_masks(labels: Array, what: str, *, shape: Sequence[int]) -> Array:
    """Classes of pixels as models read them, int64 `[N, H, W]`.

    Args:
      labels: Integers `[N, H, W]` or `[N, H, W, 1]`.
      what: What the array is, for error messages.
      shape: `[N, H, W]` of the images they belong to.

    Raises:
      ValueError: If type or shape differ, or a label is negative.
    """
    if not are_masks(labels) or labels.shape[:3] != tuple(shape):
        raise ValueError(
            f"{what} must be integers of shape {list(shape)}, one a pixel of the images, as all labels or none are. "
            f"Received {labels.dtype} of shape {list(labels.shape)}."
        )
    if labels.min() < 0:
        raise ValueError(f"{what} must count classes from 0. Received the label {labels.min()}; renumber the classes.")
    return labels.reshape(shape).astype(np.int64)


def segmentation(
    name: str,
    splits: Mapping[str, Split],
    fraction: float,
    seed: int,
    ignored_label: int | None,
    weights: Array | None = None,
) -> Dataset:
    """The data set of such parts; if there is no validation part, some training images are held out, at random.

    Raises:
      ValueError: If the training part lacks a class, or no image would be left there.
    """
    num_classes = _check_classes(splits, ignored_label)
    train, validation, test, weights = with_validation(splits, weights, fraction, seed, stratified=False)
    class_names = tuple(str(label) for label in range(num_classes))
    return Dataset(
        name,
        train,
        validation,
        test,
        num_classes,
        class_names,
        task="segmentation",
        ignored_label=ignored_label,
        train_weights=weights,
    )


def _check_classes(splits: Mapping[str, Split], ignored_label: int | None) -> int:
    """Number of classes, once every part is known to agree with the training part."""
    ignored = [] if ignored_label is None else [ignored_label]
    classes = {part: np.setdiff1d(split.y, ignored) for part, split in splits.items()}
    count = len(classes["train"])
    if count < 2 or classes["train"][-1] != count - 1:
        raise ValueError(
            "The pixels of y_train must have every class 0, 1, ..., K-1 with K >= 2. Received the classes "
            f"{classes['train'][:12].tolist()}, {count} in all, the largest {classes['train'].max(initial=0)}; "
            "renumber them, and give `ignored_label` if one stands for pixels that do not count."
        )
    for part, found in classes.items():
        if found.max(initial=0) >= count:
            raise ValueError(
                f"y_{part} must only hold classes of y_train, 0 to {count - 1}. Received {found[-1]}; add training "
                "images with that class, or give `ignored_label`."
            )
    return count

"""What a user's arrays must be: images, series, rows of a table, and labels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_DARK = 8  # uint8 whose largest value is that many times below the training images' was not meant to end at 255
_KINDS = {1: ("rows", "rows [N, D]"), 2: ("series", "series [N, T] or [N, T, C]"), 3: ("images", "images [N, H, W, C]")}


def kind_of(rank: int) -> str:
    """What examples of so many axes are called: rows, series or images.

    Example:
      >>> [kind_of(rank) for rank in (1, 2, 3)]
      ['rows', 'series', 'images']
    """
    return _KINDS[rank][0] if rank in _KINDS else "examples"


def as_inputs(array: Array, what: str, *, series: bool = False) -> Array:
    """Examples as models read them, float32: images `[N, H, W, C]`, rows of a table `[N, D]` or series `[N, T, C]`.

    Args:
      array: `[N, H, W]`, `[N, H, W, C]` or `[N, D]`; for series `[N, T]` or `[N, T, C]`. uint8 (divided by 255) or
        float (left as they are).
      what: What the array is, for error messages.
      series: T steps in time of C channels, and no images.

    Raises:
      ValueError: If the type, rank, size or a number is not as described.

    Example:
      >>> float(as_inputs(np.full([1, 2, 2], 255, np.uint8), "x").max())
      1.0
      >>> as_inputs(np.zeros([5, 100]), "x", series=True).shape
      (5, 100, 1)
    """
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"{what} must be uint8 (0 to 255, divided by 255 here) or float. Received {array.dtype}; "
            f"convert with .astype('uint8') or scale and convert with .astype('float32')."
        )
    if array.ndim not in ((2, 3) if series else (2, 3, 4)) or array.size == 0:
        wanted = _KINDS[2][1] if series else "images [N, H, W] or [N, H, W, C], or rows [N, D],"
        raise ValueError(f"{what} must be {wanted} and not empty. Received shape {array.shape}.")
    examples = _finite(array, what, "series" if series else "images" if array.ndim > 2 else "rows")
    if array.dtype == np.uint8:
        examples /= 255
    return examples[..., np.newaxis] if examples.ndim == (2 if series else 3) else examples


def _finite(array: Array, what: str, kind: str) -> Array:
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, which is reported next
        examples = array.astype(np.float32)
    if not np.isfinite(examples).all():
        wrong = int((~np.isfinite(examples)).any(axis=tuple(range(1, examples.ndim))).sum())
        raise ValueError(
            f"{what} must be finite float32 numbers. Received NaN or infinite ones in {wrong} {kind}; remove or fill "
            "them."
        )
    return examples


def warn_of_dark(array: Array, what: str, *, brightest: float = 1.0) -> None:
    """Warns of uint8 that does not seem to be of the scale 0 to 255, by which it is read.

    Args:
      array: As it was read.
      what: What the array is, for the warning.
      brightest: The largest value of the training images, after the division by 255.
    """
    if array.dtype == np.uint8 and 0 < array.max() / 255 < brightest / _DARK:
        warnings.warn(
            f"{what} is uint8, which is divided by 255, and its largest value is {array.max()}. If its scale ends "
            f"there, divide it yourself: x.astype('float32') / {array.max()}.",
            stacklevel=3,
        )


def as_labels(array: Array, what: str, *, length: int) -> Array:
    """Labels as models read them, int64 `[N]`.

    Args:
      array: Integers `[N]`, or `[N, 1]` as some of Keras' sets have them.
      what: What the array is, for error messages.
      length: Number of images they belong to.

    Raises:
      ValueError: If the type, rank or length differs or a label is negative.
    """
    labels = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1:
        raise ValueError(
            f"{what} must be integers of shape [N]. Received {array.dtype} of shape {array.shape}; "
            f"convert class numbers with .astype('int64') and one-hot rows with .argmax(-1)."
        )
    if len(labels) != length:
        raise ValueError(f"{what} must have one label an image. Received {len(labels)} labels for {length} images.")
    if labels.min() < 0:
        raise ValueError(f"{what} must count classes from 0. Received the label {labels.min()}; renumber the classes.")
    return labels.astype(np.int64)

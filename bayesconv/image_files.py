"""Images, rows of tables and labels read from files and checked: whatever is wrong with them is one ValueError."""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Pillow's modes for pictures whose pixels are read as they are; JPEG's YCbCr is RGB by then.
_PICTURE_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "I;16", "I;16L", "I;16B"}
_DARK = 8  # uint8 whose largest value is that many times below the training images' was not meant to end at 255


def read_npz(path: str | Path) -> dict[str, Array]:
    """All arrays of an .npz file; nothing is ever unpickled.

    Args:
      path: The file.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is not an .npz archive, is damaged or holds Python objects.
    """
    path = existing_file(path)
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} must be an .npz archive, as numpy.savez writes it. It is none, or it is cut short.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: np.asarray(archive[key]) for key in archive.files}
    except (ValueError, KeyError, EOFError, OSError, struct.error, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} must hold plain numeric arrays. Reading it failed ({error}); write it again with numpy.savez."
        ) from error


def read_images(path: str | Path, input_shape: Sequence[int], value_range: Sequence[float]) -> Array:
    """Images, or rows of a table, to predict, on the scale of those that a model was trained on.

    Args:
      path: A `.npy` array, an `.npz` archive with `x` or `images`, or a picture such as PNG or JPEG. Arrays are
        `[N, H, W, C]`, `[N, H, W]`, or one image `[H, W, C]` or `[H, W]`; of a table `[N, D]`, or one row `[D]`. uint8
        is divided by 255 and float left as it is, so bring floats to the scale of the training images: scikit-learn's
        digits, 0 to 16, want a division by 16. A picture is turned grey or colourful as the model needs it, and never
        resized.
      input_shape: `[H, W, C]` of the training images, or `[D]` of the training rows.
      value_range: Their smallest and largest value.

    Returns:
      float32 `[N, H, W, C]` or `[N, D]`.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it cannot be read, or shape, type or values are not those of the training images.
    """
    path, input_shape = existing_file(path), tuple(input_shape)
    if path.suffix == ".npy":
        array = _read_npy(path)
    elif path.suffix == ".npz":
        array = _images_of(read_npz(path), path)
    elif len(input_shape) == 1:
        raise ValueError(f"{path} must be rows of a table, a .npy array or an .npz archive with `x`. Received neither.")
    else:
        array = _read_picture(path, input_shape[-1])
    return images_like(array, path, input_shape, value_range)


def images_like(array: Array, path: Path, input_shape: Sequence[int], value_range: Sequence[float]) -> Array:
    """An array that was read from a file, as `read_images` returns it.

    Raises:
      ValueError: If shape, type or values are not those of the training images.
    """
    input_shape = tuple(input_shape)
    array = _batched(array, input_shape)
    if array.shape[1:] != input_shape:
        is_table = len(input_shape) == 1
        what, remedy = ("rows", "take the same columns") if is_table else ("images", "crop or resize them first")
        raise ValueError(
            f"{path} must hold {what} [N, {', '.join(map(str, input_shape))}], like those of training. "
            f"Received shape {array.shape}; {remedy}."
        )
    images = as_inputs(array, str(path))
    _check_scale(images, array.dtype, value_range, path)
    if path.suffix in (".npy", ".npz"):  # a picture may be dark, its scale is known
        warn_of_dark(array, str(path), brightest=value_range[1])
    return images


def _read_npy(path: Path) -> Array:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{path} must be a plain numeric array, as numpy.save writes it. Reading failed: {error}"
        ) from error


def _images_of(arrays: dict[str, Array], path: Path) -> Array:
    for key in ("x", "images"):
        if key in arrays:
            return arrays[key]
    raise ValueError(f"{path} must hold an array `x` or `images`. It has {sorted(arrays)}.")


def _read_picture(path: Path, channels: int) -> Array:
    picture = _pixels(path)
    if np.issubdtype(picture.dtype, np.unsignedinteger):
        scaled = picture / np.iinfo(picture.dtype).max
    elif np.issubdtype(picture.dtype, np.floating) and np.all((picture >= 0) & (picture <= 1)):  # NaN is neither
        scaled = picture
    else:
        raise ValueError(
            f"{path} must have pixels of unsigned integers, or floats from 0 to 1. Received {picture.dtype} from "
            f"{picture.min()} to {picture.max()}; scale them, or save them as .npy."
        )
    # A fourth channel is opacity. The weights of grey are those of ITU-R BT.601.
    colours = scaled[..., :3] if scaled.ndim == 3 else np.stack(3 * [scaled], axis=-1)
    shown = colours @ np.array([[0.299], [0.587], [0.114]]) if channels == 1 else colours
    return np.round(255 * shown[np.newaxis]).astype(np.uint8)


def _pixels(path: Path) -> Array:
    from matplotlib import image
    from PIL import Image

    try:
        with Image.open(path) as opened:
            mode, is_png = opened.mode, opened.format == "PNG"
            if mode == "F":
                return np.asarray(opened)
        picture = image.imread(path) if is_png or mode in _PICTURE_MODES else None
    except (OSError, ValueError, SyntaxError) as error:  # PNG readers raise SyntaxError for a broken file
        raise ValueError(f"{path} must be .npy, .npz or a picture such as PNG. It cannot be read: {error}") from error
    if picture is None:
        raise ValueError(
            f"{path} must be a picture in grey or in red, green and blue. Received the mode {mode!r}, which cannot be "
            f"read without loss; convert it to PNG, or save its pixels as .npy."
        )
    return picture


def _batched(array: Array, input_shape: tuple[int, ...]) -> Array:
    if array.shape == input_shape:
        return array[np.newaxis]
    grey = len(input_shape) == 3 and input_shape[-1] == 1
    if grey and array.shape == input_shape[:2]:
        return array[np.newaxis, ..., np.newaxis]
    return array[..., np.newaxis] if grey and array.ndim == 3 else array


def _check_scale(images: Array, dtype: Any, value_range: Sequence[float], path: Path) -> None:
    low, high = value_range
    if dtype == np.uint8 and not 0 <= low <= high <= 1:
        raise ValueError(
            f"{path} must be float, on the scale of the training images, {low:g} to {high:g}. "
            f"Received uint8, which would be brought to 0 to 1; scale and convert it."
        )
    margin = high - low
    if images.min() < low - margin or images.max() > high + margin:
        raise ValueError(
            f"{path} must be on the scale of the training images, {low:g} to {high:g}. "
            f"Received values from {images.min():g} to {images.max():g}; scale them."
        )


def existing_file(path: str | Path) -> Path:
    """The path, if a file is there.

    Raises:
      FileNotFoundError: If there is none; the message has the absolute path.
      IsADirectoryError: If it is a folder.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path.absolute()} is a folder. Give a file in it.")
    if not path.is_file():
        raise FileNotFoundError(f"No file {path.absolute()}. Check the path; it starts from the current folder.")
    return path


def as_inputs(array: Array, what: str) -> Array:
    """Images as models read them, float32 `[N, H, W, C]`, or rows of a table, float32 `[N, D]`.

    Args:
      array: `[N, H, W]`, `[N, H, W, C]` or `[N, D]`, uint8 (divided by 255) or float (left as they are).
      what: What the array is, for error messages.

    Raises:
      ValueError: If the type, rank, size or a pixel is not as described.

    Example:
      >>> float(as_inputs(np.full([1, 2, 2], 255, np.uint8), "x").max())
      1.0
    """
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"{what} must be uint8 (0 to 255, divided by 255 here) or float. Received {array.dtype}; "
            f"convert with .astype('uint8') or scale and convert with .astype('float32')."
        )
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise ValueError(
            f"{what} must be images [N, H, W] or [N, H, W, C], or rows [N, D], and not empty. "
            f"Received shape {array.shape}."
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, which is reported next
        images = array.astype(np.float32)
    if not np.isfinite(images).all():
        raise ValueError(
            f"{what} must be finite float32 numbers. Received NaN or infinite ones in "
            f"{int((~np.isfinite(images)).any(axis=tuple(range(1, images.ndim))).sum())} "
            f"{'images' if images.ndim > 2 else 'rows'}; remove or fill them."
        )
    if array.dtype == np.uint8:
        images /= 255
    return images[..., np.newaxis] if images.ndim == 3 else images


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

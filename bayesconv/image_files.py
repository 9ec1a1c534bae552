"""Images, series and rows of tables read from files and checked: whatever is wrong with them is one ValueError."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayesconv import user_arrays

Array = np.ndarray[Any, Any]

# Pillow's modes for pictures whose pixels are read as they are; JPEG's YCbCr is RGB by then.
_PICTURE_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "I;16", "I;16L", "I;16B"}


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
    """Images, series or rows of a table to predict, on the scale of those that a model was trained on.

    Args:
      path: A `.npy` array, an `.npz` archive with `x` or `images`, or a picture such as PNG or JPEG. Arrays are
        `[N, H, W, C]`, `[N, H, W]`, or one image `[H, W, C]` or `[H, W]`; of a table `[N, D]`, or one row `[D]`; series
        `[N, T, C]`, of one channel `[N, T]`, or one of them. uint8
        is divided by 255 and float left as it is, so bring floats to the scale of the training images: scikit-learn's
        digits, 0 to 16, want a division by 16. A picture is turned grey or colourful as the model needs it, and never
        resized.
      input_shape: `[H, W, C]` of the training images, `[T, C]` of the series or `[D]` of the rows.
      value_range: Their smallest and largest value.

    Returns:
      float32 `[N, H, W, C]`, `[N, T, C]` or `[N, D]`.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it cannot be read, or shape, type or values are not those of the training images.
    """
    path, input_shape = existing_file(path), tuple(input_shape)
    if path.suffix == ".npy":
        array = _read_npy(path)
    elif path.suffix == ".npz":
        array = _images_of(read_npz(path), path)
    elif len(input_shape) < 3:
        kind = {1: "rows of a table", 2: "series"}[len(input_shape)]
        raise ValueError(f"{path} must be {kind}, a .npy array or an .npz archive with `x`. Received neither.")
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
        remedies = {1: "take the same columns", 2: "cut them to that length", 3: "crop or resize them first"}
        raise ValueError(
            f"{path} must hold {user_arrays.kind_of(len(input_shape))} [N, {', '.join(map(str, input_shape))}], like "
            f"those of training. Received shape {array.shape}; {remedies[len(input_shape)]}."
        )
    images = user_arrays.as_inputs(array, str(path), series=len(input_shape) == 2)
    _check_scale(images, array.dtype, value_range, path)
    if path.suffix in (".npy", ".npz"):  # a picture may be dark, its scale is known
        user_arrays.warn_of_dark(array, str(path), brightest=value_range[1])
    return images


def _read_npy(path: Path) -> Array:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise ValueError(
            f"{path} must be a plain numeric array, as numpy.save writes it. Reading failed: {error}; save it anew."
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
    is_single = len(input_shape) > 1 and input_shape[-1] == 1  # grey images, or series of one channel
    if is_single and array.shape == input_shape[:-1]:
        return array[np.newaxis, ..., np.newaxis]
    return array[..., np.newaxis] if is_single and array.ndim == len(input_shape) else array


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

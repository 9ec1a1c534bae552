"""A whole model in one file: its architecture by names, and its weights. Loading one runs no code that it brings."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import bayesconv
from bayesconv import files, random
from bayesconv.descriptions import describe
from bayesconv.layers import Layer, variables
from bayesconv.reconstruction import build

DESCRIPTION = "bayesconv.json"
FORMAT = 1


def save_model(model: Layer, path: str | os.PathLike[str]) -> Path:
    """Writes a model's architecture and weights to one `.npz` file, atomically.

    The file holds what `Layer.save` writes, and the architecture as JSON in the entry `bayesconv.json`.

    Args:
      model: The model.
      path: The file, such as `model.npz`; missing folders are made.

    Returns:
      The path.

    Raises:
      TypeError: If `model` is no `Layer`.
      ValueError: If it holds a function or an object without a registered name; nothing is written then.
      OSError: If the file cannot be written; nothing is left behind.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> model = bc.Sequential([bc.Convolution(1, 4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout), tf.nn.relu])
      >>> again = bc.load_model(bc.save_model(model, "model.npz"))
      >>> x = tf.ones([2, 8, 8, 1])
      >>> bool(tf.reduce_all(again(x, seed=1) == model(x, seed=1)))
      True
    """
    if not isinstance(model, Layer):
        raise TypeError(f"save_model saves layers. Received {model!r} of type {type(model).__name__}.")
    header = {"format": FORMAT, "bayesconv": bayesconv.__version__, "random": random.ALGORITHM}
    text = json.dumps({**header, "model": describe(model)}, indent=1, ensure_ascii=False, allow_nan=False)
    arrays = {DESCRIPTION: np.frombuffer(text.encode(), np.uint8)}
    return files.save_arrays(path, {**arrays, **variables.values(model.named_variables)})


def load_model(path: str | os.PathLike[str]) -> Layer:
    """Builds the model that `save_model` wrote, with its weights.

    A file from a stranger is safe to load: it chooses among what is registered here, and brings no code.

    Args:
      path: The file. Import the modules that register its layers and functions first, if it has any of your own.

    Returns:
      The model.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is damaged, holds no model, was written by a later version, names what is not registered, or its
        weights do not fit its architecture.
    """
    arrays = _read(Path(path))
    description = _parsed(arrays.pop(DESCRIPTION), path)
    try:
        model = build(description, sum(array.size for array in arrays.values()))
    except ValueError as error:
        raise ValueError(f"The model in {os.fspath(path)} cannot be built. {error}") from error
    variables.assign(model.named_variables, arrays, source=path)
    return model


def _read(path: Path) -> dict[str, np.ndarray]:
    _check_sizes(path)
    arrays = files.load_arrays(path)
    if DESCRIPTION not in arrays:
        raise ValueError(
            f"{path} holds no architecture, as what model.save wrote does not. Build the model and call "
            "model.load(path); save_model writes both."
        )
    return arrays


def _check_sizes(path: Path) -> None:
    """Refuses an archive that would take more memory than it takes on the disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception:  # `load_arrays` says what is wrong with it
        return
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if packed or sum(member.file_size for member in members) > path.stat().st_size:
        raise ValueError(f"{path} is compressed or its sizes are wrong, so save_model did not write it.")


def _parsed(array: np.ndarray, path: str | os.PathLike[str]) -> Any:
    try:
        header = json.loads(array.tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.fspath(path)} holds no readable architecture: {error}. Save the model again.") from error
    if not isinstance(header, Mapping) or not {"format", "model"} <= set(header):
        raise ValueError(f"{os.fspath(path)} holds no architecture with a format and a model. Save the model again.")
    if header["format"] != FORMAT or isinstance(header["format"], bool):
        raise ValueError(
            f"{os.fspath(path)} has the format {header['format']!r} of bayesconv {header.get('bayesconv', '?')!r}, and "
            f"this version {bayesconv.__version__} reads the format {FORMAT}. Install a later bayesconv."
        )
    return header["model"]

"""Files in the format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from bayesconv.data.registry import Array

_IDX_DIMENSIONS = {"images-idx3-ubyte": 3, "labels-idx1-ubyte": 1}


def read_idx(folder: str | Path, prefix: str, kind: str) -> Array:
    """One file in the format of MNIST.

    Args:
      folder: Where the file is.
      prefix: `"train"` or `"t10k"`.
      kind: `"images-idx3-ubyte"` or `"labels-idx1-ubyte"`; the file may end in `.gz`.

    Returns:
      uint8 `[N, H, W]` or `[N]`.

    Raises:
      FileNotFoundError: If the file is missing.
      ValueError: If its first bytes or its length are not what the format says.
    """
    path = _find_idx(Path(folder).expanduser(), f"{prefix}-{kind}")
    content = _read_bytes(path)
    dimensions = _IDX_DIMENSIONS[kind]
    header = np.frombuffer(content[: 4 + 4 * dimensions], ">u4") if len(content) >= 4 + 4 * dimensions else [0]
    magic = 0x800 + dimensions  # 8 stands for unsigned bytes
    if header[0] != magic:
        raise ValueError(f"{path} must be an IDX file that starts with the number {magic}. Received {header[0]}.")
    shape = tuple(int(size) for size in header[1:])
    received = len(content) - 4 - 4 * dimensions
    if received != math.prod(shape):
        raise ValueError(
            f"{path} must hold {math.prod(shape)} bytes for its shape {list(shape)}. "
            f"Received {received}; the file is damaged, get it again."
        )
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _find_idx(folder: Path, name: str) -> Path:
    spellings = (name, name.replace("-idx", ".idx"))  # some mirrors write train-images.idx3-ubyte
    for candidate in (folder / f"{spelling}{ending}" for spelling in spellings for ending in ("", ".gz")):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"No file {name} or {name}.gz in {folder.absolute()}. Check `path`, it must be the folder.")


def _read_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be gzip data. It is damaged ({error}); get it again.") from error

"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], Any]) -> Path:
    """Writes a file so that a reader, a crash or a full disk never meets half of it.

    The bytes go to a temporary file in the same folder, reach the disk, and only then take the name.

    Args:
      path: The file to write; missing parent folders are made.
      write: Called with the open binary file.

    Returns:
      The path.

    Raises:
      OSError: If the folder or file cannot be written; it names `path`, and nothing of the new file is left behind.

    Example:
      >>> import tempfile
      >>> folder = tempfile.mkdtemp()
      >>> write_atomically(f"{folder}/a.txt", lambda file: file.write(b"whole")).read_text()
      'whole'
    """
    path = Path(path)
    _check_no_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path):
        _replace(path, write)
    return path


def check_target(path: str | os.PathLike[str]) -> None:
    """Raises the error that writing a file would end with, before work is put into what is to be written.

    Args:
      path: The file; it and its missing folders are not made.

    Raises:
      IsADirectoryError: If it is a folder.
      NotADirectoryError: If what should be its folder is a file.
      OSError: If its folder, or the one that this would be made in, cannot be written to.

    Example:
      >>> import tempfile
      >>> check_target(f"{tempfile.mkdtemp()}/new/a.txt")
    """
    path = Path(path)
    _check_no_folder(path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(f"{path} must lie in a folder. {folder} is a file; choose another place.")
    with _naming(path), _unnamed(), tempfile.TemporaryFile(dir=folder):
        pass


def _check_no_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} must be a file. It is a folder; give the name of a file in it.")


@contextlib.contextmanager
def _unnamed() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = None  # of the temporary file
        raise


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the temporary file, or of none, become those of `path`: it is the name that the user knows."""
    try:
        yield
    except OSError as error:
        if error.filename is None or Path(str(error.filename)).name.startswith(f".{path.name}."):
            error.filename = str(path)
            del error.filename2  # None would be shown
        raise


def _replace(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes private files; results are for sharing
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Writes UTF-8 text atomically."""
    return write_atomically(path, lambda file: file.write(text.encode()))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes named arrays to an `.npz` file, atomically."""
    # A dict and not keywords: a name may be any string, even `file`.
    return write_atomically(path, lambda file: _write_npz(file, arrays))


def _write_npz(file: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


# What numpy and zipfile raise, between them, for bytes that are not what they should be.
_DAMAGE = (
    ValueError, TypeError, KeyError, AttributeError, RuntimeError, OSError, EOFError, OverflowError, MemoryError,
    zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads every array of an `.npz` file; never unpickles, so a stranger's file is safe to read.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is damaged or is no `.npz` file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Check the path, or save the weights first.")
    try:
        with open(path, "rb") as file, np.load(_checked_archive(file), allow_pickle=False) as archive:
            return {name: _checked_array(name, archive[name]) for name in archive.files}
    except PermissionError:
        raise
    except _DAMAGE as error:
        raise ValueError(
            f"{path} is damaged or is not an .npz file of plain arrays: {error}. Restore it from a backup, or train "
            "again."
        ) from error


def _checked_archive(file: IO[bytes]) -> IO[bytes]:
    if not zipfile.is_zipfile(file):  # numpy would take it for something to unpickle, and say how
        raise ValueError("it is no archive, or it is cut short")
    file.seek(0)
    return file


def _checked_array(name: str, value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"its entry {name!r} is no array")
    return value

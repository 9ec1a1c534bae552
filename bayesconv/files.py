"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], Any]) -> Path:
    """Writes a file so that a reader, a crash or a full disk never meets half of it.

    The bytes go to a temporary file in the same folder, reach the disk, and only then take the name.

    Args:
      path: The file to write; missing parent folders are made.
      write: Called with the open binary file.

    Returns:
      The path.

    Raises:
      OSError: If the folder or file cannot be written; nothing of the new file is left behind.

    Example:
      >>> import tempfile
      >>> folder = tempfile.mkdtemp()
      >>> write_atomically(f"{folder}/a.txt", lambda file: file.write(b"whole")).read_text()
      'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
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
    return path


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Writes UTF-8 text atomically."""
    return write_atomically(path, lambda file: file.write(text.encode()))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

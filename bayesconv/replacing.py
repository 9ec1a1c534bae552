"""A run that takes the place of an earlier one, which is not lost before there is another."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bayesconv import runs


@contextlib.contextmanager
def set_aside(folder: Path) -> Iterator[None]:
    """Moves an earlier run out of the way, into a hidden folder next to its own.

    It comes back if the body fails, or is interrupted, before the first checkpoint of the run that replaces it.
    Otherwise it is deleted at the end.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        yield
        return
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.earlier."))
    try:
        _move(folder, aside)
    except BaseException:
        _put_back(aside, folder)
        raise
    try:
        yield
    except BaseException:
        if not runs.has_started(folder):
            runs.clear(folder)
            _put_back(aside, folder)
        shutil.rmtree(aside, ignore_errors=True)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    for name in runs.WRITTEN:
        if (source / name).exists():
            shutil.move(source / name, target / name)


def _put_back(aside: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _move(aside, folder)
    aside.rmdir()

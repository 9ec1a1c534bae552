"""`sweep.json`: what the cells of a sweep are and how far each one is.

The process that runs the sweep is the only one that writes it, whole, after every change.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bayesconv
from bayesconv import files, splits
from bayesconv.settings import ConfigError
from bayesconv.sweeps.plan import Planned, check_split

MANIFEST, LOCK, LOGS = "sweep.json", "sweep.lock", "logs"
PENDING, RUNNING, FINISHED, FAILED, INTERRUPTED = "pending", "running", "finished", "failed", "interrupted"
_SHOWN = 3  # differences in an error


@dataclasses.dataclass
class CellRecord:
    """One cell: what it is, and how far.

    Attributes:
      name: Its folder within the sweep's.
      choices: Key path to value, of what varies.
      config: Its whole configuration.
      status: `pending`, `running`, `finished`, `failed` or `interrupted`.
      error: Why it failed.
      attempts: How often it was started.
    """

    name: str
    choices: dict[str, Any]
    config: dict[str, Any]
    status: str = PENDING
    error: str | None = None
    attempts: int = 0


@dataclasses.dataclass
class Manifest:
    """A sweep on disk.

    Attributes:
      folder: Where it is.
      config_folder: Where the configuration was, for the plugins next to it.
      evaluate: Whether each cell is scored when it is trained.
      cells: In the order of the grid.
      split: The images it is scored on: `"test"` or `"validation"`.
    """

    folder: Path
    config_folder: str
    evaluate: bool
    cells: list[CellRecord]
    split: str = splits.TEST

    def __getitem__(self, name: str) -> CellRecord:
        """The cell of that name."""
        return next(cell for cell in self.cells if cell.name == name)

    def with_status(self, *statuses: str) -> list[CellRecord]:
        """The cells that are that far."""
        return [cell for cell in self.cells if cell.status in statuses]

    def write(self) -> None:
        """Writes `sweep.json`."""
        content = {
            "bayesconv": bayesconv.__version__,
            "config_folder": self.config_folder,
            "evaluate": self.evaluate,
            "split": self.split,
            "cells": [dataclasses.asdict(cell) for cell in self.cells],
        }
        files.write_text(self.folder / MANIFEST, json.dumps(content, indent=2) + "\n")


def read(folder: str | Path) -> Manifest:
    """The manifest of a sweep folder.

    Raises:
      FileNotFoundError: If the folder holds no sweep.
      ValueError: If the file is damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{Path(folder).absolute()} is no sweep folder, it has no {MANIFEST}. Check the path.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = [CellRecord(**cell) for cell in content["cells"]]
        return Manifest(
            path.parent, content["config_folder"], content["evaluate"], cells, content.get("split", splits.TEST)
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} must describe a sweep. It is damaged: {error!r}. Start anew elsewhere.") from error


def join(
    folder: Path, planned: Sequence[Planned], *, evaluate: bool, split: str = splits.TEST, extend: bool = False
) -> Manifest:
    """The manifest of a new sweep, or that of the one in the folder, of the same grid.

    Args:
      folder: The sweep's folder.
      planned: The grid.
      evaluate: Whether cells are scored.
      split: On which images.
      extend: The grid may have more cells than the folder's.

    Raises:
      ConfigError: If the folder holds another grid, or a cell is trained on what it is to be scored on.
      FileExistsError: If it holds something else.
    """
    check_split(planned, split)
    settings_folder = planned[0].config.settings.folder or Path.cwd()
    cells = [CellRecord(one.cell.name, dict(one.cell.choices), one.config.model_dump(mode="json")) for one in planned]
    manifest = Manifest(folder, str(settings_folder), evaluate, cells, split)
    if (folder / MANIFEST).exists():
        _take_over(manifest, read(folder), extend)
    elif folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
        raise FileExistsError(f"{folder} must be new, empty, or an earlier sweep. It is not; choose another --out.")
    return manifest


def _take_over(manifest: Manifest, earlier: Manifest, extend: bool) -> None:
    stored, now = ({cell.name: cell for cell in one.cells} for one in (earlier, manifest))
    differences = [f"it has {name} too" for name in stored if name not in now]
    differences += [f"it has no {name}" for name in now if name not in stored and not extend]
    for name in (name for name in stored if name in now):
        differences += [f"{name}: {text}" for text in _differences(stored[name].config, now[name].config)]
    if differences:
        more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise ConfigError(
            f"{earlier.folder} belongs to another grid: {'; '.join(differences[:_SHOWN])}{more}. Choose another --out, "
            "give the settings it was started with, or add cells to it by --extend."
        )
    for name, cell in stored.items():
        now[name].status, now[name].error, now[name].attempts = cell.status, cell.error, cell.attempts


def _differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    before, after = dict(_leaves(stored)), dict(_leaves(now))
    return [
        f"{path} was {before.get(path)!r} and is now {after.get(path)!r}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from running the same sweep; the lock goes with the process, however it ends.

    Raises:
      BlockingIOError: If another process runs it.
    """
    try:
        import fcntl
    except ImportError:  # a system without such locks
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BlockingIOError(
                f"{folder} is being run by another process. Wait for it, stop it, or choose another --out."
            ) from error
        yield

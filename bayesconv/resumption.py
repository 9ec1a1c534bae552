"""Whether a run may go on where it stopped: it takes the configuration it was started with, and its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayesconv.checkpoints import RunFolder
from bayesconv.settings import ConfigError


def check_same(now: Mapping[str, Any], stored: Mapping[str, Any], path: Path) -> None:
    """Raises an error that names every difference between two configurations.

    Args:
      now: The one to resume with.
      stored: The one that the run was started with.
      path: Where that is.
    """
    differences = _differences(now, stored)
    if differences:
        raise ConfigError(
            f"A run is resumed with the configuration it was started with, for schedules reach over all epochs. "
            f"{path} differs: {'; '.join(differences)}. Set these back, or start anew in another --out."
        )


def _differences(now: Mapping[str, Any], stored: Mapping[str, Any], path: str = "") -> list[str]:
    found = []
    for key in sorted({*now, *stored}):
        a, b = now.get(key), stored.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += _differences(a, b, f"{path}{key}.")
        elif a != b:
            found.append(f"{path}{key} was {b!r} and is now {a!r}")
    return found


def missing_weights(folder: Path, *, is_member: bool) -> FileNotFoundError:
    """The error to raise for a run without the weights of its best epoch, with the way out that works.

    Args:
      folder: The run folder, or that of a member of an ensemble.
      is_member: Whether it is the latter.
    """
    found = RunFolder(folder)
    message = f"{found.best} is missing, {folder} holds no trained weights."
    if not (found.last.is_file() or (found.history.is_file() and found.history.stat().st_size)):
        return FileNotFoundError(f"{message} Train it, with --resume.")
    # What is resumed begins with the best epoch so far.
    return FileNotFoundError(f"{message} Its last epoch cannot stand in for the best: {_remedy(folder, is_member)}.")


def missing_checkpoint(folder: Path, epochs: int, *, is_member: bool) -> FileNotFoundError:
    """The error to raise for a run of several epochs without the last checkpoint.

    Args:
      folder: The run folder, or that of a member of an ensemble.
      epochs: Those in its history.
      is_member: Whether it is the latter.
    """
    found = RunFolder(folder)
    return FileNotFoundError(
        f"A run goes on from its last checkpoint. {found.last} is missing, though {found.history} has {epochs} epochs: "
        f"{_remedy(folder, is_member)}."
    )


def _remedy(folder: Path, is_member: bool) -> str:
    remedy = "bring it back, or train anew by --overwrite in place of --resume"
    return remedy + (f", or this member alone: delete {folder}, then train with --resume" if is_member else "")

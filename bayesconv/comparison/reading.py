"""Runs to compare: their folders, configurations and the figures of their evaluations."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bayesconv import splits
from bayesconv.config import RunConfig, load_config
from bayesconv.sweeps import manifest
from bayesconv.sweeps.manifest import FAILED, FINISHED

_CONFIG = "config.yaml"
# Entries of an evaluation that are no figures of the model: how it was made, and how sure each figure is.
_NO_FIGURES = {
    "bootstrap", "dataset", "ece_null", "intervals", "k", "members", "method", "null", "num_examples", "num_images",
    "num_samples", "scaled", "seed", "task", "temperature",
}  # fmt: skip
_SETS = ("ood", "shift")  # entries with one part for each of several sets, of which there is a mean as well
MEAN = "mean"


class RunResult(NamedTuple):
    """A run and what its evaluation found.

    Attributes:
      folder: The run folder.
      config: Its configuration.
      report: Its `evaluation.json`, or that of its validation images.
      figures: Every number of the report, by its path in it: `nll`, `ood.rotated.auroc.predictive_entropy`. A figure of
        several severities is their mean, and `ood.mean` and `shift.mean` are means over the sets.
    """

    folder: Path
    config: RunConfig
    report: Mapping[str, Any]
    figures: Mapping[str, float]

    @property
    def seed(self) -> int:
        """The seed it was trained with."""
        return self.config.seed


def read_runs(paths: Sequence[str | Path], split: str = splits.TEST) -> tuple[list[RunResult], list[str]]:
    """The evaluated runs in some folders.

    Args:
      paths: Run folders, folders of sweeps, or folders that run folders are in.
      split: The images that their scores are of.

    Returns:
      The runs, and a note on each that cannot be compared.

    Raises:
      FileNotFoundError: If a path holds no run, or none of the runs was evaluated.
      ValueError: If a file is damaged.
    """
    name, option = splits.evaluation_file(split), "" if split == splits.TEST else f" --split {split}"
    folders, notes = [], []
    for path in map(Path, paths):
        found, missing = _run_folders(path)
        folders += found
        notes += missing
    results = []
    for folder in dict.fromkeys(folders):
        if (folder / name).is_file():
            results.append(read_run(folder, split))
        else:
            why = f"it was not evaluated. Run bayesconv evaluate {folder}{option}"
            notes.append(f"{folder} is left out: {why}")
    if not results:
        raise FileNotFoundError("There is nothing to compare:\n" + "\n".join(notes))
    return results, notes


def read_run(folder: Path, split: str = splits.TEST) -> RunResult:
    """One run with its evaluation on the images of a split.

    Raises:
      ValueError: If a file is damaged.
    """
    path = folder / splits.evaluation_file(split)
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(report, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        raise ValueError(f"{path} must be a report. It is damaged: {error}. Evaluate the run again.") from error
    figures = {".".join(key): value for key, value in _figures(report)}
    return RunResult(folder, load_config(folder / _CONFIG), report, figures)


def _run_folders(path: Path) -> tuple[list[Path], list[str]]:
    if (path / manifest.MANIFEST).is_file():
        cells = manifest.read(path).cells
        unfinished = [(path / cell.name, cell.status) for cell in cells if cell.status != FINISHED]
        notes = [f"{folder} is left out: it is {status}. {_way_out(status)}" for folder, status in unfinished]
        return [path / cell.name for cell in cells if cell.status == FINISHED], notes
    if (path / _CONFIG).is_file():
        return [path], []
    inside = sorted(folder.parent for folder in path.glob(f"*/{_CONFIG}"))
    if not inside:
        raise FileNotFoundError(
            f"{path.absolute()} is no run folder, no sweep and no folder of runs: there is no {_CONFIG} in it. Check "
            "the path."
        )
    return inside, []


def _way_out(status: str) -> str:
    if status == FAILED:
        return "Give the command of the sweep again, with --retry-failed."
    return "Give the command of the sweep again, unless it is still at work."


def _figures(report: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], float]]:
    yield from _numbers(report, ())
    for name in _SETS:
        parts = [dict(_numbers(part, ())) for part in (report.get(name) or {}).values()]
        for key in parts[0] if parts else ():
            if all(key in part for part in parts):
                yield (name, MEAN, *key), sum(part[key] for part in parts) / len(parts)


def _numbers(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            if key not in _NO_FIGURES:
                yield from _numbers(child, path if key == "value" else (*path, key))
    elif isinstance(value, list) and value and all(isinstance(child, Mapping) for child in value):
        parts = [dict(_numbers(child, ())) for child in value]
        for key in parts[0]:
            if all(key in part for part in parts):
                yield (*path, *key), sum(part[key] for part in parts) / len(parts)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        yield path, float(value)

"""A grid made into configurations, every one of them checked before the first is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bayesconv import choices, splits
from bayesconv.config import RunConfig, load_config
from bayesconv.settings import ConfigError
from bayesconv.sweeps.grid import SEED, Axis, Cell, expand


class Planned(NamedTuple):
    """A cell and its configuration."""

    cell: Cell
    config: RunConfig


def plan(
    config: str | Path,
    vary: Mapping[str, Sequence[Any]],
    *,
    seeds: int | Sequence[int] | None = None,
    edits: Sequence[str] = (),
) -> list[Planned]:
    """The cells of a grid, each with a configuration whose values and names are checked.

    Args:
      config: The YAML file that all cells start from.
      vary: Key paths to the values they take.
      seeds: Which seeds, or how many, counted from the configuration's.
      edits: `key.path=value`, for all cells.

    Raises:
      ConfigError: With a line for everything that is wrong in any cell.

    Example:
      >>> import tempfile, pathlib
      >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.yaml"
      >>> _ = path.write_text("{seed: 3, data: digits, model: {name: digits_cnn}}")
      >>> planned = plan(path, {"model.prior": ["normal", "laplace"]}, seeds=2)
      >>> [(one.cell.name, one.config.seed) for one in planned][1:3]
      [('prior=laplace,seed=3', 3), ('prior=normal,seed=4', 4)]
    """
    axes = [Axis(path, tuple(values)) for path, values in vary.items()]
    listed = [] if seeds is None or isinstance(seeds, int) else [Axis(SEED, tuple(seeds))]
    _check_edits([*axes, *listed], edits)
    first = load_config(config, edits).seed
    cells = expand(axes, _seeds(seeds, first))
    planned = [Planned(cell, _load(config, [*edits, *cell.edits], axes)) for cell in cells]
    _check_names(planned, axes)
    _check_distinct(planned)
    return planned


def check_split(planned: Sequence[Planned], split: str) -> None:
    """Refuses to score runs on images that they are trained on.

    Raises:
      ConfigError: If a cell trains on its validation images, and those are to be scored.
      ValueError: If there is no such split.
    """
    splits.evaluation_file(split)
    for one in planned:
        if split == splits.VALIDATION and one.config.data.options.get("refit"):
            message = "runs that are scored on validation images must not train on them. Received true; set it to false"
            raise one.config.settings.error([(("data", "refit"), f"{message}, --set data.refit=false.")])


def _seeds(seeds: int | Sequence[int] | None, first: int) -> list[int]:
    if seeds is None:
        return []
    chosen = list(range(first, first + seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ConfigError(f"Seeds must be one or more, each given once. Received {seeds!r}.")
    return chosen


def _check_edits(axes: Sequence[Axis], edits: Sequence[str]) -> None:
    """Refuses an edit that a varied value would silently replace."""
    for axis in axes:
        replaced = axis.path.removesuffix(".name")
        for path in (edit.partition("=")[0].strip() for edit in edits):
            if path == axis.path or path.startswith(f"{replaced}."):
                raise ConfigError(
                    f"{_given(axis)} replaces what --set {path} says. Leave that out, or write it into the values, as "
                    f"in --vary '{replaced}=[{{name: ..., option: value}}, ...]'."
                )


def _load(config: str | Path, edits: Sequence[str], axes: Sequence[Axis]) -> RunConfig:
    try:
        return load_config(config, edits)
    except ConfigError as error:
        raise ConfigError(_in_the_words_of_a_sweep(str(error), axes)) from error


def _check_names(planned: Sequence[Planned], axes: Sequence[Axis]) -> None:
    found: dict[str, None] = {}  # ordered, and each line once: a wrong value is in many cells
    for one in planned:
        try:
            choices.check_names(one.config)
        except ConfigError as error:
            found |= dict.fromkeys(_in_the_words_of_a_sweep(str(error), axes).splitlines())
    if found:
        raise ConfigError("\n".join(found))


def _in_the_words_of_a_sweep(text: str, axes: Sequence[Axis]) -> str:
    for axis in axes:
        text = text.replace(f"--set {axis.path}:", f"{_given(axis)}:")
    return text


def _given(axis: Axis) -> str:
    return "--seeds" if axis.path == SEED else f"--vary {axis.path}"


def _check_distinct(planned: Sequence[Planned]) -> None:
    seen: dict[str, str] = {}
    for one in planned:
        content = json.dumps(one.config.model_dump(mode="json"), sort_keys=True)
        if content in seen:
            raise ConfigError(
                f"Every cell must be another run. Received two for the same: {seen[content]} and {one.cell.name}; "
                "leave the repeated value out."
            )
        seen[content] = one.cell.name

"""The grid of a sweep: which settings vary over which values, and what each cell is called."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bayesconv import settings
from bayesconv.settings import ConfigError

SEED = "seed"
_LONGEST_VALUE, _LONGEST_NAME = 40, 150  # characters; file systems take 255 bytes


class Axis(NamedTuple):
    """One setting and the values it takes.

    Attributes:
      path: Its key path, such as `model.prior`.
      values: As YAML would have them: words, numbers, lists, mappings.
    """

    path: str
    values: tuple[Any, ...]


class Cell(NamedTuple):
    """One run of a grid.

    Attributes:
      name: What its folder is called.
      choices: Key path to value.
    """

    name: str
    choices: Mapping[str, Any]

    @property
    def edits(self) -> list[str]:
        """The choices as `key.path=value`, parts before their options, whatever the order of the axes."""
        ordered = sorted(self.choices.items(), key=lambda choice: choice[0].count("."))
        return [f"{path}={json.dumps(value)}" for path, value in ordered]


def parse_axis(text: str) -> Axis:
    """An axis from `key.path=values`: YAML values with commas between them, or one YAML list of them.

    Args:
      text: What was given to `--vary`.

    Raises:
      ConfigError: If there is no key, no value or no YAML.

    Example:
      >>> parse_axis("model.prior=normal,{name: laplace, scale: 0.1}").values
      ('normal', {'name': 'laplace', 'scale': 0.1})
      >>> parse_axis("training.epochs=[10, 20]")
      Axis(path='training.epochs', values=(10, 20))
    """
    path, equals, written = (part.strip() for part in text.partition("="))
    if not equals or not all(path.split(".")) or not written:
        raise ConfigError(
            f"--vary takes key.path=value,value, e.g. --vary model.prior=normal,laplace. Received {text!r}."
        )
    values = settings.parse(f"[{written}]", f"--vary {path}")
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return Axis(path, tuple(values))


def parse_seeds(text: str) -> int | list[int]:
    """Seeds from `5`, how many, or from `0,3,7`, which.

    Raises:
      ConfigError: If it is neither.

    Example:
      >>> parse_seeds("5"), parse_seeds("0,3,7"), parse_seeds("7,")
      (5, [0, 3, 7], [7])
    """
    numbers = [number.strip() for number in text.split(",")]
    listed = [number for number in numbers if number]
    if not listed or not all(number.isdecimal() for number in listed):
        raise ConfigError(f"--seeds takes how many, 5, or which, 0,3,7. Received {text!r}.")
    if len(numbers) == 1:
        return int(text)
    return [int(number) for number in listed]


def expand(axes: Iterable[Axis], seeds: Sequence[int] = ()) -> list[Cell]:
    """Every combination of the axes' values, and each with every seed.

    The last axis varies fastest and the seeds slowest, so that the first results already cover all settings.

    Args:
      axes: The settings that vary.
      seeds: The seeds; none leaves the configuration's, which names no cell then.

    Raises:
      ConfigError: If nothing varies, an axis is empty, or two axes are the same setting.

    Example:
      >>> axes = [parse_axis("model.prior=normal,laplace"), parse_axis("training.epochs=1,2")]
      >>> [cell.name for cell in expand(axes)]
      ['prior=normal,epochs=1', 'prior=normal,epochs=2', 'prior=laplace,epochs=1', 'prior=laplace,epochs=2']
    """
    outer = [Axis(SEED, tuple(seeds))] if seeds else []
    axes = [*outer, *axes]
    _check(axes)
    short = short_names([axis.path for axis in axes])
    product = itertools.product(*(axis.values for axis in axes))
    choices = [dict(zip((axis.path for axis in axes), values, strict=True)) for values in product]
    return [Cell(name, chosen) for name, chosen in zip(_names(choices, short), choices, strict=True)]


def _check(axes: Sequence[Axis]) -> None:
    if not axes:
        raise ConfigError(
            "A sweep needs something that varies, --vary model.prior=normal,laplace or --seeds 5. Received neither."
        )
    paths = [axis.path for axis in axes]
    for axis in axes:
        if not axis.values:
            raise ConfigError(f"--vary {axis.path} needs one value or more. Received an empty list.")
        if paths.count(axis.path) > 1:
            twice = "--seeds and --vary seed" if axis.path == SEED else f"--vary {axis.path} twice"
            raise ConfigError(f"A setting varies once. Received {twice}; put all values into one.")


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """The shortest ends of the key paths that tell them apart."""
    shortest = {}
    for path in paths:
        keys = path.split(".")
        ends = [".".join(keys[-n:]) for n in range(1, len(keys) + 1)]
        others = [other for other in paths if other != path]
        shortest[path] = next((e for e in ends if not any(f".{o}".endswith(f".{e}") for o in others)), path)
    return shortest


def _names(choices: Sequence[Mapping[str, Any]], short: Mapping[str, str]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for chosen in choices:
        ordered = sorted(chosen.items(), key=lambda choice: choice[0] == SEED)  # the seed last
        name = _shortened(",".join(f"{short[path]}={_shown(value)}" for path, value in ordered), chosen, _LONGEST_NAME)
        if name.casefold() in taken:  # as `a b` and `a-b` would be
            name = f"{name}-{_digest(chosen)}"
        names.append(name)
        taken.add(name.casefold())
    return names


def _shown(value: Any) -> str:
    """A value as part of the name of a folder, `laplace-scale-0.1`."""
    if isinstance(value, dict):
        name = [str(value["name"])] if "name" in value else []
        text = "-".join([*name, *(f"{key}-{_shown(v)}" for key, v in value.items() if key != "name")])
    elif isinstance(value, list):
        text = "+".join(map(_shown, value)) or "none"
    elif isinstance(value, bool) or value is None:
        text = json.dumps(value)
    else:
        text = str(value)
    return _shortened(re.sub(r"[^\w.+-]+", "-", text) or "empty", value, _LONGEST_VALUE)


def _shortened(text: str, value: Any, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 9]}-{_digest(value)}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]

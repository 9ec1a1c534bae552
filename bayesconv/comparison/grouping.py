"""Runs of the same configuration and different seeds, and what tells configurations apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bayesconv.comparison.reading import RunResult
from bayesconv.config import Part
from bayesconv.sections import Section
from bayesconv.sweeps.grid import SEED, short_names

# How figures were made, not of what: settings in which the runs of one configuration may differ.
_NOT_THE_MODEL = {"evaluation": {"bootstrap", "corruptions", "corrupted_images"}}
_MOST_SETTINGS, _LONGEST = 3, 60  # in a name that says the settings
_LONGEST_FOLDER = 40
_SEED_IN_NAME = re.compile(r"(^|[/,_. -]+)seed[ =_-]?\d+$")


class Group(NamedTuple):
    """One configuration.

    Attributes:
      name: What its settings are, `prior=laplace, estimator=flipout`. With many or long ones, that of the folder of its
        first run, without the seed.
      settings: Short key path to value, of what differs between the groups.
      runs: By seed.
    """

    name: str
    settings: Mapping[str, str]
    runs: tuple[RunResult, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its runs."""
        return tuple(run.seed for run in self.runs)


def group(runs: Sequence[RunResult]) -> list[Group]:
    """The runs by their configuration without its seed, in the order in which these first come.

    The corruptions and the bootstrap of the evaluation are no part of it.

    Raises:
      ValueError: If two runs have the same configuration and seed.
    """
    members: dict[str, list[RunResult]] = {}
    for run in runs:
        content = run.config.model_dump(mode="json", exclude={SEED: True, **_NOT_THE_MODEL})
        members.setdefault(json.dumps(content, default=str), []).append(run)
    settings = _differing([_leaves_of(found[0]) for found in members.values()])
    names = _names(settings, list(members.values()))
    groups = [
        Group(name, chosen, tuple(sorted(found, key=lambda run: run.seed)))
        for name, chosen, found in zip(names, settings, members.values(), strict=True)
    ]
    for found in groups:
        _check_seeds(found)
    return groups


def choose(groups: Sequence[Group], wanted: str | None) -> Group:
    """The group of that name; the first one if there is none.

    Args:
      groups: All groups.
      wanted: Its name, some of its settings (`prior=normal`) or their values (`normal`), or the folder of a run.

    Raises:
      ValueError: If it fits no group, or several.
    """
    if wanted is None:
        return groups[0]
    found = [one for one in groups if _fits(one, wanted)]
    if len(found) != 1:
        names = "; ".join(one.name for one in found or groups)
        rule = "fits several configurations" if found else "must be one of the configurations"
        raise ValueError(f"The baseline {wanted!r} {rule}: {names}. Name one of them, or the folder of a run of it.")
    return found[0]


def _fits(one: Group, wanted: str) -> bool:
    if any(wanted.rstrip("/") in (str(run.folder), run.folder.name) for run in one.runs):
        return True
    parts = [part.strip() for part in wanted.split(",")]
    own = {*one.settings.values(), *(f"{key}={value}" for key, value in one.settings.items())}
    return one.name == wanted or all(part in own for part in parts)


def joined(settings: Mapping[str, str]) -> str:
    """Settings in one line.

    Example:
      >>> joined({"prior": "laplace", "estimator": "flipout"})
      'prior=laplace, estimator=flipout'
    """
    return ", ".join(f"{key}={value}" for key, value in settings.items())


def _names(settings: Sequence[Mapping[str, str]], members: Sequence[Sequence[RunResult]]) -> list[str]:
    if not settings[0]:
        (runs,) = members
        return [runs[0].folder.name if len(runs) == 1 else runs[0].config.model.name.name]
    names = [joined(chosen) for chosen in settings]
    if len(settings[0]) <= _MOST_SETTINGS and max(map(len, names)) <= _LONGEST:
        return names
    return _folder_names(members)


def _folder_names(members: Sequence[Sequence[RunResult]]) -> list[str]:
    """Names of the folders without the seed; with those that they are in, or numbers, where these do not tell apart."""
    for count in (1, 2):
        ends = ["/".join(runs[0].folder.absolute().parts[-count:]) for runs in members]
        names = [_SEED_IN_NAME.sub("", end) for end in ends]
        if all(names) and len(set(names)) == len(names) and max(map(len, names)) <= _LONGEST_FOLDER:
            return names
    return [f"{runs[0].config.model.name.name} {number}" for number, runs in enumerate(members, 1)]


def _check_seeds(one: Group) -> None:
    for run, other in zip(one.runs, one.runs[1:], strict=False):
        if run.seed == other.seed:
            raise ValueError(
                f"Runs of one configuration must have different seeds. {run.folder} and {other.folder} both have "
                f"{run.seed}; leave one out."
            )


def _leaves_of(run: RunResult) -> dict[str, Any]:
    left_out = {SEED, *(f"{section}.{key}" for section, keys in _NOT_THE_MODEL.items() for key in keys)}
    return {path: value for path, value in _leaves(run.config) if path not in left_out}


def _leaves(section: Section, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section:
        if isinstance(value, Section):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _differing(configurations: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{} for _ in configurations]
    for path in configurations[0]:
        for own, shown in zip(found, _shown_apart(path, [one[path] for one in configurations]), strict=True):
            own |= shown
    short = short_names(list(found[0]))
    return [{short[path]: value for path, value in own.items()} for own in found]


def _shown_apart(path: str, values: Sequence[Any]) -> list[dict[str, str]]:
    """What tells the values of one setting apart: nothing, the options of a piece, or the whole."""
    if all(value == values[0] for value in values):
        return [{} for _ in values]
    if all(isinstance(value, Part) and value.name == values[0].name for value in values):
        options = dict.fromkeys(key for value in values for key in value.options)
        differ = [key for key in options if any(v.options.get(key) != values[0].options.get(key) for v in values)]
        return [{f"{path}.{key}": _text(value.options.get(key, "default")) for key in differ} for value in values]
    return [{path: _text(value)} for value in _without_shared_options(values)]


def _without_shared_options(values: Sequence[Any]) -> Sequence[Any]:
    """Different pieces without the options that all of them have alike."""
    if not all(isinstance(value, Part) for value in values):
        return values
    shared = {key for key, option in values[0].options.items() if all(v.options.get(key) == option for v in values)}
    return [Part(name=v.name, **{key: o for key, o in v.options.items() if key not in shared}) for v in values]


def _text(value: Any) -> str:
    if isinstance(value, Part):
        options = ", ".join(f"{key}={_text(option)}" for key, option in value.options.items())
        return f"{value.name}({options})" if options else value.name
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, Section):
        return _text(json.loads(value.model_dump_json()))
    return value if isinstance(value, str) else json.dumps(value, default=str)

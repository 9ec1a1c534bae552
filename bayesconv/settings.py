"""Settings as a user wrote them: YAML 1.2 and `--set` edits, with the place of each, so that errors can point at it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

KeyPath = tuple[str | int, ...]
Problem = tuple[KeyPath, str]

_DEEPEST = 32
_TOO_DEEP = f"settings must be nested at most {_DEEPEST} deep."


class ConfigError(ValueError):
    """Something is wrong with a configuration; the message says where, what was received and the way out."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Nested mappings as written, before they are checked. Any two compare equal: where a value comes from is no value.

    Attributes:
      values: The mappings.
      label: What errors call the whole, usually the file's path.
      folder: The file's folder, if there is a file.
      places: For each key path the place it was written, `file:line:column` or `--set key.path`.
    """

    values: dict[str, Any] = dataclasses.field(default_factory=dict, compare=False)
    label: str = dataclasses.field(default="configuration", compare=False)
    folder: Path | None = dataclasses.field(default=None, compare=False)
    places: Mapping[KeyPath, str] = dataclasses.field(default_factory=dict, compare=False)

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        """The error to raise, with one line a problem: place, key path, message.

        Example:
          >>> Settings(places={("model", "prior"): "a.yaml:3:5"}).error([(("model", "prior"), "no such prior")])
          ConfigError('a.yaml:3:5: model.prior: no such prior')
        """
        return ConfigError("\n".join(self._line(path, message) for path, message in problems))

    def _line(self, path: KeyPath, message: str) -> str:
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.places), ())
        # A part written as a bare name has no key `name`; the error then belongs to the part.
        shown = path[:-1] if path[-1:] == ("name",) and len(known) < len(path) else path
        place = self.places.get(known, self.label)
        key = dotted(shown)
        if place.startswith("--set ") and f"{key}.".startswith(f"{place.removeprefix('--set ')}."):
            place, key = f"--set {key}", ""  # the edit is of the key, or of what it is in
        elif place.startswith("--plugin"):
            key = ""  # which no configuration has
        return ": ".join(filter(None, [place, key, message]))

    def edited(self, edit: str, default_names: Mapping[KeyPath, str]) -> Settings:
        """These settings with one `key.path=value` applied.

        Args:
          edit: The edit; its value is YAML.
          default_names: The paths of parts, which may be a name or a mapping `{name, **options}`, and the name each
            has if nothing was written. Setting an option of a bare name makes it a mapping; setting its `name` drops
            the options of the old one.

        Raises:
          ConfigError: If the edit cannot be read or its path leads through something that is no mapping.
        """
        written, equals, text = edit.partition("=")
        path: KeyPath = tuple(written.strip().split("."))
        if not equals or not all(path):
            raise ConfigError(f"--set takes key.path=value, e.g. --set model.prior=laplace. Received {edit!r}.")
        place = f"--set {dotted(path)}"
        values = _with(self.values, path, _load(text, place), place, default_names)
        replaced = path[:-1] if path[-1] == "name" and path[:-1] in default_names else path
        kept = {key: old for key, old in self.places.items() if key[: len(replaced)] != replaced or key == replaced}
        made = {path[:n]: place for n in range(1, len(path)) if path[:n] not in kept}
        return dataclasses.replace(self, values=values, places={**kept, **made, path: place})


def dotted(path: KeyPath) -> str:
    """A key path as it is written, `model.prior.scale`."""
    return ".".join(str(key) for key in path)


def read(path: Path) -> Settings:
    """Settings from a YAML file.

    Args:
      path: The file, UTF-8.

    Raises:
      ConfigError: If the file is missing, is no YAML, has a key twice or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the configuration {path.absolute()}: {_reason(error)}.") from error
    values = _load(text, str(path))
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a configuration must be a mapping of sections. Received {values!r}.")
    places = {key: f"{path}:{line}:{column}" for key, line, column in _marks(_yaml().compose(text))}
    return Settings(values, str(path), path.parent.absolute(), places)


def parse(text: str, place: str) -> Any:
    """A value of YAML 1.2, as `--set` takes it.

    Args:
      text: The YAML.
      place: What errors call the place it was written.

    Raises:
      ConfigError: If the text is no YAML, or no setting can be what it holds.

    Example:
      >>> parse("{name: laplace, scale: 1e-1}", "--set model.prior")
      {'name': 'laplace', 'scale': 0.1}
    """
    return _load(text, place)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error}. Check the path"
    return f"it is not UTF-8 text ({error}). Save it as UTF-8"


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)  # only the pure loader is YAML 1.2: 1e-3 is a number and `no` a word


_YAML_REMEDY = "indent by spaces, write each key once, and put text with special characters in quotes"


def _load(text: str, place: str) -> Any:
    try:
        values = _yaml().load(text)
        if wrong := _unusable(values):
            raise ConfigError(f"{place}: {wrong}")
        return values
    except RecursionError as error:
        raise ConfigError(f"{place}: {_TOO_DEEP} Received more; write it flatter.") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark and not place.startswith("--") else ""
        received = text.splitlines()[mark.line : mark.line + 1] if mark else [text]
        raise ConfigError(
            f"{place}{where}: not valid YAML: {error.problem}. Received {''.join(received)!r}; {_YAML_REMEDY}."
        ) from error
    except YAMLError as error:
        what = " ".join(str(error).split())
        raise ConfigError(
            f"{place}: not valid YAML: {what}. Received a character that no text has; remove it."
        ) from error


def _unusable(value: Any, path: KeyPath = (), around: tuple[int, ...] = ()) -> str:
    """What no setting can be, though it is YAML: a key that is no string, a value inside itself, endless nesting."""
    if not isinstance(value, dict | list):
        return ""
    where = f"{dotted(path)}: " if path else ""
    if id(value) in around:
        return f"{where}a value must not contain itself. Received an alias of what it is in; write the value out."
    if len(path) > _DEEPEST:
        return f"{where}{_TOO_DEEP} Received more; write it flatter."
    if isinstance(value, dict) and (others := [key for key in value if not isinstance(key, str)]):
        return (
            f"{where}keys must be strings. Received {', '.join(map(repr, others))}; put them in quotes or rename them."
        )
    children = value.items() if isinstance(value, dict) else enumerate(value)
    return next(filter(None, (_unusable(child, (*path, key), (*around, id(value))) for key, child in children)), "")


def _marks(node: Node | None, path: KeyPath = (), seen: frozenset[int] = frozenset()) -> Iterator[tuple[Any, int, int]]:
    """Key path, line and column of everything below a node, counted from 1."""
    if id(node) in seen:  # an anchor that contains itself
        return
    if isinstance(node, MappingNode):
        children = [(key.value, key, value) for key, value in node.value]
    else:
        children = [(i, item, item) for i, item in enumerate(node.value)] if isinstance(node, SequenceNode) else []
    for key, marked, child in children:
        yield (*path, key), marked.start_mark.line + 1, marked.start_mark.column + 1
        yield from _marks(child, (*path, key), seen | {id(node)})


def _with(
    values: Mapping[str, Any],
    path: KeyPath,
    value: Any,
    place: str,
    default_names: Mapping[KeyPath, str],
    done: int = 0,
) -> dict[str, Any]:
    """A copy of the mapping at `path[:done]` with `path` set; a copy, for YAML anchors share mappings."""
    key, here = str(path[done]), path[: done + 1]
    if done + 1 == len(path):
        return {key: value} if key == "name" and path[:done] in default_names else {**values, key: value}
    child = values.get(key)
    if here in default_names and (child is None or isinstance(child, str)):
        child = {"name": child or default_names[here]}
    if not isinstance(child, dict | None):
        raise ConfigError(f"{place}: {dotted(here)} is {child!r}, no mapping; set it whole: --set {dotted(here)}=...")
    return {**values, key: _with(child or {}, path, value, place, default_names, done + 1)}

"""Configurations loaded and written.

Structure and types are checked when a file is loaded, without TensorFlow; `check_names` then looks the registered
pieces up, which imports them.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydantic
from ruamel.yaml import YAML

from bayesconv import settings
from bayesconv.choices import KINDS, check_names, registry
from bayesconv.editor_schema import schema
from bayesconv.problems import problem
from bayesconv.sections import Part, RunConfig, Section
from bayesconv.settings import ConfigError, KeyPath

__all__ = ["KINDS", "ConfigError", "Part", "RunConfig", "check_names", "dump", "load_config", "registry", "schema"]


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> RunConfig:
    r"""A configuration from a YAML file, its structure and types checked.

    Args:
      path: The file.
      overrides: Edits `key.path=value` with YAML values, applied in order.

    Raises:
      ConfigError: With one line for each thing that is wrong: its place, key path, what was received and the choices.

    Example:
      >>> import tempfile, pathlib
      >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.yaml"
      >>> _ = path.write_text("data: digits\nmodel: {name: digits_cnn, prior: {name: laplace, scale: 0.1}}")
      >>> load_config(path, ["model.prior.scale=0.2"]).model.prior.options
      {'scale': 0.2}
    """
    written = settings.read(Path(path))
    default_names = dict(_default_names(RunConfig))
    for edit in overrides:
        written = written.edited(edit, default_names)
    try:
        return RunConfig.model_validate(written.values).read_from(written)
    except pydantic.ValidationError as error:
        raise written.error(map(problem, error.errors())) from error


def dump(config: RunConfig) -> str:
    """The configuration as YAML, defaults included; loading it gives an equal one."""
    stream = io.StringIO()
    YAML().dump(config.model_dump(), stream)
    return stream.getvalue()


def _default_names(section: type[Section], path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    for key, field in section.model_fields.items():
        if field.annotation is Part:
            yield (*path, key), field.default.name if isinstance(field.default, Part) else ""
        elif inspect.isclass(field.annotation) and issubclass(field.annotation, Section):
            yield from _default_names(field.annotation, (*path, key))

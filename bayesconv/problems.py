"""What pydantic finds wrong with a configuration, in the words of this library and of YAML."""

from __future__ import annotations

import functools
import typing
from typing import Any

from bayesconv.sections import RunConfig, unknown_key
from bayesconv.settings import Problem


def problem(error: Any) -> Problem:
    """An entry of `pydantic.ValidationError.errors()` in the words of this library, and the key path it is about."""
    path, received = tuple(error["loc"]), error["input"]
    if error["type"] == "extra_forbidden":
        return path, unknown_key(path[-1], functools.reduce(_field_type, path[:-1], RunConfig).model_fields)
    if error["type"] == "missing":
        return path[:-1], f"needs the key {path[-1]!r}. Received {sorted(map(str, received))}."
    if error["type"] == "value_error":  # one of this library's own validators
        return path, str(error["ctx"]["error"])
    rule = _RULES.get(error["type"], error["msg"].replace("Input should", "must"))
    way_out = f"; write [{received}]" if rule == _LIST and isinstance(received, str) else ""
    return path, f"{rule}. Received {received!r}{way_out}."


_LIST, _MAPPING = "must be a list", "must be a mapping of keys to values"
# YAML's words for Python's types.
_RULES = {
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}


def _field_type(section: Any, key: str | int) -> Any:
    if isinstance(key, int):
        return typing.get_args(section)[0]
    return section.model_fields[key].annotation

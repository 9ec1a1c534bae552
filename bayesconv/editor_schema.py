"""The JSON schema of a configuration, by which editors complete and check it."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pydantic

from bayesconv.choices import DETERMINISTIC, LISTS, OVERRIDABLE, PIECES, registry
from bayesconv.sections import OPTIMIZERS, RunConfig


def schema() -> dict[str, Any]:
    """The JSON schema of a configuration, for completion in editors; imports TensorFlow to know names and options.

    Names that only a plugin registers stay allowed, with any options; those that are registered take theirs.
    """
    result = RunConfig.model_json_schema()
    definitions = result["$defs"]
    for path, kind in (*PIECES.items(), (("training", "optimizer"), None)):
        properties = definitions[str(path[0]).capitalize()]["properties"] if len(path) > 1 else result["properties"]
        field = properties[path[-1]]
        if kind in LISTS:
            lists = [choice for choice in field.get("anyOf", [field]) if choice.get("type") == "array"]
            lists[0]["items"] = _part(kind)
        else:
            _replace(field, _part(kind))
    override = definitions["Override"]["properties"]
    for key, kind in OVERRIDABLE.items():
        _replace(override[key], _part(kind))
    _replace(override["match"], {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Match"}]})
    del definitions["Part"]
    return result


def _part(kind: str | None) -> dict[str, Any]:
    """A name, or a mapping of a name and its options."""
    options = {name: _options(kind, name) for name in registry(kind).names()} if kind else {}
    if kind == "posteriors":
        options[DETERMINISTIC] = {}
    names = list(options) or list(OPTIMIZERS)
    mappings = [_mapping(name, of_name) for name, of_name in options.items()]
    others = {"type": "string", "not": {"enum": list(options)}} if options else {"type": "string"}
    mappings.append({"type": "object", "properties": {"name": others}, "required": ["name"]})
    return {"anyOf": [{"anyOf": [{"enum": names}, {"type": "string"}]}, *mappings]}


def _mapping(name: str, options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    required = [key for key, option in options.items() if option.pop("is_required")]
    return {
        "type": "object",
        "properties": {"name": {"const": name}, **options},
        "required": ["name", *required],
        "additionalProperties": False,
    }


def _options(kind: str, name: str) -> dict[str, dict[str, Any]]:
    """The schema of each option, with `is_required`."""
    found = registry(kind)
    made = {}
    for key, default in found.options(name).items():
        is_required = default is inspect.Parameter.empty
        shown = {} if is_required else _as_default(default)
        made[key] = {**_typed(found.get(name), key), **shown, "is_required": is_required}
    return made


def _typed(piece: Any, key: str) -> dict[str, Any]:
    """The type of an option as a schema; an empty one where a type hint says nothing that YAML could be checked by."""
    try:
        hint = inspect.signature(piece, eval_str=True).parameters[key].annotation
        found = pydantic.TypeAdapter(hint).json_schema()
    except (NameError, pydantic.errors.PydanticUserError):
        return {}
    return {} if "$defs" in found else found


def _as_default(value: Any) -> dict[str, Any]:
    try:
        return {"default": json.loads(json.dumps(value, allow_nan=False))}
    except (TypeError, ValueError):  # a function, or an infinity
        return {}


def _replace(field: dict[str, Any], part: dict[str, Any]) -> None:
    for key in ("$ref", "anyOf", "default"):
        if key != "default" or field.get(key) is None:
            field.pop(key, None)
    field |= part

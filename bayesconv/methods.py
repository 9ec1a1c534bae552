"""How predictions are made: by draws of the weights, or in a single pass of moments with its options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from bayesconv.moments.options import Options
from bayesconv.registry import unknown_name_message

METHODS = ("sampling", "moments")


def options_of(method: Any) -> Options | None:
    """The choices of a single pass of moments; None for draws.

    Args:
      method: `"sampling"`, `"moments"`, or a mapping `{"name": "moments", **options}` with options of
        `bayesconv.moments.propagate`.

    Raises:
      ValueError: If the method, an option or its value is unknown.

    Example:
      >>> options_of("sampling"), options_of({"name": "moments", "covariance": "ignored"}).covariance
      (None, 'ignored')
    """
    name, given = _split(method)
    if not (isinstance(name, str) and name in METHODS):
        raise ValueError(unknown_name_message("value of `method`", name, METHODS))
    accepted = [field.name for field in dataclasses.fields(Options)] if name == "moments" else []
    for option in given:
        if not accepted:
            raise ValueError(f"method={name!r} takes no options here. Received {option!r}; leave it out.")
        if option not in accepted:
            raise ValueError(unknown_name_message(f"option of method={name!r}", option, accepted))
    return Options(**given) if name == "moments" else None


def _split(method: Any) -> tuple[Any, dict[str, Any]]:
    if not isinstance(method, Mapping):
        return method, {}
    if "name" not in method:
        raise ValueError(f"A mapping that chooses `method` needs a 'name'. Received keys {sorted(map(str, method))}.")
    return method.get("name"), {key: value for key, value in method.items() if key != "name"}

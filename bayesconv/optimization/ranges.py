"""Which numbers an optimizer takes; Keras takes any, and trains to nowhere."""

from __future__ import annotations

import math
from typing import Any

_POSITIVE = ("epsilon", "clipnorm", "clipvalue", "global_clipnorm")


def check_numbers(**numbers: Any) -> None:
    """Raises a ValueError if a number is out of its range.

    A memory, whose name begins with `beta`, is below 1 and not negative; weight decay is not negative; all else is
    positive.
    """
    for name, value in numbers.items():
        if not _fits(name, value):
            raise ValueError(f"`{name}` must be {_rule(name)}. Received {value!r}.")


def check_options(options: dict[str, Any]) -> None:
    """As `check_numbers` for those of an optimizer's options that have a range; None stands for off."""
    known = {key: value for key, value in options.items() if value is not None}
    check_numbers(**{key: value for key, value in known.items() if key in _POSITIVE or _rule(key) != _rule("")})


def _rule(name: str) -> str:
    if name.startswith("beta"):
        return "at least 0 and below 1"
    return "finite and not negative" if name == "weight_decay" else "positive and finite"


def _fits(name: str, value: Any) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    if name.startswith("beta"):
        return 0.0 <= number < 1.0
    return (number >= 0.0 if name == "weight_decay" else number > 0.0) and number < math.inf

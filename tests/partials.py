"""Partial applications as `functools.partial` makes them once something has looked at their attributes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def nested(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A partial application that stays one of its own inside of another."""
    bound = functools.partial(function, **options)
    vars(bound)  # makes its __dict__, with which functools no longer merges the two
    assert isinstance(functools.partial(bound).func, functools.partial)
    return bound

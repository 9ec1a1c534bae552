"""Thin coverings of a product: what runs always, while the rest of the product runs with `-m full`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def diagonal(*factors: Iterable[Any], width: int = 1, always: Sequence[Any] = ()) -> list[Any]:
    """Parameters of the product of factors: those on a few diagonals run always, the others are marked `full`.

    Every level of every factor is on the diagonals at least `width` times, each time beside other levels.

    Args:
      *factors: The levels of each factor.
      width: Number of diagonals.
      always: Levels of any factor of which all combinations run always.

    Returns:
      Parameters for `pytest.mark.parametrize`.
    """
    levels = [list(factor) for factor in factors]
    length = max(map(len, levels))
    kept = {
        tuple((row + column * shift) % len(factor) for column, factor in enumerate(levels))
        for row in range(length)
        for shift in range(width)
    }
    everywhere = itertools.product(*(range(len(factor)) for factor in levels))
    return [_parameter(levels, at, kept, always) for at in everywhere]


def in_turn(*factors: Sequence[Any]) -> list[tuple[Any, ...]]:
    """As many combinations as the longest factor has levels, so that every level of every factor is there."""
    return [tuple(factor[row % len(factor)] for factor in factors) for row in range(max(map(len, factors)))]


def _parameter(levels: list[list[Any]], at: tuple[int, ...], kept: set[tuple[int, ...]], always: Sequence[Any]) -> Any:
    values = [factor[index] for factor, index in zip(levels, at, strict=True)]
    is_kept = at in kept or any(value in always for value in values)
    return pytest.param(*values, marks=() if is_kept else pytest.mark.full)

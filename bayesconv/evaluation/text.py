"""Rows of cells as lines of text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right.

    Args:
      rows: As many cells in each.

    Example:
      >>> aligned([["", "NLL"], ["test images", "0.1"]])
      ['             NLL', 'test images  0.1']
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return ["  ".join(cells).rstrip() for cells in lines]

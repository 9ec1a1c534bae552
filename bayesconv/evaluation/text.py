"""What all reports say as text: rows of cells, and how predictions were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bayesconv.splits import TEST


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


def scored(report: Mapping[str, Any]) -> str:
    """What the scores of a report are of; one of an earlier version does not say it, and is of test images.

    Example:
      >>> scored({"split": "validation", "kind": "series"}), scored({"num_examples": 20})
      ('validation series', 'test examples')
    """
    kind = report.get("kind") or ("images" if "num_images" in report else "examples")
    return f"{report.get('split') or TEST} {kind}"


def counted(count: int, things: str) -> str:
    """A number of things, of which the plural is given.

    Example:
      >>> counted(1, "test images"), counted(20, "test images"), counted(1, "test series")
      ('1 test image', '20 test images', '1 test series')
    """
    is_one = count == 1 and not things.endswith("series")
    return f"{count} {things.removesuffix('s') if is_one else things}"


def number(value: float | None, form: str = ".4f") -> str:
    """A number; a dash for None."""
    return "-" if value is None else format(value, f"z{form}")  # z: no minus before a zero


def ends(interval: Mapping[str, float | None] | None, form: str = ".3f") -> str:
    """Both ends of an interval, of shares in percent; a dash for None.

    Example:
      >>> ends({"lower": 0.25, "upper": 0.5}), ends({"lower": 0.25, "upper": 0.5}, ".1%"), ends(None)
      ('0.250-0.500', '25.0-50.0', '-')
      >>> ends({"lower": -0.5, "upper": 0.5}, ".1f"), ends({"lower": -1e-6, "upper": 0.5}, ".1f")
      ('-0.5 to 0.5', '0.0-0.5')
    """
    if not interval or interval["lower"] is None or interval["upper"] is None:
        return "-"
    low, high = (number(interval[end], form).removesuffix("%") for end in ("lower", "upper"))
    return f"{low}{' to ' if '-' in low else '-'}{high}"


def figure(entry: Mapping[str, Any], key: str, form: str = ".4f", within: str = ".3f") -> tuple[str, str]:
    """A number of a report and its interval, `-` for what there is not."""
    return number(entry.get(key), form), ends((entry.get("intervals") or {}).get(key), within)


def with_intervals(label: str, figures: Iterable[tuple[str, str]]) -> list[list[str]]:
    """A row of numbers, and under it one of their intervals if there is any.

    Args:
      label: Of the row; its indentation is kept.
      figures: Numbers and intervals.

    Example:
      >>> with_intervals("test images", [("0.30", "0.25-0.35"), ("0.1", "-")])
      [['test images', '0.30', '0.1'], ['  95 % interval', '0.25-0.35', '-']]
    """
    numbers, intervals = zip(*figures, strict=True)
    indent = " " * (len(label) - len(label.lstrip()))
    under = [[f"{indent}  95 % interval", *intervals]] if set(intervals) - {"", "-"} else []
    return [[label, *numbers], *under]


def severities(report: Mapping[str, Any], corruption: str) -> list[Mapping[str, Any]]:
    """Scores of the same images as they are, and under each severity of a corruption.

    A report of an earlier version does not have the former: those of all test images stand for them.
    """
    return [report.get("uncorrupted") or report, *report["shift"][corruption]]


def manner_of(report: Mapping[str, Any]) -> str:
    """How the predictions of a report were made, for its heading.

    Args:
      report: With the entries of `evaluation.predicting.provenance`.

    Example:
      >>> entries = {"method": "sampling", "num_samples": 5, "seed": 0, "temperature": None}
      >>> manner_of({**entries, "members": 5, "is_random": False})
      '5 members, point weights, seed 0'
      >>> manner_of({**entries, "members": 1, "is_random": True})
      '5 draws of dropout masks, point weights, seed 0'
    """
    temperature, count = report["temperature"], report.get("members", 1)
    is_random = report.get("is_random", temperature is not None)
    parts = [f"{count} members"] if count > 1 else []
    if is_random and report["method"] == "moments":
        parts.append("single passes of moments" if count > 1 else "single pass of moments")
    elif is_random:
        masks = " of dropout masks" if temperature is None else ""
        parts.append(f"{_draws(report['num_samples'])} draws{masks}{' in all' if count > 1 else ''}")
    parts.append("point weights" if temperature is None else f"KL temperature {temperature:g}")
    return ", ".join(parts if report["seed"] is None else [*parts, f"seed {report['seed']}"])


def _draws(num_samples: Any) -> str:
    return str(num_samples) if isinstance(num_samples, int) else " to ".join(map(str, sorted(set(num_samples))))

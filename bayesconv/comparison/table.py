"""A comparison as text and as CSV."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence

from bayesconv.comparison.comparing import Comparison, Row, Score
from bayesconv.comparison.directions import direction
from bayesconv.comparison.grouping import joined
from bayesconv.comparison.paired import PairedTest

_WIDEST = 100  # characters of a line
_WIDEST_LINE = 118  # of one of differences, settings or notes, which are read one by one
_WIDEST_SETTING = 28


def table(comparison: Comparison) -> str:
    """The means with their intervals, the differences from the baseline with their p-values, and the notes."""
    blocks = _score_blocks(comparison)
    if len(comparison.rows) > 1:
        blocks += [[f"Differences from {comparison.baseline}:"], _difference_lines(comparison)]
    if any(row.settings for row in comparison.rows) and not _is_named_by_settings(comparison):
        blocks += [["Settings that differ:"], *_setting_blocks(comparison)]
    return "\n\n".join("\n".join(block) for block in [*blocks, _notes(comparison)] if block) + "\n"


def as_csv(comparison: Comparison) -> str:
    """One line for each configuration and metric."""
    keys = list(comparison.rows[0].settings)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    tests = [f"{kind}_{field}" for kind in ("seeds", "images") for field in PairedTest._fields]
    writer.writerow(["configuration", *keys, "metric", "num_runs", "mean", "lower", "upper", "best", *tests])
    for row in comparison.rows:
        for metric, score in row.scores.items():
            numbers = [len(score.by_seed), score.mean, score.lower, score.upper]
            found = [*_fields(row.by_seeds.get(metric)), *_fields(row.by_images.get(metric))]
            best = int(row.name in comparison.best.get(metric, ()))
            writer.writerow([row.name, *row.settings.values(), metric, *numbers, best, *found])
    return stream.getvalue()


def _fields(test: PairedTest | None) -> Sequence[float | None]:
    return test if test is not None else [None] * len(PairedTest._fields)


def _score_blocks(comparison: Comparison) -> list[list[str]]:
    """The metrics in as few tables as are not too wide, each with all configurations."""
    names, columns = _name_columns(comparison), [_column(comparison, metric) for metric in comparison.metrics]
    blocks: list[list[list[str]]] = [[]]
    for column in columns:
        if blocks[-1] and _width([*names, *blocks[-1], column]) > _WIDEST:
            blocks.append([])
        blocks[-1].append(column)
    return [_aligned(list(zip(*names, *block, strict=True))) for block in blocks]


def _name_columns(comparison: Comparison) -> list[list[str]]:
    rows = comparison.rows
    runs = ["runs", *(str(len(row.folders)) for row in rows)]
    if _is_named_by_settings(comparison):
        return [*([key, *(row.settings[key] for row in rows)] for key in rows[0].settings), runs]
    return [["configuration", *(row.name for row in rows)], runs]


def _is_named_by_settings(comparison: Comparison) -> bool:
    return all(row.name == joined(row.settings) for row in comparison.rows)


def _setting_blocks(comparison: Comparison) -> list[list[str]]:
    """The settings that differ, a line each, and the configurations in columns; as many tables as it takes."""
    keys = list(comparison.rows[0].settings)
    blocks: list[list[list[str]]] = [[]]
    for row in comparison.rows:
        column = [row.name, *(row.settings[key] for key in keys)]
        if blocks[-1] and _wrapped_width([["", *keys], *blocks[-1], column]) > _WIDEST_LINE:
            blocks.append([])
        blocks[-1].append(column)
    return [_aligned(_wrapped(list(zip(["", *keys], *block, strict=True)))) for block in blocks if keys]


def _wrapped_width(columns: Sequence[Sequence[str]]) -> int:
    return sum(min(max(map(len, column)), _WIDEST_SETTING) + 2 for column in columns)


def _wrapped(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows, with long cells going on in the rows below."""
    lines: list[list[str]] = []
    for row in rows:
        cells = [textwrap.wrap(cell, _WIDEST_SETTING) or [""] for cell in row]
        lines += [[part[i] if i < len(part) else "" for part in cells] for i in range(max(map(len, cells)))]
    return lines


def _column(comparison: Comparison, metric: str) -> list[str]:
    best = comparison.best.get(metric, ())
    return [_heading(metric), *(_cell(row.scores[metric], row.name in best) for row in comparison.rows)]


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in columns)


def _heading(metric: str) -> str:
    sign = {"higher": " (+)", "lower": " (-)", None: ""}[direction(metric)]
    return f"{metric}{sign}"


def _cell(score: Score, is_best: bool) -> str:
    half = "" if score.upper is None else f" +-{score.upper - score.mean:.4f}"
    return f"{_signless_zero(f'{score.mean:.4f}')}{half}{' *' if is_best else ''}"


def _signless_zero(text: str) -> str:
    """A number as text, without the minus of one that was rounded to zero."""
    return text.removeprefix("-") if not text.strip("-0.") else text


def _difference_lines(comparison: Comparison) -> list[str]:
    """A line for each configuration and metric; the name stands before the first, or above it if there is no room."""
    others, metrics = [row for row in comparison.rows if row.name != comparison.baseline], comparison.metrics
    header = ["metric", "over seeds", "p", "over images", "p"]
    lines = _aligned([header, *([m, *_difference_cells(row, m)] for row in others for m in metrics)])
    names = ["", *(name for row in others for name in [row.name, *[""] * len(metrics)][: len(metrics)])]  # said once
    width = max(map(len, names))
    if width + 2 + max(map(len, lines)) <= _WIDEST_LINE:
        return [f"{name:<{width}}  {line}" for name, line in zip(names, lines, strict=True)]
    return [part for name, line in zip(names, lines, strict=True) for part in ([f"{name}:"] if name else []) + [line]]


def _difference_cells(row: Row, metric: str) -> list[str]:
    cells = []
    for test in (row.by_seeds.get(metric), row.by_images.get(metric)):
        cells += ["-", "-"] if test is None else [_interval(test), _p_value(test.p_adjusted)]
    return cells


def _interval(test: PairedTest) -> str:
    if test.lower is None or test.upper is None:
        return _signed(test.difference)
    return f"{_signed(test.difference)} ({_signed(test.lower)} to {_signed(test.upper)})"


def _signed(value: float) -> str:
    text = f"{value:+.4f}"
    return text if text.strip("+-0.") else text[1:]


def _p_value(p: float | None) -> str:
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _notes(comparison: Comparison) -> list[str]:
    percent = f"{comparison.level:.0%}"
    notes = [f"Mean over runs +- half of Student's {percent} interval. (+) higher is better, (-) lower; * the best."]
    if len(comparison.rows) > 1:
        notes.append(
            f"Differences with {percent} intervals. Over seeds: paired t-test, would it be so with other seeds? Over "
            "images: sign-flip\nor McNemar's test, would it be so on other images? p-values adjusted by Holm's "
            "method, by column and metric."
        )
    return [*notes, *(_filled(note) for note in comparison.notes)]


def _filled(note: str) -> str:
    return textwrap.fill(note, _WIDEST_LINE, break_long_words=False, break_on_hyphens=False)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

"""A comparison as text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from bayesconv.comparison.comparing import Comparison, Row, Score
from bayesconv.comparison.directions import direction
from bayesconv.comparison.paired import PairedTest

_WIDEST = 100  # characters of a line


def table(comparison: Comparison) -> str:
    """The means with their intervals, the differences from the baseline with their p-values, and the notes."""
    blocks = _score_blocks(comparison)
    if len(comparison.rows) > 1:
        blocks += [[f"Differences from {comparison.baseline}:"], _aligned(_difference_rows(comparison))]
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
    names = [[key, *(row.settings[key] for row in rows)] for key in rows[0].settings]
    runs = ["runs", *(str(len(row.folders)) for row in rows)]
    return [*(names or [["configuration", *(row.name for row in rows)]]), runs]


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
    return f"{score.mean:.4f}{half}{' *' if is_best else ''}"


def _difference_rows(comparison: Comparison) -> list[list[str]]:
    rows = [["", "metric", "over seeds", "p", "over images", "p"]]
    for row in comparison.rows:
        if row.name == comparison.baseline:
            continue
        names = [row.name, *[""] * len(comparison.metrics)]  # said once
        rows += [[name, m, *_difference_cells(row, m)] for name, m in zip(names, comparison.metrics, strict=False)]
    return rows


def _difference_cells(row: Row, metric: str) -> list[str]:
    cells = []
    for test in (row.by_seeds.get(metric), row.by_images.get(metric)):
        cells += ["-", "-"] if test is None else [_interval(test), _p_value(test.p_adjusted)]
    return cells


def _interval(test: PairedTest) -> str:
    if test.lower is None or test.upper is None:
        return f"{test.difference:+.4f}"
    return f"{test.difference:+.4f} ({test.lower:+.4f} to {test.upper:+.4f})"


def _p_value(p: float | None) -> str:
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _notes(comparison: Comparison) -> list[str]:
    percent = f"{comparison.level:.0%}"
    notes = [f"Mean over runs +- half of Student's {percent} interval. (+) higher is better, (-) lower; * the best."]
    if len(comparison.rows) > 1:
        notes.append(
            f"Differences with {percent} intervals. Over seeds: paired t-test, would it be so with other seeds? Over "
            "images: sign-flip\nor McNemar's test, would it be so on other test images? p-values adjusted by Holm's "
            "method, by column and metric."
        )
    return [*notes, *comparison.notes]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

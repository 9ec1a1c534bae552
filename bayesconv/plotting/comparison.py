"""Configurations side by side, metric by metric."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayesconv.plotting.theme import BLUE, GREY, INK, ORANGE, AxesArray, own_axes, styled

Scores = Mapping[str, Mapping[str, Sequence[float]]]
Intervals = Mapping[str, Mapping[str, tuple[float, float | None, float | None]]]

_COLUMNS = 3
_LONGEST_LINE = 34  # characters of a line of a name
_HINT = {"higher": "higher is better", "lower": "lower is better"}


@styled
def comparison_dots(
    values: Scores,
    intervals: Intervals,
    axes: AxesArray | None = None,
    *,
    better: Mapping[str, str | None] | None = None,
    best: Mapping[str, Sequence[str]] | None = None,
    baseline: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> AxesArray:
    r"""A panel for each metric with a row for each configuration: the mean with its interval, and the single runs.

    Args:
      values: Metric to configuration to the figures of its runs.
      intervals: Metric to configuration to the mean and the ends of its interval, None where there is none.
      axes: As many axes as metrics, or None for a new figure.
      better: Metric to `"higher"` or `"lower"`, for the labels.
      best: Metric to the configurations that are marked as the best.
      baseline: The configuration whose mean is drawn as a line through all rows.
      labels: Metric to what it is called on paper.

    Returns:
      The axes, one for each metric.

    Raises:
      ValueError: If there is no metric, the metrics have other configurations, or there are too few or many axes.

    Example:
      >>> runs = {"nll": {"normal": [0.24, 0.26], "laplace": [0.22, 0.20]}}
      >>> intervals = {"nll": {"normal": (0.25, 0.12, 0.38), "laplace": (0.21, 0.08, 0.34)}}
      >>> axes = comparison_dots(runs, intervals, better={"nll": "lower"}, best={"nll": ["laplace"]})
      >>> axes[0].get_xlabel()
      'nll\nlower is better'
    """
    names = _check(values, intervals)
    lines = max(_in_lines(name).count("\n") + 1 for name in names)
    axes = _panels(len(values), len(names), lines) if axes is None else np.ravel(np.asarray(axes, object))
    if len(axes) != len(values):
        raise ValueError(f"`axes` must be one for each of {len(values)} metrics. Received {len(axes)}.")
    for i, (metric, ax) in enumerate(zip(values, axes, strict=True)):
        own_axes(ax)
        marked = (best or {}).get(metric, ())
        for row, name in enumerate(names):
            _draw_row(values[metric][name], intervals[metric][name], row, ax, is_best=name in marked)
        if baseline is not None:
            ax.axvline(intervals[metric][baseline][0], color=GREY, linestyle="--", linewidth=1.4, zorder=1)
        name = (labels or {}).get(metric, metric.replace("_", " "))
        hint = _HINT.get((better or {}).get(metric) or "")
        ax.set_xlabel(f"{name}\n{hint}" if hint else name)
        _name_rows(names, ax, shown=i % _columns(len(values)) == 0)
    _explain(
        axes[0], several=any(len(v) > 1 for v in values[next(iter(values))].values()), baseline=baseline, best=best
    )
    return axes


def _columns(count: int) -> int:
    return min(_COLUMNS, count) if count != 4 else 2


def _panels(count: int, rows: int, name_lines: int) -> AxesArray:
    columns = _columns(count)
    lines = math.ceil(count / columns)
    row = 0.22 + 0.2 * name_lines  # inches: a line of a name takes 0.2
    size = (2.2 + 3.9 * columns, (1.3 + row * rows) * lines + 0.4)
    grid = plt.subplots(lines, columns, figsize=size, squeeze=False)[1].ravel()
    for ax in grid[count:]:
        ax.remove()
    return grid[:count]


def _draw_row(
    runs: Sequence[float], interval: tuple[float, float | None, float | None], row: int, ax: Axes, *, is_best: bool
) -> None:
    mean, lower, upper = interval
    color, marker = (ORANGE, "D") if is_best else (BLUE, "o")
    if len(runs) > 1:
        ax.plot(runs, [row] * len(runs), "|", color=color, markersize=11, markeredgewidth=1.4, alpha=0.7, zorder=2)
    if lower is not None and upper is not None:
        ax.plot([lower, upper], [row, row], color=color, linewidth=2.2, solid_capstyle="butt", zorder=3)
    ax.plot([mean], [row], marker, color=color, markersize=9, markeredgecolor="white", markeredgewidth=1.2, zorder=4)


def _name_rows(names: Sequence[str], ax: Axes, *, shown: bool) -> None:
    ax.set(yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5))
    ax.set_yticklabels([_in_lines(name) for name in names] if shown else [])
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=4)


def _in_lines(name: str) -> str:
    """A name, with a line for each setting if it is long."""
    if len(name) <= _LONGEST_LINE:
        return name
    return "\n".join(textwrap.fill(setting, _LONGEST_LINE) for setting in _settings(name))


def _settings(name: str) -> list[str]:
    """The parts of a name between its commas, but for those inside of brackets."""
    found: list[str] = []
    for part in name.split(", "):
        if found and sum(map(found[-1].count, "([")) > sum(map(found[-1].count, ")]")):
            found[-1] += f", {part}"
        else:
            found.append(part)
    return found


def _explain(ax: Axes, *, several: bool, baseline: str | None, best: Mapping[str, Sequence[str]] | None) -> None:
    """One legend for the whole figure, above its panels."""
    options: dict[str, Any] = {"markeredgecolor": "white", "markersize": 9}
    entries = [Line2D([], [], color=BLUE, marker="o", label="mean with interval" if several else "figure", **options)]
    if best:
        entries.append(Line2D([], [], color=ORANGE, marker="D", label="the best", **options))
    if several:
        entries.append(Line2D([], [], color=INK, marker="|", linestyle="", markersize=11, label="one run"))
    if baseline is not None:
        name = _in_lines(baseline)
        label = f"baseline:\n{name}" if "\n" in name else f"baseline: {name}"
        entries.append(Line2D([], [], color=GREY, linestyle="--", linewidth=1.4, label=label))
    width = sum(0.7 + 0.1 * max(map(len, str(entry.get_label()).splitlines())) for entry in entries)  # inches
    columns = len(entries) if width <= ax.figure.bbox.width / ax.figure.dpi else min(2, len(entries))
    ax.figure.legend(handles=entries, loc="outside upper left", ncols=columns, frameon=False, handlelength=1.6)


def _check(values: Scores, intervals: Intervals) -> list[str]:
    if not values or values.keys() != intervals.keys():
        raise ValueError(
            f"`values` and `intervals` must be of the same metrics. Received {list(values)} and {list(intervals)}."
        )
    names = list(next(iter(values.values())))
    for metric in values:
        if list(values[metric]) != names or list(intervals[metric]) != names or not names:
            raise ValueError(
                f"Every metric must have the configurations {names}. {metric!r} has {list(values[metric])}."
            )
    return names

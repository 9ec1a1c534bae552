"""The results as a picture: ratios to the plain net on a logarithmic axis, with their spread, and the bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bayesconv.plotting import theme
from benchmarks.bars import bar
from benchmarks.results import by_task
from benchmarks.tables import TITLES

LABELS = {
    "training": "time / a step of the plain net",
    "bfloat16, training": "time / a step of the plain net in float32",
    "prediction": "time / passes of the plain net",
    "bfloat16, prediction": "time / passes of the plain net in float32",
    "one image": "time / passes of the plain net",
    "tracing": "time / first step of the plain net",
    "memory": "peak / that of the plain net",
    "peers, training": "time / a step of the plain net",
    "peers, prediction": "time / passes of the plain net",
}
FIGURES = {
    "": ("training", "bfloat16, training", "prediction", "bfloat16, prediction", "one image"),
    "_new_process": ("tracing", "memory"),
    "_peers": ("peers, training", "peers, prediction"),
}
TICKS = (0.25, 0.5, 1, 2, 4, 8, 16, 32)
FINE_TICKS = (0.5, 0.6, 0.8, 1, 1.2, 1.5, 2, 3, 4, 5, 6)
ROW_HEIGHT = 0.36  # inches


def write(path: Path, results: Mapping[str, Any]) -> list[Path]:
    """Draws what there is: `<path>.png`, `<path>_new_process.png` and `<path>_peers.png`.

    Args:
      path: Of the first, ending in `.png`.
      results: What `benchmarks.results.load` gives.

    Returns:
      The files that were written.
    """
    shown, written = by_task(results), []
    for suffix, names in FIGURES.items():
        chosen = {name: shown[name] for name in names if name in shown}
        if chosen:
            with theme.style():
                file = path.with_name(f"{path.stem}{suffix}.png")
                written.append(theme.save(draw(chosen), file, close=True))
    return written


def draw(results: Mapping[str, Mapping[str, Any]]) -> Figure:
    """A figure with a row for each section and a column for each net.

    Args:
      results: What `benchmarks.results.by_task` gives, or a part of it.
    """
    sections = list(results)
    nets = list(dict.fromkeys(net for name in sections for net in results[name]))
    heights = [max(len(entry["rows"]) for entry in results[name].values()) + 2.2 for name in sections]
    size = (7.6 * len(nets), ROW_HEIGHT * sum(heights) + 0.6)
    figure, axes = plt.subplots(len(sections), len(nets), figsize=size, height_ratios=heights, squeeze=False)
    for row, section in zip(axes, sections, strict=True):
        for ax, net in zip(row, nets, strict=True):
            if net in results[section]:
                _draw_panel(ax, section, net, results[section][net]["rows"])
            else:
                ax.axis("off")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_panel(ax: Axes, section: str, net: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    theme.own_axes(ax)
    ax.axvline(1.0, color=theme.GREY, linewidth=1.2, zorder=1)
    for position, (name, row) in enumerate(rows.items()):
        limit = bar(section, net, name)
        color = _color(row["ratio"], limit)
        ax.plot([row["lowest"], row["highest"]], [position] * 2, color=color, linewidth=2, alpha=0.45, zorder=2)
        ax.plot(row["ratio"], position, "o", color=color, markersize=8, zorder=3)
        ax.annotate(f"{row['ratio']:.2f}", (1.01, position), xycoords=ax.get_yaxis_transform(), va="center", size=11)
        if limit is not None:
            ax.plot([limit] * 2, [position - 0.38, position + 0.38], color=theme.INK, linewidth=2.4, zorder=4)
    ax.set(yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.4, -0.6), xscale="log")
    ax.grid(False, axis="y")
    ax.set(title=f"{net}: {TITLES[section].lower()}", xlabel=LABELS[section])
    _set_ticks(ax, section, net, rows)


def _set_ticks(ax: Axes, section: str, net: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    limits = [limit for name in rows if (limit := bar(section, net, name)) is not None]
    values = [1.0, *limits, *(row[key] for row in rows.values() for key in ("lowest", "highest"))]
    ax.set_xlim(min(values) / 1.15, max(values) * 1.15)
    ax.xaxis.set_major_locator(FixedLocator(FINE_TICKS if max(values) < 6 * min(values) else TICKS))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _color(ratio: float, limit: float | None) -> str:
    if limit is None:
        return theme.BLUE
    return theme.GREEN if ratio <= limit else theme.VERMILION


def _legend() -> list[Line2D]:
    dot: dict[str, Any] = {"marker": "o", "markersize": 8, "linewidth": 2}
    return [
        Line2D([], [], color=theme.GREEN, label="bar met", **dot),
        Line2D([], [], color=theme.VERMILION, label="bar missed", **dot),
        Line2D([], [], color=theme.BLUE, label="no bar", **dot),
        Line2D(
            [],
            [],
            color=theme.INK,
            label="bar: not to be exceeded",
            marker="|",
            markersize=14,
            markeredgewidth=2.4,
            linewidth=0,
        ),
    ]

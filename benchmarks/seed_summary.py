"""Figures of runs that differ in their seed: the mean over the seeds and its standard error, as Markdown and drawn."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from bayesconv.plotting import theme

Summary = Mapping[str, Any]


class Score(NamedTuple):
    """A column of the table.

    Attributes:
      key: In a summary.
      title: Of the column, and of the panel of the figure.
      form: How a mean is written; one that ends in % is written in percent, its error in percentage points.
    """

    key: str
    title: str
    form: str


SCORES = (
    Score("accuracy", "accuracy", ".2%"),
    Score("nll", "NLL", ".4f"),
    Score("ece", "ECE", ".4f"),
    Score("aurc", "AURC", ".4f"),
    Score("corrupted_nll", "corrupted NLL", ".3f"),
    Score("ood_auroc", "OOD AUROC", ".3f"),
)


def summary_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an evaluation that are compared.

    Returns:
      `accuracy`, `nll`, `ece` with the ends of its null band (`ece_null`), `aurc` by the largest probability,
      `corrupted_nll`, the mean over corruptions and severities, `ood_auroc` by predictive entropy, the mean over the
      sets, and the parts that these are means of.
    """
    corrupted = {name: statistics.mean(part["nll"] for part in parts) for name, parts in report["shift"].items()}
    strange = {name: part["auroc"]["predictive_entropy"] for name, part in report["ood"].items()}
    between = {name: part["auroc"]["mutual_information"] for name, part in report["ood"].items()}
    return {
        **{key: report[key] for key in ("accuracy", "nll", "brier", "ece", "num_samples", "members", "temperature")},
        "ece_null": [report["ece_null"][end] for end in ("lower", "upper")],
        "aurc": report["selection"]["max_probability"]["aurc"],
        "corrupted_nll": statistics.mean(corrupted.values()) if corrupted else None,
        "corrupted_nll_by_corruption": corrupted,
        "ood_auroc": statistics.mean(strange.values()) if strange else None,
        "ood_auroc_by_set": strange,
        "ood_auroc_by_set_mutual_information": between,
    }


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and its standard error; that of a single value is 0, for nothing is known of it.

    Example:
      >>> mean_and_error([1.0, 2.0, 3.0])
      (2.0, 0.5773502691896257)
    """
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return statistics.mean(values), error


def markdown(rows: Mapping[str, Sequence[Summary]]) -> str:
    """The table: mean and standard error over the seeds, for how many the ECE was not above its null band, best epochs.

    Args:
      rows: For each name its summaries, one a seed.
    """
    header = ["configuration", *(score.title for score in SCORES), "ECE if calibrated", "not above", "best epoch"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for name, several in rows.items():
        cells = [f"`{name}`{' (one seed)' if len(several) == 1 else ''}", *(_cell(several, score) for score in SCORES)]
        ends = [statistics.mean(one["ece_null"][i] for one in several) for i in range(2)]
        calibrated = sum(one["ece"] <= one["ece_null"][1] for one in several)
        cells += [f"{ends[0]:.4f} to {ends[1]:.4f}", f"{calibrated} of {len(several)}", _epochs(several)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(several: Sequence[Summary], score: Score) -> str:
    values = [one[score.key] for one in several]
    if any(value is None for value in values):
        return "-"
    mean, error = mean_and_error(values)
    if len(values) == 1:
        return f"{mean:{score.form}}"
    shown = f"{100 * error:{score.form[:-1]}f}" if score.form.endswith("%") else f"{error:{score.form}}"
    return f"{mean:{score.form}} ± {shown}"


def _epochs(several: Sequence[Summary]) -> str:
    epochs = [epoch for one in several for epoch in one["best_epochs"]]
    low, high = min(epochs), max(epochs)
    return str(low) if low == high else f"{low} to {high}"


def draw(rows: Mapping[str, Sequence[Summary]], path: str | Path) -> Path:
    """Draws a panel for each score: a dot for each seed, the mean and its standard error for each name.

    Args:
      rows: As for `markdown`.
      path: A .png file.

    Returns:
      The path.
    """
    shown = [s for s in SCORES if all(one[s.key] is not None for several in rows.values() for one in several)]
    with theme.style():
        figure, axes = plt.subplots(2, -(-len(shown) // 2), figsize=(13, 1.6 + 0.9 * len(rows)), sharey=True)
        for ax, score in zip(axes.flat, shown, strict=False):
            _panel(rows, score, ax)
        for ax in list(axes.flat)[len(shown) :]:
            ax.set_axis_off()
        return theme.save(figure, Path(path), close=True)


def _panel(rows: Mapping[str, Sequence[Summary]], score: Score, ax: Axes) -> None:
    for y, several in enumerate(rows.values()):
        values = [one[score.key] for one in several]
        mean, error = mean_and_error(values)
        ax.plot(values, [y] * len(values), "o", color=theme.SKY, markersize=6, alpha=0.8)
        ax.errorbar([mean], [y], xerr=[error], fmt="|", color=theme.BLUE, markersize=14, capsize=4)
        if score.key == "ece":
            ends = [statistics.mean(one["ece_null"][i] for one in several) for i in range(2)]
            ax.plot(ends, [y, y], color=theme.GREY, linewidth=6, alpha=0.3, solid_capstyle="butt", zorder=0)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_title(f"{score.title} (grey: if calibrated)" if score.key == "ece" else score.title)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    if score.form.endswith("%"):
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))

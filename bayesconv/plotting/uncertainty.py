"""Familiar against strange inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.plotting.theme import BLUE, INK, ORANGE, PALETTE, own_axes, styled


@styled
def uncertainty_histograms(
    in_values: npt.ArrayLike,
    out_values: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    name: str = "mutual information",
    unit: str = "nats",
    in_name: str = "in distribution",
    out_name: str = "out of distribution",
    auroc: float | None = None,
    num_bins: int = 40,
) -> Axes:
    """Densities of an uncertainty on familiar and on strange inputs, over the same bins.

    Args:
      in_values: `[N]`, one value per familiar input.
      out_values: `[M]`, one value per strange input.
      ax: Axes to draw on, or None for a new figure.
      name: What the values are.
      unit: Their unit; empty for none.
      in_name: Name of the familiar data.
      out_name: Name of the strange data.
      auroc: From `bayesconv.metrics.ood_auroc`, for the title.
      num_bins: Number of shared bins.

    Returns:
      The axes.

    Raises:
      ValueError: If either set is empty, not a vector or not finite.

    Example:
      >>> uncertainty_histograms([0.1, 0.2], [0.7, 0.8], auroc=1.0).get_title(loc="left")
      'AUROC 1.000'
    """
    ax = own_axes(ax, (8, 4.8))
    values = [_check_vector("in_values", in_values), _check_vector("out_values", out_values)]
    edges = np.histogram_bin_edges(np.concatenate(values), bins=num_bins)
    for data, label, color in zip(values, (in_name, out_name), (BLUE, ORANGE), strict=True):
        ax.hist(
            data,
            bins=list(edges),
            density=True,
            histtype="stepfilled",
            linewidth=2,
            edgecolor=color,
            facecolor=(color, 0.35),
            label=f"{label} ({len(data):,})",
        )
    ax.set(xlabel=f"{name} [{unit}]" if unit else name, ylabel="density")
    ax.margins(x=0.01)
    if auroc is not None:
        ax.set_title(f"AUROC {auroc:.3f}", loc="left")
    ax.legend(loc="upper right")
    return ax


@styled
def ood_scores(table: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """How well each score tells each set apart from the test data: AUROC bars that start at chance.

    Args:
      table: Set name to score name to AUROC in [0, 1]; a score may be missing from a set.
      ax: Axes to draw on, or None for a new figure.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no score, or an AUROC is outside [0, 1].

    Example:
      >>> ax = ood_scores({"noise": {"predictive_entropy": 0.91, "mutual_information": 0.97}})
      >>> [text.get_text() for text in ax.get_legend().get_texts()]
      ['predictive entropy', 'mutual information']
    """
    scores = list(dict.fromkeys(score for row in table.values() for score in row))
    _check_table(table, scores)
    ax = own_axes(ax, (8, 1.4 + (0.33 * len(scores) + 0.25) * len(table)))
    thickness = 0.8 / len(scores)
    for i, score in enumerate(scores):
        values = {row: aurocs[score] for row, aurocs in enumerate(table.values()) if score in aurocs}
        rows = [row + (i + 0.5) * thickness - 0.4 for row in values]
        _draw_bars(rows, list(values.values()), thickness, score.replace("_", " "), PALETTE[i % len(PALETTE)], ax)
    ax.axvline(0.5, color=INK, linewidth=1.5)
    lowest = min(min(row.values(), default=0.5) for row in table.values())
    ax.set(
        yticks=range(len(table)),
        yticklabels=list(table),
        xlim=(0.5 if lowest >= 0.5 else lowest - 0.1, 1.0),
        xlabel="AUROC (line: chance)",
    )
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(3, len(scores)), borderaxespad=0.2, handlelength=1.2)
    return ax


def _draw_bars(rows: list[float], values: list[float], thickness: float, label: str, color: str, ax: Axes) -> None:
    lengths = np.subtract(values, 0.5)
    bars = ax.barh(rows, lengths, height=0.92 * thickness, left=0.5, color=color, label=label)
    ax.bar_label(bars, labels=[f"{value:.3f}" for value in values], padding=4, fontsize=11)


def _check_vector(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    v = np.asarray(values, np.float64)
    if v.ndim != 1 or not v.size or not np.isfinite(v).all():
        raise ValueError(f"`{name}` must be a vector of finite numbers, not empty. Received shape {list(v.shape)}.")
    return v


def _check_table(table: Mapping[str, Mapping[str, float]], scores: list[str]) -> None:
    if not scores:
        raise ValueError(f"`table` must map set names to score names to AUROC. Received {dict(table)}.")
    for name, row in table.items():
        for score, auroc in row.items():
            if not 0 <= auroc <= 1:
                raise ValueError(f"An AUROC lies in [0, 1]. Received {auroc} for {score!r} on {name!r}.")

"""How a net gets worse as its inputs do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from bayesconv.plotting.theme import GREY, PALETTE, own_axes, styled

_MARKERS = "osD^vP"


@styled
def shift_curves(
    table: Mapping[str, Sequence[float]], ax: Axes | None = None, *, name: str = "accuracy", unit: str = ""
) -> Axes:
    """A score against the severity of each corruption, from the unharmed images on, and the mean over corruptions.

    Args:
      table: Name of a corruption to the score at severities 0, 1, 2, ...; equally many of each.
      ax: Axes to draw on, or None for a new figure.
      name: What the score is; an accuracy is shown in per cent.
      unit: Its unit; empty for none.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no corruption, or scores are missing or not finite.

    Example:
      >>> ax = shift_curves({"blur": [0.9, 0.8, 0.6], "gaussian_noise": [0.9, 0.7, 0.2]})
      >>> [text.get_text() for text in ax.get_legend().get_texts()]
      ['blur', 'gaussian noise', 'mean']
    """
    scores = _checked(table)
    ax = own_axes(ax, (8, 4.8))
    severities = np.arange(scores.shape[1])
    for i, (corruption, values) in enumerate(zip(table, scores, strict=True)):
        color, marker = PALETTE[i % len(PALETTE)], _MARKERS[i % len(_MARKERS)]
        label = corruption.replace("_", " ")
        ax.plot(severities, values, color=color, marker=marker, label=label, linewidth=2, markersize=6)
    if len(scores) > 1:
        ax.plot(severities, scores.mean(axis=0), color=GREY, linestyle="--", linewidth=3, label="mean")
    ax.set(xlabel="severity (0: unharmed)", ylabel=f"{name} [{unit}]" if unit else name, xticks=severities)
    if name == "accuracy":
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return ax


def _checked(table: Mapping[str, Sequence[float]]) -> np.ndarray:
    if not table:
        raise ValueError("`table` maps corruptions to scores. Received none; name some in evaluation.corruptions.")
    lengths = {len(row) for row in table.values()}
    if len(lengths) != 1 or min(lengths) < 2:
        raise ValueError(
            f"Every corruption has a score at each severity, from 0 on. Received rows of {sorted(lengths)}."
        )
    scores = np.array([list(row) for row in table.values()], np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f"Scores are finite numbers. Received {dict(table)}.")
    return scores

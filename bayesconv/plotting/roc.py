"""How well scores tell strange inputs from familiar ones, at every threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.metrics import ood_auroc
from bayesconv.plotting.theme import GREY, legend_beside, own_axes, series, styled, words


@styled
def roc_curves(
    in_scores: Mapping[str, npt.ArrayLike], out_scores: Mapping[str, npt.ArrayLike], ax: Axes | None = None
) -> Axes:
    """Share of strange inputs that a threshold finds against the share of familiar ones it flags, a line a score.

    The area under a line, the AUROC, is in the legend: 1 is perfect, 1/2 is the dashed line of chance.

    Args:
      in_scores: Name of a score to `[N]`, on familiar inputs; higher means stranger. As from
        `bayesconv.metrics.ood_scores`.
      out_scores: The same names to `[M]`, on strange inputs.
      ax: Axes to draw on, or None for a new figure.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no score, names differ, or values are not a finite vector.

    Example:
      >>> ax = roc_curves({"energy": [0.1, 0.2]}, {"energy": [0.3, 0.4]})
      >>> ax.get_legend().get_texts()[0].get_text()
      'energy 1.000'
    """
    if not in_scores or set(in_scores) != set(out_scores):
        raise ValueError(
            "`in_scores` and `out_scores` must name the same scores, one at least. Received "
            f"{sorted(in_scores)} and {sorted(out_scores)}."
        )
    curves = {name: _curve(values, out_scores[name]) for name, values in in_scores.items()}
    ax = own_axes(ax, (8.6, 5.4))
    for i, (name, (false, true, auroc)) in enumerate(curves.items()):
        look: dict[str, Any] = series(i)
        ax.plot(false, true, label=f"{words(name)} {auroc:.3f}", **look)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.5, linestyle="--", label="chance 0.500", zorder=1)
    ticks = np.arange(0, 1.01, 0.2)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xticks=ticks, yticks=ticks, aspect="equal")
    ax.set(xlabel="familiar inputs flagged", ylabel="strange inputs found")
    legend_beside(ax, title="AUROC", alignment="left")
    return ax


def _curve(familiar: npt.ArrayLike, strange: npt.ArrayLike) -> tuple[Any, Any, float]:
    from sklearn.metrics import roc_curve  # slow to import, and only this function needs it

    auroc = ood_auroc(familiar, strange)  # which checks both
    values = np.concatenate([np.asarray(familiar, np.float64), np.asarray(strange, np.float64)])
    is_strange = np.repeat([0, 1], [len(np.asarray(familiar)), len(np.asarray(strange))])
    false, true, _ = roc_curve(is_strange, values)
    return false, true, auroc

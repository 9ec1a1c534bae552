"""What is left of the errors when a model may abstain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from bayesconv.metrics import area_under_risk_coverage
from bayesconv.metrics.selective import check_ranked, risks
from bayesconv.plotting.theme import GREY, own_axes, series, styled

Array = npt.NDArray[np.float64]


@styled
def risk_coverage(
    uncertainty: Mapping[str, npt.ArrayLike],
    losses: Mapping[str, npt.ArrayLike] | npt.ArrayLike,
    ax: Axes | None = None,
    *,
    name: str = "error of what is kept",
) -> Axes:
    """Mean loss of the surest examples against the share of examples that are kept, a line a model.

    The mean height of a line is its AURC, in the legend. The dashed line below is the best order there is, by the
    losses themselves; the dotted one is what a random order gives, the loss of all. Equal uncertainties count as the
    average over their orders.

    Args:
      uncertainty: Name of a model, or of a score, to `[N]`; higher means less sure.
      losses: `[N]`, 1 where the prediction is wrong and 0 where it is right, or any loss; or such an array for each
        name, where models differ.
      ax: Axes to draw on, or None for a new figure.
      name: What the mean loss is.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no model, names differ, shapes do not match or a number is not finite.

    Example:
      >>> ax = risk_coverage({"net": [0.1, 0.2, 0.3, 0.9]}, [0, 0, 0, 1])
      >>> ax.get_lines()[0].get_ydata().tolist()
      [0.0, 0.0, 0.0, 0.25]

    References:
      Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017. arXiv:1705.08500
    """
    models = _paired(uncertainty, losses)
    ax = own_axes(ax, (8, 5))
    drawn = []
    for i, (label, (u, loss)) in enumerate(models.items()):
        look: dict[str, Any] = series(i)
        drawn += ax.plot(_coverage(u), risks(u, loss), label=f"{label}: AURC {_aurc(u, loss)}", zorder=3, **look)
    for i, loss in enumerate(_different([loss for _, loss in models.values()])):
        color = series(i)["color"] if _differ(models) else GREY
        ax.plot(_coverage(loss), risks(loss, loss), color=color, linewidth=1.5, linestyle="--")
        ax.plot([0, 1], [loss.mean()] * 2, color=color, linewidth=1.5, linestyle=":")
    ax.set(xlabel="coverage: share of examples kept, the surest first", ylabel=name, xlim=(0, 1.005))
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]) if min(loss.min() for _, loss in models.values()) < 0 else 0.0)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if all(np.isin(loss, (0, 1)).all() for _, loss in models.values()):
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    grey: dict[str, Any] = {"color": GREY, "linewidth": 1.5}
    best = Line2D([], [], linestyle="--", label="best order", **grey)
    ordered = [best, Line2D([], [], linestyle=":", label="random order", **grey)]
    ax.legend(handles=[*drawn, *ordered], loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
    return ax


def _coverage(values: Array) -> Array:
    return np.arange(1, len(values) + 1) / len(values)


def _aurc(uncertainty: Array, losses: Array) -> str:
    return f"{area_under_risk_coverage(uncertainty, losses):.3g}"


def _differ(models: Mapping[str, tuple[Array, Array]]) -> bool:
    return len(_different([loss for _, loss in models.values()])) > 1


def _different(losses: list[Array]) -> list[Array]:
    """All of them, or one if they are equal, as those of several scores of one model are."""
    return losses if any(not np.array_equal(losses[0], other) for other in losses[1:]) else losses[:1]


def _paired(
    uncertainty: Mapping[str, npt.ArrayLike], losses: Mapping[str, npt.ArrayLike] | npt.ArrayLike
) -> dict[str, tuple[Array, Array]]:
    by_name: Any = losses if isinstance(losses, Mapping) else dict.fromkeys(uncertainty, losses)
    if not uncertainty or list(uncertainty) != list(by_name):
        raise ValueError(
            "`uncertainty` must name at least one model, and `losses` the same ones in the same order. Received "
            f"{list(uncertainty)} and {list(by_name)}."
        )
    return {name: check_ranked(values, by_name[name]) for name, values in uncertainty.items()}

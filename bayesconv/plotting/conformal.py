"""How many classes a set must hold to be right often enough."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from bayesconv.metrics import mean_set_size, set_coverage
from bayesconv.plotting.theme import PALETTE, own_axes, styled


@styled
def conformal_set_sizes(
    sets: Mapping[str, npt.ArrayLike], labels: npt.ArrayLike | None = None, ax: Axes | None = None
) -> Axes:
    """Share of the examples whose set holds no class, one, two, ...; a colour a method.

    Args:
      sets: Name of a method to `[N, K]` booleans, as from `bayesconv.metrics.conformal_sets`.
      labels: `[N]` integers in `[0, K)`, for the share of sets that hold the label; or None.
      ax: Axes to draw on, or None for a new figure.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no method, sets are no booleans `[N, K]`, or labels do not fit them.

    Example:
      >>> ax = conformal_set_sizes({"THR": [[True, False], [True, True]]}, [0, 1])
      >>> ax.get_legend().get_texts()[0].get_text()
      'THR: 1.50 classes, 100.0 % hold the label'
    """
    if not sets:
        raise ValueError("`sets` must name at least one method. Received none.")
    labelled = {name: _label(name, held, labels) for name, held in sets.items()}  # which checks them
    sizes = {label: np.asarray(sets[name]).sum(axis=1) for name, label in labelled.items()}
    ax = own_axes(ax, (8, 4.8))
    largest, width = max(int(size.max()) for size in sizes.values()), 0.84 / len(sizes)
    for i, (label, size) in enumerate(sizes.items()):
        shares = np.bincount(size, minlength=largest + 1) / len(size)
        places = np.arange(largest + 1) + (i + 0.5) * width - 0.42
        ax.bar(places, shares, 0.94 * width, color=PALETTE[i % len(PALETTE)], label=label)
    ax.set(xlabel="classes in the set", ylabel="share of examples", xlim=(-0.6, largest + 0.6))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(False, axis="x")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, handlelength=1.2)
    return ax


def _label(name: str, sets: npt.ArrayLike, labels: npt.ArrayLike | None) -> str:
    text = f"{name}: {mean_set_size(sets):.2f} classes"
    return text if labels is None else f"{text}, {100 * set_coverage(sets, labels):.1f} % hold the label"

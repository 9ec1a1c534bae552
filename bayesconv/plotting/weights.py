"""What the posterior says about the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.plotting.rows import check_layers
from bayesconv.plotting.theme import BLUE, INK, SKY, VERMILION, own_axes, styled

_FLOOR = 1e-3
_LABEL = "|mean| / standard deviation of a weight\nbox: middle half, whiskers: middle 90 %"


@styled
def signal_to_noise(snr_by_layer: Mapping[str, npt.ArrayLike], ax: Axes | None = None) -> Axes:
    """|mean| / standard deviation of the weights of each layer: a box per layer on a logarithmic axis.

    A weight far below 1 is mostly noise and could be pruned. The box holds the middle half of the weights, the whiskers
    the middle 90 %, and the median is written beside it. Ratios below 0.001 are drawn there, as a logarithmic axis has
    no place for the 0 of an untrained bias.

    Args:
      snr_by_layer: Layer name to a vector of ratios, in the order of the network; drawn from the top.
      ax: Axes to draw on, or None for a new figure.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no layer, or ratios are not a non-empty vector, finite and not negative.

    Example:
      >>> ax = signal_to_noise({"conv1": [0.5, 1.0, 2.0], "dense": [0.1, 0.2]})
      >>> [label.get_text() for label in ax.get_yticklabels()]
      ['conv1', 'dense']

    References:
      Blundell et al., Weight Uncertainty in Neural Networks, ICML 2015. arXiv:1505.05424
    """
    layers = check_layers("snr_by_layer", snr_by_layer)
    ax = own_axes(ax, (8, 1.4 + 0.5 * len(layers)))
    ax.set_xscale("log")
    line: dict[str, Any] = {"color": INK, "linewidth": 1.5}
    drawn = ax.boxplot(
        [np.maximum(ratios, _FLOOR) for ratios in layers.values()],
        positions=range(len(layers)),
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": SKY, "edgecolor": BLUE},
        medianprops={"color": VERMILION, "linewidth": 3},
        whiskerprops=line,
        capprops=line,
    )
    for median in drawn["medians"]:
        _write_median(median.get_xdata()[0], float(np.mean(median.get_ydata())), ax)
    ax.set_xlim(right=max(10.0, ax.get_xlim()[1]))
    ax.axvline(1.0, color=INK, linestyle="--", linewidth=1.5)
    ax.text(1.0, 1.01, "mean = std", transform=ax.get_xaxis_transform(), ha="center", va="bottom")
    ax.text(1.01, 1.01, "median", transform=ax.transAxes, va="bottom", color=VERMILION)
    ax.set(yticks=range(len(layers)), yticklabels=list(layers), xlabel=_LABEL)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    return ax


def _write_median(value: float, row: float, ax: Axes) -> None:
    # In the right margin, where no box can be: data in y, axes in x.
    text = f"{value:.2g}" if value > _FLOOR else "< 0.001"
    ax.text(1.01, row, text, transform=ax.get_yaxis_transform(), va="center", color=VERMILION, fontsize=12)

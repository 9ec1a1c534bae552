"""How many weights a network could do without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from bayesconv.plotting.rows import check_layers
from bayesconv.plotting.theme import INK, legend_beside, own_axes, series, styled

_LOWEST, _HIGHEST = 1e-2, 1e2


@styled
def pruning_curve(snr_by_layer: Mapping[str, npt.ArrayLike], ax: Axes | None = None) -> Axes:
    """Share of the weights whose |mean| / standard deviation is at most a threshold, for each layer and for all.

    These would be pruned at that threshold. The legend has the share below 1, where there is more noise than signal.

    Args:
      snr_by_layer: Layer name to a vector of ratios, in the order of the network.
      ax: Axes to draw on, or None for a new figure.

    Returns:
      The axes; the line of all weights is the last.

    Raises:
      ValueError: If there is no layer, or ratios are not a non-empty vector, finite and not negative.

    Example:
      >>> ax = pruning_curve({"conv1": [0.5, 2.0], "dense": [0.1, 0.2]})
      >>> [text.get_text() for text in ax.get_legend().get_texts()]
      ['conv1: 50 %', 'dense: 100 %', 'all: 75 %']

    References:
      Blundell et al., Weight Uncertainty in Neural Networks, ICML 2015. arXiv:1505.05424
    """
    layers = check_layers("snr_by_layer", snr_by_layer)
    ax = own_axes(ax, (8.6, 4.8))
    ax.set_xscale("log")
    thresholds = np.geomspace(_LOWEST, _HIGHEST, 401)
    everything = {"all": np.concatenate(list(layers.values()))} if len(layers) > 1 else {}
    for i, (name, ratios) in enumerate([*layers.items(), *everything.items()]):
        shares = np.searchsorted(np.sort(ratios), thresholds, side="right") / len(ratios)
        look: dict[str, Any] = series(i) if i < len(layers) else {"color": INK, "linewidth": 3.2}
        ax.plot(thresholds, shares, label=f"{name}: {np.mean(ratios < 1):.0%}".replace("%", " %"), **look)
    ax.axvline(1.0, color=INK, linestyle="--", linewidth=1.2, zorder=1)
    ax.set(xlim=(_LOWEST, _HIGHEST), ylim=(0, 1.01))
    ax.set(xlabel="threshold of |mean| / standard deviation", ylabel="weights pruned")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    legend_beside(ax, title="pruned at 1 (dashed)", alignment="left", ncols=1 + len(layers) // 16)
    return ax

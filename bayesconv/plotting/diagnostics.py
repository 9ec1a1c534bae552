"""Where the KL sits, and how far the posteriors have moved away from their priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from bayesconv.plotting.rows import draw_bars, draw_histogram, name_rows
from bayesconv.plotting.theme import GREY, INK, AxesArray, axes_row, styled

_LOWEST, _HIGHEST, _BINS = 1e-4, 10.0, 50


@styled
def posterior_diagnosis(
    kl_by_layer: Mapping[str, float],
    scale_ratios: Mapping[str, npt.ArrayLike | None],
    axes: AxesArray | None = None,
) -> AxesArray:
    """KL of every layer beside a histogram of posterior scale / prior scale, a row a layer from the top.

    A histogram is a band of cells, the darker the more of the layer's weights: at 1 they have the prior's scale, left
    of 0.01 they are points in all but name. Ratios outside of 0.0001 to 10 are drawn at the border.

    Args:
      kl_by_layer: Layer name to KL in nats.
      scale_ratios: Layer name to a vector of ratios, or None for a posterior without scales.
      axes: Two axes to draw on, or None for a new figure.

    Returns:
      The axes, `[2]`: KL, ratios.

    Raises:
      ValueError: If there is no layer, the names differ, a number is not finite, ratios are not positive, or `axes` are
        not two.

    Example:
      >>> axes = posterior_diagnosis({"conv1": 20.0, "head": 300.0}, {"conv1": [0.1, 0.2], "head": None})
      >>> [label.get_text() for label in axes[0].get_yticklabels()]
      ['conv1', 'head']
    """
    names, ratios = list(kl_by_layer), _check(kl_by_layer, scale_ratios)
    left, right = axes_row(axes, ("KL", "ratios"), (13, 1.6 + 0.5 * len(names)))
    _draw_kl(kl_by_layer, left)
    _draw_ratios(ratios, right)
    for ax in (left, right):
        name_rows(names, ax)
    return np.array([left, right])


def _draw_kl(kl_by_layer: Mapping[str, float], ax: Axes) -> None:
    draw_bars(list(kl_by_layer.values()), ax)
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.set(title="Divergence from the prior", xlabel="KL(q || p) [nats]")


def _draw_ratios(ratios: Mapping[str, Any], ax: Axes) -> None:
    edges = np.geomspace(_LOWEST, _HIGHEST, _BINS + 1)
    ax.set_xscale("log")
    for row, values in enumerate(ratios.values()):
        if values is None:
            ax.text(0.5, row, "no scales", transform=ax.get_yaxis_transform(), ha="center", va="center", color=GREY)
            continue
        draw_histogram(values, edges, row, ax)
    for ratio, name in ((1.0, "prior"), (0.01, "point")):
        ax.axvline(ratio, color=INK, linestyle="--", linewidth=1.5)
        ax.text(ratio, 1.01, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom")
    ax.set(xlim=(_LOWEST, _HIGHEST), xlabel="posterior scale / prior scale")


def _check(
    kl_by_layer: Mapping[str, float], scale_ratios: Mapping[str, npt.ArrayLike | None]
) -> dict[str, npt.NDArray[np.float64] | None]:
    if not kl_by_layer or list(kl_by_layer) != list(scale_ratios):
        raise ValueError(
            "A diagnosis is of one layer at least, with the same names in the same order. Received "
            f"{list(kl_by_layer)} and {list(scale_ratios)}."
        )
    if not np.isfinite(list(kl_by_layer.values())).all():
        raise ValueError(f"KLs must be finite. Received {dict(kl_by_layer)}.")
    ratios = {name: None if v is None else np.ravel(np.asarray(v, np.float64)) for name, v in scale_ratios.items()}
    for name, values in ratios.items():
        if values is not None and not (values.size and np.isfinite(values).all() and values.min() >= 0):
            raise ValueError(f"Ratios must be a vector, finite and not negative. Received {values} for {name!r}.")
    return ratios

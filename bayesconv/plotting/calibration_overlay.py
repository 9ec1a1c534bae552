"""Calibration before and after something was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bayesconv.metrics import ReliabilityCurve
from bayesconv.plotting.calibration import check_curve, draw_error_bars, legend_below
from bayesconv.plotting.theme import GREY, own_axes, series, styled

_MARKERS = "osD^vP"


@styled
def calibration_overlay(
    curves: Mapping[str, ReliabilityCurve],
    ax: Axes | None = None,
    *,
    ece: Mapping[str, float] | None = None,
    error_bars: float | None = 0.9,
) -> Axes:
    """Accuracy against confidence of several models in one axes, such as one before and after temperature scaling.

    Error bars are Clopper and Pearson's intervals of the accuracy in each bin. The size of a point tells its share of
    the examples.

    Args:
      curves: Name to what `bayesconv.metrics.reliability_curve` returns.
      ax: Axes to draw on, or None for a new figure.
      ece: The same names to their expected calibration errors, for the legend; or None.
      error_bars: Confidence level of the error bars, or None for none.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no curve, fields do not fit together, an error is missing, or `error_bars` is no share.

    Example:
      >>> from bayesconv.metrics import reliability_curve
      >>> curve = reliability_curve([[0.9, 0.1], [0.2, 0.8]], [0, 0])
      >>> ax = calibration_overlay({"before": curve, "after": curve}, ece={"before": 0.35, "after": 0.1})
      >>> [text.get_text() for text in ax.get_legend().get_texts()]
      ['before, ECE 0.350', 'after, ECE 0.100', 'perfect calibration']
    """
    _check(curves, ece, error_bars)
    ax = own_axes(ax, (6.4, 6.2))
    lines = []
    for i, (name, curve) in enumerate(curves.items()):
        look: dict[str, Any] = series(i)
        full = curve.count > 0
        text = name if ece is None else f"{name}, ECE {ece[name]:.3f}"
        place, accuracy = curve.confidence[full], curve.accuracy[full]
        lines += ax.plot(
            place, accuracy, marker=_MARKERS[i % len(_MARKERS)], markersize=5, label=text, zorder=4, **look
        )
        size = 30 + 370 * curve.count[full] / curve.count.sum()
        ax.scatter(place, accuracy, size, color=look["color"], alpha=0.3, linewidth=0, zorder=2)
        if error_bars is not None:
            draw_error_bars(curve, error_bars, ax, color=look["color"])
    diagonal = ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.5, linestyle="--", label="perfect calibration", zorder=1)
    ticks = np.arange(0, 1.01, 0.2)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xticks=ticks, yticks=ticks, xlabel="confidence", ylabel="accuracy")
    legend_below([*lines, *diagonal], ax)
    return ax


def _check(curves: Mapping[str, ReliabilityCurve], ece: Mapping[str, float] | None, error_bars: float | None) -> None:
    if not curves:
        raise ValueError("`curves` must name at least one model. Received none.")
    for curve in curves.values():
        check_curve(curve, error_bars)
    if ece is not None and set(ece) != set(curves):
        raise ValueError(
            f"`ece` must have the names of `curves`, {sorted(curves)}. Received {sorted(ece)}; leave it out otherwise."
        )

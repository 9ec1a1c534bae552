"""Confidence against accuracy."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from bayesconv.metrics import NullBand, ReliabilityCurve
from bayesconv.plotting.theme import BLUE, GREY, LIGHT, SKY, VERMILION, own_axes, styled

_STRIP = 0.2  # height of the histogram below the accuracy axis, in units of accuracy


@styled
def reliability_diagram(
    curve: ReliabilityCurve,
    ax: Axes | None = None,
    *,
    ece: float | None = None,
    null: NullBand | None = None,
    label: str | None = None,
) -> Axes:
    """Accuracy in each confidence bin, over the band where a calibrated model would be, and a histogram of confidence.

    Points outside their band are drawn in another colour. The histogram has a strip of its own at the foot of the axes.

    Args:
      curve: From `bayesconv.metrics.reliability_curve`.
      ax: Axes to draw on, or None for a new figure.
      ece: Expected calibration error, for the title.
      null: Its band for a calibrated model, from `bayesconv.metrics.ece_null`, for the title.
      label: Name of the model, for the title.

    Returns:
      The axes; the histogram is `ax.child_axes[0]`.

    Raises:
      ValueError: If the fields of `curve` do not fit together.

    Example:
      >>> from bayesconv.metrics import reliability_curve
      >>> ax = reliability_diagram(reliability_curve([[0.9, 0.1], [0.2, 0.8]], [0, 0]), ece=0.35)
      >>> ax.get_title(loc="left")
      'ECE 0.350'
    """
    _check_curve(curve)
    ax = own_axes(ax, (6.4, 6.2))
    band = _draw_bands(curve, ax)
    diagonal = ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.5, linestyle="--", label="perfect calibration")
    points = _draw_points(curve, ax)
    _draw_counts(curve, ax)
    ax.set(xlim=(0, 1), ylim=(-_STRIP, 1.02), yticks=np.arange(0, 1.01, 0.2), xlabel="confidence", ylabel="accuracy")
    ax.set_title("\n".join(filter(None, [label, _ece_text(ece, null)])), loc="left")
    _legend_below([*diagonal, band, *points], ax)
    return ax


def _check_curve(curve: ReliabilityCurve) -> None:
    lengths = [len(field) for field in curve]
    if lengths != [lengths[0], *[lengths[0] - 1] * 5]:
        raise ValueError(
            "`curve` must have B + 1 bin edges and B of everything else, as reliability_curve returns. "
            f"Received lengths {dict(zip(curve._fields, lengths, strict=True))}."
        )


def _draw_bands(curve: ReliabilityCurve, ax: Axes) -> BarContainer:
    return ax.bar(
        curve.bin_edges[:-1],
        curve.upper - curve.lower,
        width=np.diff(curve.bin_edges),
        bottom=curve.lower,
        align="edge",
        color=SKY,
        alpha=0.35,
        label="90 % band if calibrated",
    )


def _draw_points(curve: ReliabilityCurve, ax: Axes) -> list[Line2D]:
    outside = (curve.accuracy < curve.lower) | (curve.accuracy > curve.upper)
    points = []
    for rows, color, name in ((~outside, BLUE, "measured, inside"), (outside, VERMILION, "measured, outside")):
        if np.any(rows & (curve.count > 0)):
            points += ax.plot(
                curve.confidence[rows],
                curve.accuracy[rows],
                "o",
                markersize=9,
                markeredgecolor="white",
                color=color,
                label=name,
                zorder=4,
            )
    return points


def _draw_counts(curve: ReliabilityCurve, ax: Axes) -> None:
    strip = ax.inset_axes((0.0, 0.0, 1.0, 0.85 * _STRIP / (1.02 + _STRIP)), sharex=ax)
    strip.bar(curve.bin_edges[:-1], curve.count, width=np.diff(curve.bin_edges), align="edge", color=LIGHT)
    strip.set(yticks=[], ylim=(0, 1.05 * max(1, curve.count.max())))
    strip.tick_params(labelbottom=False, bottom=False)
    strip.spines[["top", "left", "right"]].set_visible(False)
    strip.patch.set_alpha(0)
    strip.text(
        0.01, 0.9, f"{curve.count.sum():,} examples", transform=strip.transAxes, va="top", fontsize=11, color=GREY
    )


def _legend_below(handles: list[Artist | BarContainer], ax: Axes) -> None:
    # Outside, as an under- or overconfident model has points in either corner; in inches, to clear the axis label.
    below = ax.transAxes + ScaledTranslation(0, -0.62, ax.figure.dpi_scale_trans)
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=2)


def _ece_text(ece: float | None, null: NullBand | None) -> str:
    measured = "" if ece is None else f"ECE {ece:.3f}"
    expected = "" if null is None else f"calibrated: {null.lower:.3f} to {null.upper:.3f}"
    return f"{measured} ({expected})" if measured and expected else measured or expected

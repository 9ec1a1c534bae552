"""Confidence against accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer, ErrorbarContainer
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
    error_bars: float | None = None,
) -> Axes:
    """Accuracy in each confidence bin, over the band where a calibrated model would be, and a histogram of confidence.

    The band is one of consistency, of each bin by itself: the central 95 % of Binomial(n, mean confidence) / n, as the
    curve has it. Points outside of it are drawn in another colour; of 20 bins of a calibrated model one is outside by
    chance. Error bars, if asked for, are the other way round: Clopper and Pearson's interval of the bin's accuracy.
    The histogram has a strip of its own at the foot of the axes.

    Args:
      curve: From `bayesconv.metrics.reliability_curve`.
      ax: Axes to draw on, or None for a new figure.
      ece: Expected calibration error, for the title.
      null: Its band for a calibrated model, from `bayesconv.metrics.ece_null`, for the title.
      label: Name of the model, for the title.
      error_bars: Confidence level of error bars, such as 0.9; None for none.

    Returns:
      The axes; the histogram is `ax.child_axes[0]`.

    Raises:
      ValueError: If the fields of `curve` do not fit together, or `error_bars` is no share.

    Example:
      >>> from bayesconv.metrics import reliability_curve
      >>> ax = reliability_diagram(reliability_curve([[0.9, 0.1], [0.2, 0.8]], [0, 0]), ece=0.35)
      >>> ax.get_title(loc="left")
      'ECE 0.350'

    References:
      Bröcker and Smith, Increasing the Reliability of Reliability Diagrams, Weather and Forecasting 2007; Clopper and
      Pearson, The Use of Confidence or Fiducial Limits, Biometrika 1934.
    """
    check_curve(curve, error_bars)
    ax = own_axes(ax, (6.4, 6.2))
    band = _draw_bands(curve, ax)
    diagonal = ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.5, linestyle="--", label="perfect calibration")
    points = _draw_points(curve, ax)
    bars = [] if error_bars is None else [draw_error_bars(curve, error_bars, ax, color=GREY)]
    _draw_counts(curve, ax)
    ax.set(xlim=(0, 1), ylim=(-_STRIP, 1.02), yticks=np.arange(0, 1.01, 0.2), xlabel="confidence", ylabel="accuracy")
    ax.set_title("\n".join(filter(None, [label, _ece_text(ece, null)])), loc="left")
    legend_below([*diagonal, band, *points, *bars], ax)
    return ax


def check_curve(curve: ReliabilityCurve, error_bars: float | None) -> None:
    """Raises an error unless the fields fit together, and the level of the error bars is a share."""
    if error_bars is not None and not 0 < error_bars < 1:
        raise ValueError(f"`error_bars` must lie strictly between 0 and 1, as a share. Received {error_bars}.")
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
        label="95 % band if calibrated",
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


def draw_error_bars(curve: ReliabilityCurve, level: float, ax: Axes, *, color: str) -> ErrorbarContainer:
    """Clopper and Pearson's interval of the accuracy in each bin that is not empty."""
    from scipy.stats import beta  # slow to import, and only this function needs it

    if not 0 < level < 1:
        raise ValueError(
            f"`error_bars` must lie strictly between 0 and 1, a share and no percentage. Received {level}."
        )
    full = curve.count > 0
    count, accuracy = curve.count[full], curve.accuracy[full]
    right = np.round(accuracy * count)
    # The quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k); nothing is below none right, nor above all right.
    lower = np.where(right > 0, beta.ppf((1 - level) / 2, right, count - right + 1), 0.0)
    upper = np.where(right < count, beta.ppf((1 + level) / 2, right + 1, count - right), 1.0)
    return ax.errorbar(
        curve.confidence[full],
        accuracy,
        yerr=np.maximum([accuracy - lower, upper - accuracy], 0.0),
        fmt="none",
        ecolor=color,
        elinewidth=1.4,
        capsize=3,
        label=f"{100 * level:g} % interval",
        zorder=3,
    )


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


def legend_below(handles: list[Any], ax: Axes) -> None:
    """A legend in two columns under the label of the axis."""
    # Outside, as an under- or overconfident model has points in either corner; in inches, to clear the axis label.
    below = ax.transAxes + ScaledTranslation(0, -0.62, ax.figure.dpi_scale_trans)
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=2)


def _ece_text(ece: float | None, null: NullBand | None) -> str:
    measured = "" if ece is None else f"ECE {ece:.3f}"
    expected = "" if null is None else f"calibrated: {null.lower:.3f} to {null.upper:.3f}"
    return f"{measured} ({expected})" if measured and expected else measured or expected

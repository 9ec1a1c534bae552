"""Predicted real numbers, and how sure of them a model is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.plotting.theme import BLUE, GREY, INK, ORANGE, SKY, VERMILION, own_axes, styled

Array = npt.NDArray[np.float64]


@styled
def predictive_bands(
    x: npt.ArrayLike,
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    aleatoric: npt.ArrayLike | None = None,
    data: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    functions: npt.ArrayLike | None = None,
    num_std: float = 2.0,
) -> Axes:
    """Predictions of a function of one input, over their total and their aleatoric band.

    The inner band is the noise that would remain if the weights were known, the outer one has what is not known of the
    function too: where they part, more data would help.

    Args:
      x: `[P]` inputs, in any order.
      mean: `[P]` predicted mean.
      std: `[P]` standard deviation of the target, everything included.
      ax: Axes to draw on, or None for a new figure.
      aleatoric: `[P]` standard deviation of the noise alone, at most `std`; or None for a single band.
      data: Inputs `[N]` and targets `[N]` that were trained on, or None.
      functions: `[S, P]` means of S draws of the weights, or None.
      num_std: Half width of the bands in standard deviations.

    Returns:
      The axes.

    Raises:
      ValueError: If shapes do not fit, a number is not finite, or a standard deviation is negative or above the total.

    Example:
      >>> ax = predictive_bands([0.0, 1.0], [0.0, 1.0], [0.5, 1.0], aleatoric=[0.4, 0.4], data=([0.2], [0.3]))
      >>> ax.get_legend_handles_labels()[1]
      ['total, ± 2 std', 'aleatoric, ± 2 std', 'mean', 'data']
    """
    places, m, s = _vector("x", x), _vector("mean", mean, len(np.ravel(x))), _spread("std", std, len(np.ravel(x)))
    order = np.argsort(places, kind="stable")
    places, m, s = places[order], m[order], s[order]
    drawn, noise = _draws(functions, len(places)), None
    if aleatoric is not None:
        noise = _spread("aleatoric", aleatoric, len(places))[order]
        if (noise > s * (1 + 1e-6)).any():
            raise ValueError(
                f"`aleatoric` is a part of `std`, so it must not exceed it. Received {noise.max()} against {s.max()}; "
                "is `std` that of the mean alone? Take sqrt(std**2 + aleatoric**2)."
            )
    ax = own_axes(ax, (8, 4.8))
    for width, name, color in ((s, "total", SKY), (noise, "aleatoric", ORANGE)):
        if width is not None:
            half, label = num_std * width, f"{name}, ± {num_std:g} std"
            ax.fill_between(places, m - half, m + half, color=color, alpha=0.35, linewidth=0, label=label)
    for index, function in enumerate(drawn):
        label = "_" if index else "a draw"
        ax.plot(places, function[order], color=BLUE, linewidth=0.9, alpha=0.5, label=label)
    ax.plot(places, m, color=BLUE, linewidth=2.6, label="mean")
    if data is not None:
        seen = _vector("data[0]", data[0])
        targets = _vector("data[1]", data[1], len(seen))
        ax.plot(seen, targets, "o", color=INK, markersize=4, alpha=0.75, markeredgewidth=0, label="data", zorder=4)
    ax.set(xlabel="input", ylabel="target")
    ax.margins(x=0.01)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
    return ax


@styled
def predicted_against_true(
    targets: npt.ArrayLike,
    mean: npt.ArrayLike,
    std: npt.ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    num_std: float = 2.0,
) -> Axes:
    """Predicted against true values, with error bars; those that miss the diagonal are drawn in another colour.

    Args:
      targets: `[N]` true values.
      mean: `[N]` predictions.
      std: `[N]` standard deviation of the target, or None for points alone.
      ax: Axes to draw on, or None for a new figure.
      num_std: Half length of the error bars in standard deviations; of normal targets ± 2 miss one in 22.

    Returns:
      The axes.

    Raises:
      ValueError: If shapes do not fit, a number is not finite, or a standard deviation is negative.

    Example:
      >>> ax = predicted_against_true([1.0, 2.0], [1.1, 3.0], [0.2, 0.2])
      >>> [text.get_text() for text in ax.get_legend().get_texts()]
      ['true = predicted', '± 2 std reach it (1)', '± 2 std miss it (1)']
    """
    y = _vector("targets", targets)
    m = _vector("mean", mean, len(y))
    half = None if std is None else num_std * _spread("std", std, len(y))
    ax = own_axes(ax, (6.2, 6.2))
    ends = [min(y.min(), m.min()), max(y.max(), m.max())]
    ax.plot(ends, ends, color=GREY, linewidth=1.5, linestyle="--", label="true = predicted", zorder=1)
    if half is None:
        ax.plot(y, m, "o", color=BLUE, markersize=5, alpha=0.7, markeredgewidth=0, label="predictions")
    else:
        missed = np.abs(y - m) > half
        for rows, color, verb in ((~missed, BLUE, "reach"), (missed, VERMILION, "miss")):
            label = f"± {num_std:g} std {verb} it ({rows.sum():,})"
            look: dict[str, Any] = {
                "color": color,
                "markersize": 4,
                "elinewidth": 1.0,
                "alpha": 0.7,
                "markeredgewidth": 0,
            }
            if rows.any():
                ax.errorbar(y[rows], m[rows], yerr=half[rows], fmt="o", label=label, **look)
    ax.set(xlabel="true", ylabel="predicted")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
    return ax


def _vector(name: str, values: npt.ArrayLike, length: int | None = None) -> Array:
    v = np.asarray(values, np.float64)
    if v.ndim == 2 and v.shape[1] == 1:  # a net of one output gives a column
        v = v[:, 0]
    if v.ndim != 1 or not v.size or not np.isfinite(v).all() or (length is not None and len(v) != length):
        size = "" if length is None else f" of {length}"
        wrong = int((~np.isfinite(v)).sum())
        received = f"shape {list(v.shape)}" + (f", {wrong} of them not finite" if wrong else "")
        raise ValueError(f"`{name}` must be a vector{size} finite numbers. Received {received}.")
    return v


def _spread(name: str, values: npt.ArrayLike, length: int) -> Array:
    v = _vector(name, values, length)
    if v.min() < 0:
        raise ValueError(f"`{name}` must not be negative; it is no logarithm. Received {v.min()}.")
    return v


def _draws(functions: npt.ArrayLike | None, length: int) -> Array:
    f = np.zeros([0, length]) if functions is None else np.asarray(functions, np.float64)
    if f.ndim != 2 or f.shape[1] != length or not np.isfinite(f).all():
        raise ValueError(f"`functions` must be [S, {length}] finite numbers. Received shape {list(f.shape)}.")
    return f

"""Series in time, small enough to stand beside what a model believes about them."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.plotting.theme import PALETTE

Array = npt.NDArray[np.float64]

MOST_LINES = 4  # channels; more are rows of a picture, in which lines would hide each other


def check_series(series: npt.ArrayLike) -> Array:
    """`[N, T, C]`."""
    x = np.asarray(series, np.float64)
    x = x[..., np.newaxis] if x.ndim == 2 else x
    if x.ndim != 3 or 0 in x.shape[1:]:
        raise ValueError(f"Series are [N, T] or [N, T, C]. Received shape {list(x.shape)}.")
    return x


def series_drawing(series: Array) -> Callable[[Array, Axes], None]:
    """What draws one of some series `[N, T, C]`, all on one scale: a line a channel, or a row a channel of many."""
    low, high = float(np.min(series)), float(np.max(series))
    draw = _draw_lines if series.shape[-1] <= MOST_LINES else _draw_rows
    return functools.partial(draw, low=low, high=high)


def _draw_lines(one: Array, ax: Axes, *, low: float, high: float) -> None:
    for channel, color in zip(one.T, PALETTE, strict=False):
        ax.plot(channel, color=color, linewidth=1.1, marker="o" if len(channel) == 1 else None)
    margin = 0.05 * (high - low) or 0.5
    ax.set_ylim(low - margin, high + margin)
    ax.set_axis_off()


def _draw_rows(one: Array, ax: Axes, *, low: float, high: float) -> None:
    ax.imshow(one.T, cmap="viridis", vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    ax.set_axis_off()

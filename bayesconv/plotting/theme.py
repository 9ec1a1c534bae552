"""The common look: palette, fonts, light grid; and saving."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from bayesconv.files import write_atomically

P = ParamSpec("P")
R = TypeVar("R")
AxesArray = npt.NDArray[np.object_]

# Okabe and Ito, Color Universal Design, 2008.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, GREY, LIGHT = "#222222", "#767676", "#D9D9D9"
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)

_RC: dict[Any, Any] = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.edgecolor": "white",  # a plain white ground, so that no line crosses the words
    "legend.framealpha": 1.0,
    "legend.borderpad": 0.2,
    "lines.linewidth": 2.2,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.prop_cycle": cycler(color=PALETTE),
    "figure.constrained_layout.use": True,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The look of all the figures here, for your own axes; afterwards `matplotlib.rcParams` are as before.

    Example:
      >>> with style():
      ...     float(mpl.rcParams["font.size"])
      13.0
    """
    with mpl.rc_context(_RC):
        yield


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorator: runs a plot function under `style()`."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with style():
            return draw(*args, **kwargs)

    return wrapper


def own_axes(ax: Axes | None, size: tuple[float, float] = (8, 5)) -> Axes:
    """`ax`, or new axes of that size in inches, with a light grid behind the data and no box around them."""
    if ax is None:
        ax = plt.subplots(figsize=size)[1]
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.grid(True, color=LIGHT, linewidth=0.8)
    ax.set_axisbelow(True)
    # Axes that were made elsewhere took their sizes from other settings.
    ax.tick_params(color=GREY, labelcolor=INK, labelsize=_RC["xtick.labelsize"])
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set(size=_RC["axes.labelsize"], color=INK)
    return ax


def save(
    figure_or_axes: Figure | SubFigure | Axes | AxesArray, path: str | os.PathLike[str], *, close: bool = False
) -> Path:
    """Writes the figure as a PNG of 150 dots per inch, whole or not at all.

    Args:
      figure_or_axes: A figure, its axes, or an array of them, as the plot functions return.
      path: The file, ending in `.png`; missing folders are made.
      close: Close the figure then; pyplot keeps it open otherwise.

    Returns:
      The path.

    Raises:
      ValueError: If `path` does not end in `.png`.

    Example:
      >>> import tempfile
      >>> save(plt.figure(), f"{tempfile.mkdtemp()}/empty.png").name
      'empty.png'
    """
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"Figures are saved as PNG: `path` must end in .png. Received {os.fspath(path)!r}.")
    first: Any = figure_or_axes.flat[0] if isinstance(figure_or_axes, np.ndarray) else figure_or_axes
    figure = first.figure if isinstance(first, Axes | SubFigure) else first
    while isinstance(figure, SubFigure):
        figure = figure.figure
    try:
        return write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=150, bbox_inches="tight"))
    finally:
        if close:
            plt.close(figure)


def save_all(figures: Iterable[tuple[str, Any]], folder: str | os.PathLike[str]) -> list[Path]:
    """Draws figures and saves each as `<name>.png`, all of them or, if one fails to be drawn, none.

    Args:
      figures: Pairs of a name and what `save` takes.
      folder: Where they go.

    Returns:
      The paths. Every figure is closed.
    """
    before = set(plt.get_fignums())
    try:
        with plt.rc_context({"figure.max_open_warning": 0}):
            drawn = list(figures)
        return [save(figure, Path(folder) / f"{name}.png") for name, figure in drawn]
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)

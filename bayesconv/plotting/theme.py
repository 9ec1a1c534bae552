"""The common look: palette, fonts, light grid; and saving."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
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
LINES = ("-", "--", ":", "-.")  # beyond six, colours come again with the next of these
FORMATS = ("png", "pdf", "svg")
# No dates, and the same names inside of a file, so that the same figure gives the same bytes.
_UNDATED: dict[str, dict[str, None]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}

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
    "svg.hashsalt": "bayesconv",
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


def axes_row(axes: AxesArray | None, names: Sequence[str], size: tuple[float, float]) -> list[Axes]:
    """As many axes as there are names of what goes on them: those given, or new ones side by side.

    Raises:
      ValueError: If there are more or fewer.
    """
    if axes is None:
        axes = plt.subplots(1, len(names), figsize=size, squeeze=False)[1]
    row = list(np.ravel(np.asarray(axes, object)))
    if len(row) != len(names):
        number = {1: "one", 2: "two", 3: "three"}.get(len(names), len(names))
        raise ValueError(
            f"`axes` must be {number}, for {', '.join(names)}. Received {len(row)}; make plt.subplots(1, {len(names)})."
        )
    return [own_axes(ax) for ax in row]


def series(index: int) -> dict[str, str]:
    """Colour and dashes of the line with that number."""
    return {"color": PALETTE[index % len(PALETTE)], "linestyle": LINES[index // len(PALETTE) % len(LINES)]}


def words(name: str) -> str:
    """A name of code as a name on paper."""
    return name.replace("_", " ")


def legend_beside(ax: Axes, **options: Any) -> None:
    """A legend to the right of the axes, where it hides nothing."""
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, **options)


def save(
    figure_or_axes: Figure | SubFigure | Axes | AxesArray,
    path: str | os.PathLike[str],
    *,
    dpi: int = 150,
    close: bool = False,
) -> Path:
    """Writes the figure as PNG, PDF or SVG, whole or not at all; the same figure gives the same bytes.

    Args:
      figure_or_axes: A figure, its axes, or an array of them, as the plot functions return.
      path: The file, ending in `.png`, `.pdf` or `.svg`; missing folders are made.
      dpi: Dots per inch of a PNG, and of the pictures inside of the others.
      close: Close the figure then; pyplot keeps it open otherwise.

    Returns:
      The path.

    Raises:
      ValueError: If `path` ends otherwise, or `dpi` is not positive.

    Example:
      >>> import tempfile
      >>> save(plt.figure(), f"{tempfile.mkdtemp()}/empty.png").name
      'empty.png'
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(
            f"Figures are saved as {', '.join(FORMATS)}: `path` must end in one of them. Received {os.fspath(path)!r}."
        )
    if not dpi > 0:
        raise ValueError(f"`dpi` must be positive; 150 is for screens, 300 for print. Received {dpi}.")
    figure = _figure_of(figure_or_axes)
    options: dict[str, Any] = {"format": kind, "dpi": dpi, "bbox_inches": "tight", "metadata": _UNDATED[kind]}
    try:
        with style():
            return write_atomically(path, lambda file: figure.savefig(file, **options))
    finally:
        if close:
            plt.close(figure)


def _figure_of(figure_or_axes: Figure | SubFigure | Axes | AxesArray) -> Figure:
    first: Any = figure_or_axes.flat[0] if isinstance(figure_or_axes, np.ndarray) else figure_or_axes
    figure = first.figure if isinstance(first, Axes | SubFigure) else first
    while isinstance(figure, SubFigure):
        figure = figure.figure
    return figure


def save_all(
    figures: Iterable[tuple[str, Any]], folder: str | os.PathLike[str], *, file_format: str = "png", dpi: int = 150
) -> list[Path]:
    """Draws figures and saves each as `<name>.<file_format>`, all of them or, if one fails to be drawn, none.

    Args:
      figures: Pairs of a name and what `save` takes.
      folder: Where they go.
      file_format: `"png"`, `"pdf"` or `"svg"`.
      dpi: Dots per inch.

    Returns:
      The paths. Every figure is closed.

    Raises:
      ValueError: If there is no such format, or `dpi` is not positive.
    """
    if file_format not in FORMATS:  # before anything is drawn
        raise ValueError(f"`file_format` must be one of {', '.join(FORMATS)}. Received {file_format!r}.")
    before = set(plt.get_fignums())
    try:
        with plt.rc_context({"figure.max_open_warning": 0}):
            drawn = list(figures)
        return [save(figure, Path(folder) / f"{name}.{file_format}", dpi=dpi) for name, figure in drawn]
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)

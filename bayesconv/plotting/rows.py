"""A row for each layer, from the top: bars, and histograms as bands of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.plotting.theme import BLUE

Floats = npt.NDArray[np.float64]


def name_rows(names: Sequence[str], ax: Axes) -> None:
    """Puts a name at each row, the first at the top."""
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.grid(False, axis="y")


def draw_bars(values: Sequence[float], ax: Axes, *, digits: str = ",.0f", color: str = BLUE) -> None:
    """A horizontal bar a row, with its value at the end."""
    ax.barh(range(len(values)), values, height=0.6, color=color)
    for row, value in enumerate(values):
        text, place = f"{value:{digits}}", (max(value, 0.0), row)
        ax.annotate(text, place, (5, 0), textcoords="offset points", va="center", fontsize=12)
    ax.set_xlim(right=1.2 * max(*values, 1e-9))


def draw_histogram(values: Floats, edges: Floats, row: int, ax: Axes) -> None:
    """A band of cells, the darker the larger the share of the values; those outside of the edges count at the end."""
    shares = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
    ax.pcolormesh(edges, [row - 0.35, row + 0.35], shares[np.newaxis], cmap="Blues", vmin=0.0, rasterized=True)


def check_layers(name: str, by_layer: Mapping[str, Any], *, is_signed: bool = False) -> dict[str, Floats]:
    """Vectors in float64, if there is one at least, and each is finite, not empty and, unless signed, not negative."""
    layers = {layer: np.asarray(values, np.float64) for layer, values in by_layer.items()}
    if not layers:
        raise ValueError(f"`{name}` must name at least one layer. Received none; is the model Bayesian?")
    rule = "finite" if is_signed else "finite and not negative"
    for layer, v in layers.items():
        if v.ndim != 1 or not v.size or not np.isfinite(v).all() or (not is_signed and v.min() < 0):
            raise ValueError(
                f"`{name}` must be vectors, not empty, {rule}. Received shape {list(v.shape)} for {layer!r}; "
                "flatten kernels with ravel()."
            )
    return layers

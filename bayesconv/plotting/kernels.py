"""Kernels as images."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.plotting.theme import AxesArray, axes_row, styled

Array = npt.NDArray[np.float64]


@styled
def kernel_images(
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    axes: AxesArray | None = None,
    *,
    max_inputs: int = 8,
    max_outputs: int = 16,
    name: str | None = None,
) -> AxesArray:
    """The posterior means of a layer's filters beside their standard deviations, each on one scale for all filters.

    A row is an input channel and a column an output channel, up to the stated numbers of each; filters of a single
    input channel fill a square. The scale of the means is symmetrical, white is zero.

    Args:
      mean: `[H, W, C_in, C_out]`, or `[W, C_in, C_out]` of a layer of rank 1.
      std: The same shape, not negative.
      axes: Two axes to draw on, or None for a new figure.
      max_inputs: Most input channels to show, the first ones.
      max_outputs: Most output channels to show.
      name: Name of the layer, for the titles.

    Returns:
      The axes, `[2]`: mean, standard deviation.

    Raises:
      ValueError: If shapes differ or are others, a number is not finite, a standard deviation is negative, or `axes`
        are not two.

    Example:
      >>> axes = kernel_images(np.ones([3, 3, 1, 4]), np.ones([3, 3, 1, 4]))
      >>> axes[0].get_images()[0].get_clim()
      (-1.0, 1.0)
    """
    m, s = _check(mean, std)
    shown = (m[..., :max_inputs, :max_outputs], s[..., :max_inputs, :max_outputs])
    tiles = [_tiled(kernels) for kernels in shown]
    height, width = tiles[0].shape
    size = (12.0, float(np.clip(0.8 + 4.6 * height / width, 2.2, 7.0)))
    left, right = axes_row(axes, ("mean", "standard deviation"), size)
    furthest = float(np.abs(shown[0]).max()) or 1.0
    limits = (("RdBu_r", -furthest, furthest), ("cividis", 0.0, float(shown[1].max()) or 1.0))
    for ax, tile, title, (colors, low, high) in zip(
        (left, right), tiles, ("mean", "standard deviation"), limits, strict=True
    ):
        picture = ax.imshow(tile, cmap=colors, vmin=low, vmax=high, interpolation="nearest")
        plt.colorbar(picture, ax=ax, fraction=0.046, pad=0.02).outline.set_visible(False)  # type: ignore[operator]
        ax.set_title(title.capitalize() if name is None else f"{name}: {title}", loc="left")
        _name_channels(ax, m.shape[2:], shown[0].shape[2:])
    return np.array([left, right])


def _tiled(kernels: Array) -> Array:
    """`[H, W, C_in, C_out]` to one picture with a gap of NaN between filters."""
    height, width, inputs, outputs = kernels.shape
    if inputs == 1:  # a square of filters
        columns = int(np.ceil(np.sqrt(outputs)))
        missing = -outputs % columns
        kernels = np.pad(kernels, [(0, 0)] * 3 + [(0, missing)], constant_values=np.nan)
        kernels = kernels.reshape(height, width, -1, columns)
    padded = np.pad(kernels, [(0, 1), (0, 1), (0, 0), (0, 0)], constant_values=np.nan)
    rows, columns = padded.shape[2:]
    return padded.transpose(2, 0, 3, 1).reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]


def _name_channels(ax: Axes, all_channels: tuple[int, ...], shown: tuple[int, ...]) -> None:
    said = [str(n) if n == of else f"{n} of {of}" for n, of in zip(shown, all_channels, strict=True)]
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    if shown[0] == 1:
        ax.set_xlabel(f"filters ({said[1]})")
    else:
        ax.set(xlabel=f"output channels ({said[1]})", ylabel=f"input channels ({said[0]})")


def _check(mean: npt.ArrayLike, std: npt.ArrayLike) -> tuple[Array, Array]:
    m, s = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if m.ndim not in (3, 4) or not m.size or m.shape != s.shape:
        raise ValueError(
            "`mean` and `std` must be [H, W, C_in, C_out], or [W, C_in, C_out], and of one shape. Received "
            f"{list(m.shape)} and {list(s.shape)}."
        )
    if not (np.isfinite(m).all() and np.isfinite(s).all() and s.min() >= 0):
        raise ValueError(f"Kernels must be finite, and `std` not negative. Received a least `std` of {s.min()}.")
    return (m, s) if m.ndim == 4 else (m[np.newaxis], s[np.newaxis])

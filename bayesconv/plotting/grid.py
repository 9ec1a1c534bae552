"""Images side by side."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.plotting.theme import styled


@styled
def image_grid(
    images: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    figure_id: int | str | None = None,
) -> Axes:
    """Images side by side in one picture, without gaps.

    Args:
      images: `[.., N, H, W, C]` with one, three or four channels: a row of N images for every index before.
      ax: Axes to draw on, or None for a new figure.
      title: Title, or None.
      figure_id: Number or name of the figure that is drawn on without `ax`, and cleared; a new one if None.

    Returns:
      The axes.

    Raises:
      ValueError: If `images` has fewer than four dimensions.

    Example:
      >>> image_grid(np.zeros([2, 5, 8, 8, 1])).get_images()[0].get_size()
      (16, 40)
    """
    x: Any = np.asarray(images)
    if x.ndim < 4:
        raise ValueError(f"`images` must be [.., N, H, W, C]. Received shape {list(x.shape)}.")
    x = x.reshape(-1, *x.shape[-4:])
    rows, columns, height, width, channels = x.shape
    picture = x.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    if ax is None:
        ax = plt.figure(figure_id, figsize=(columns, max(2, rows)), clear=True).add_subplot()
    ax.imshow(picture[..., 0] if channels == 1 else picture, cmap="gray", interpolation="nearest")
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title)
    return ax

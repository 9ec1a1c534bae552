"""The images that an uncertainty puts last, and those it puts first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from bayesconv.plotting.images import drawn
from bayesconv.plotting.theme import AxesArray, styled, words


@styled
def ranked_images(
    images: npt.ArrayLike,
    scores: Mapping[str, npt.ArrayLike],
    *,
    num_images: int = 8,
    captions: Sequence[str] | None = None,
    series: bool = False,
    figure: Figure | SubFigure | None = None,
) -> AxesArray:
    """For each score a row of the images where it is highest, from the highest on, above one where it is lowest.

    Args:
      images: `[N, H, W]` or `[N, H, W, C]` with one or three channels; or series `[N, T]` or `[N, T, C]`.
      scores: Name of an uncertainty to `[N]`.
      num_images: How many of each kind, at most N / 2.
      captions: N short texts below the images, such as the predicted and the true class; or None.
      series: The examples are series, see `most_and_least_certain`.
      figure: Figure or subfigure to draw on, or None for a new one.

    Returns:
      The axes, `[len(scores), 2, num_images]`: highest, lowest.

    Raises:
      ValueError: If shapes do not fit together, a score is not finite, or there are fewer than `2 * num_images` images.

    Example:
      >>> axes = ranked_images(np.zeros([4, 8, 8]), {"entropy": [0.1, 0.4, 0.3, 0.2]}, num_images=1)
      >>> [ax.get_title(loc="center") for ax in axes.ravel()]
      ['0.4', '0.1']
    """
    pictures, draw = drawn(images, series=series)
    ranked = _check(len(pictures), scores, num_images, captions)
    height = (1.95 if captions is None else 2.2) * len(ranked)
    figure = figure or plt.figure(figsize=(1.3 + 1.1 * num_images, max(1.5, 1.42 * height)))
    axes = np.array(figure.subplots(2 * len(ranked), num_images, squeeze=False)).reshape(len(ranked), 2, num_images)
    for block, (name, values) in zip(axes, ranked.items(), strict=True):
        order = np.argsort(values, kind="stable")
        for row, kind, chosen in zip(block, ("highest", "lowest"), (order[::-1], order), strict=True):
            _name_row(f"{words(name)}\n{kind}", row[0])
            for ax, i in zip(row, chosen, strict=False):  # as many as there are axes
                draw(pictures[i], ax)
                ax.set_title(f"{values[i]:.3g}", fontsize=11, pad=3, loc="center")
                if captions is not None:
                    ax.text(0.5, -0.05, captions[i], transform=ax.transAxes, ha="center", va="top", fontsize=11)
    return axes


def _name_row(text: str, ax: Axes) -> None:
    ax.text(-0.15, 0.5, text, transform=ax.transAxes, ha="right", va="center", fontsize=12)


def _check(
    num: int, scores: Mapping[str, npt.ArrayLike], num_images: int, captions: Sequence[str] | None
) -> dict[str, npt.NDArray[np.float64]]:
    ranked = {name: np.asarray(values, np.float64) for name, values in scores.items()}
    if not ranked:
        raise ValueError("`scores` must name at least one uncertainty. Received none.")
    for name, values in ranked.items():
        if values.shape != (num,) or not np.isfinite(values).all():
            raise ValueError(
                f"A score must be [{num}] finite numbers, one an image. Received shape {list(values.shape)} for "
                f"{name!r}."
            )
    if captions is not None and len(captions) != num:
        raise ValueError(f"`captions` must be {num}, one an image. Received {len(captions)}.")
    if not 1 <= num_images <= num // 2:
        raise ValueError(
            f"`num_images` of each kind must be from 1 to N / 2 = {num // 2}. Received {num_images}; pass more images "
            "or ask for fewer."
        )
    return ranked

"""Pictures beside what the model believes about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesconv.metrics import predictive_entropy
from bayesconv.plotting.classes import draw_classes
from bayesconv.plotting.series import check_series, series_drawing
from bayesconv.plotting.theme import BLUE, GREEN, INK, VERMILION, AxesArray, own_axes, styled

Array = npt.NDArray[np.float64]


@styled
def most_and_least_certain(
    images: npt.ArrayLike,
    probs: npt.ArrayLike,
    std: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    scores: npt.ArrayLike | None = None,
    *,
    num_images: int = 4,
    class_names: Sequence[str] | None = None,
    score_name: str = "entropy",
    series: bool = False,
    figure: Figure | SubFigure | None = None,
) -> AxesArray:
    """The images that a model is surest of, above those it is least sure of, each beside its class probabilities.

    The error bars are one predictive standard deviation, cut off at 0 and 1. With more than ten classes only the ten
    most probable are shown, and the true one.

    Args:
      images: `[N, H, W]` or `[N, H, W, C]` with one or three channels; or series `[N, T]` or `[N, T, C]`.
      probs: `[N, K]`, rows sum to one.
      std: `[N, K]`, standard deviation of the probabilities over weight samples.
      labels: `[N]` integers in `[0, K)`, to colour right and wrong; or None.
      scores: `[N]`, higher is less certain; the predictive entropy in nats if None.
      num_images: How many of each kind, at most N / 2.
      class_names: K names, or None for the class numbers.
      score_name: What `scores` are, for the titles.
      series: The examples are series: lines, or a picture with a row a channel where there are many.
      figure: Figure or subfigure to draw on, or None for a new one.

    Returns:
      The axes, `[2 * num_images, 2]`: picture and bars, from the most to the least certain.

    Raises:
      ValueError: If shapes do not fit together or there are fewer than `2 * num_images` images.

    Example:
      >>> axes = most_and_least_certain(np.zeros([2, 8, 8]), [[0.9, 0.1], [0.5, 0.5]], np.zeros([2, 2]), num_images=1)
      >>> axes[1, 1].get_title(loc="left")
      'entropy 0.69'
    """
    pictures, draw = drawn(images, series=series)
    p, s = np.asarray(probs, np.float64), np.asarray(std, np.float64)
    entropy = predictive_entropy(p)  # needed or not, it checks `probs`
    ranks = entropy if scores is None else np.asarray(scores, np.float64)
    y = np.full(len(p), -1) if labels is None else np.asarray(labels)
    names = [str(k) for k in range(p.shape[1])] if class_names is None else list(class_names)
    _check_shapes(pictures, p, s, ranks, y, names, num_images)
    order = np.argsort(ranks, kind="stable")
    axes = _grid(num_images, figure)
    for (picture, bars), i in zip(axes, [*order[:num_images], *order[-num_images:]], strict=True):
        draw(pictures[i], picture)
        _draw_bars(p[i], s[i], int(y[i]), names, bars)
        bars.set_title(f"{score_name} {ranks[i]:.2f}", fontsize=11, pad=4, loc="left")
    _legend(axes[-1, 0].figure, labels is not None)
    return axes


def _grid(num_images: int, figure: Figure | SubFigure | None) -> AxesArray:
    """Two blocks, one above the other; a block has two (picture, bars) pairs a row."""
    columns = min(2, num_images)
    rows = -(-num_images // columns)
    height = 1.95 * rows + 0.5
    figure = figure or plt.figure(figsize=(5.6 * columns + 0.3, 2 * height + 0.4))
    blocks = np.asarray(figure.subfigures(2, 1, height_ratios=[height, height + 0.4]))  # the legend is in the second
    axes = []
    for block, title in zip(np.ravel(blocks), ("Most certain", "Least certain"), strict=True):
        block.suptitle(title, x=0.01, ha="left", fontsize=15, fontweight="bold")
        grid = block.add_gridspec(rows, 2 * columns, width_ratios=[1, 1.5] * columns)
        cells = [(i // columns, 2 * (i % columns)) for i in range(num_images)]
        axes += [[block.add_subplot(grid[r, c]), block.add_subplot(grid[r, c + 1])] for r, c in cells]
    return np.array(axes)


def drawn(images: npt.ArrayLike, *, series: bool) -> tuple[Array, Callable[[Array, Axes], None]]:
    """Examples, checked, and what draws one of them."""
    if series:
        checked = check_series(images)
        return checked, series_drawing(checked)
    return check_images(images), draw_picture


def draw_picture(image: Array, ax: Axes) -> None:
    """An image `[H, W]` or `[H, W, 3]`, without axes."""
    ax.imshow(image, cmap="gray" if image.ndim == 2 else None, interpolation="nearest")
    ax.set_axis_off()


def _draw_bars(p: Array, std: Array, label: int, names: list[str], ax: Axes) -> None:
    own_axes(ax)
    draw_classes(p, std, label if label >= 0 else None, names, ax)
    ax.tick_params(axis="both", labelsize=9, length=0)


def _legend(block: SubFigure, labelled: bool) -> None:
    names = {GREEN: "true class", VERMILION: "wrong prediction"} if labelled else {BLUE: "prediction"}
    handles = [Patch(color=color, label=name) for color, name in names.items()]
    spread = Line2D([], [], color=INK, linewidth=1.3, label="± one standard deviation")
    block.legend(handles=[*handles, spread], loc="outside lower right", ncols=3, handlelength=1.2)


def check_images(images: npt.ArrayLike) -> Array:
    """`[N, H, W]` or `[N, H, W, 3]`."""
    x = np.asarray(images)
    if x.ndim == 4 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim != 3 and not (x.ndim == 4 and x.shape[-1] == 3):
        raise ValueError(
            f"`images` must be [N, H, W] or [N, H, W, C] with 1 or 3 channels. Received shape {list(x.shape)}."
        )
    return x


def _check_shapes(x: Array, p: Array, std: Array, scores: Array, labels: Array, names: list[str], num: int) -> None:
    n, k = p.shape
    if not (len(x) == n and std.shape == (n, k) and scores.shape == labels.shape == (n,) and len(names) == k):
        raise ValueError(
            "`images`, `probs`, `std`, `labels`, `scores` and `class_names` must describe the same N images and K "
            f"classes. Received {len(x)} images, probs {[n, k]}, std {list(std.shape)}, labels {list(labels.shape)}, "
            f"scores {list(scores.shape)} and {len(names)} names."
        )
    if labels.max() >= k:
        raise ValueError(f"`labels` must lie in [0, {k}). Received {labels.max()}.")
    if not 1 <= num <= n // 2:
        raise ValueError(
            f"`num_images` of each kind must be from 1 to N / 2 = {n // 2}. Received {num}; pass more images or ask "
            "for fewer."
        )

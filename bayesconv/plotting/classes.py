"""What a model says about one image: a bar a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bayesconv.plotting.theme import BLUE, GREEN, GREY, INK, VERMILION, own_axes, styled

Array = npt.NDArray[np.float64]
MOST_CLASSES = 10  # more bars than this cannot be labelled at the size of a picture


@styled
def class_bars(
    mean: npt.ArrayLike,
    std: npt.ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    label: int | None = None,
    class_names: Sequence[str] | None = None,
) -> Axes:
    """The class probabilities of one image, with error bars of one standard deviation that end at 0 and 1.

    With more than ten classes only the ten most probable are shown, and the true one.

    Args:
      mean: `[K]`, sums to one.
      std: `[K]`, standard deviation over weight samples, or None for none.
      ax: Axes to draw on, or None for a new figure.
      label: The true class, to colour right and wrong; or None.
      class_names: K names, or None for the class numbers.

    Returns:
      The axes.

    Raises:
      ValueError: If shapes do not fit together, `mean` is no distribution, or `label` is none of the classes.

    Example:
      >>> ax = class_bars([0.7, 0.3], [0.1, 0.1], class_names=["cat", "dog"])
      >>> [text.get_text() for text in ax.get_yticklabels()]
      ['cat', 'dog']
    """
    p, names = _check(np.asarray(mean, np.float64)[np.newaxis], label, class_names)
    s = np.zeros(len(p[0])) if std is None else np.asarray(std, np.float64)
    if s.shape != p[0].shape or not (s >= 0).all():
        raise ValueError(f"`std` must be [{len(p[0])}], not negative. Received shape {list(s.shape)}.")
    ax = own_axes(ax, (6.4, 1.2 + 0.36 * min(len(names), MOST_CLASSES + 1)))
    draw_classes(p[0], s, label, names, ax)
    ax.set_xlabel("probability" if std is None else "probability (line: ± one standard deviation)")
    _legend(int(p[0].argmax()), label, ax)
    return ax


@styled
def class_draws(
    probs: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    kind: Literal["box", "violin"] = "box",
    label: int | None = None,
    class_names: Sequence[str] | None = None,
) -> Axes:
    """How the probability of each class spreads over weight samples, for one image.

    A box holds the middle half of the samples, its whiskers the middle 90 %, the line is the median. A standard
    deviation says little where samples are near 0 or near 1; this shows both. With more than ten classes only the ten
    most probable are shown, and the true one.

    Args:
      probs: `[S, K]`, rows sum to one.
      ax: Axes to draw on, or None for a new figure.
      kind: `"box"`, or `"violin"` for a smoothed density.
      label: The true class, to colour right and wrong; or None.
      class_names: K names, or None for the class numbers.

    Returns:
      The axes.

    Raises:
      ValueError: If shapes do not fit together, a row is no distribution, `label` is none of the classes, or `kind` is
        another word.

    Example:
      >>> ax = class_draws([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
      >>> [text.get_text() for text in ax.get_yticklabels()]
      ['0', '1']
    """
    if kind not in ("box", "violin"):
        raise ValueError(f"`kind` must be 'box' or 'violin'. Received {kind!r}.")
    p, names = _check(np.asarray(probs, np.float64), label, class_names)
    ax = own_axes(ax, (6.4, 1.2 + 0.42 * min(len(names), MOST_CLASSES + 1)))
    mean = p.mean(axis=0)
    shown = _shown(mean, label)
    colors = [_color(k, int(mean.argmax()), label) for k in shown]
    (_boxes if kind == "box" else _violins)([p[:, k] for k in shown], colors, ax)
    _set_axes(shown, names, ax)
    ax.set_xlabel(f"probability over {len(p)} draws")
    _legend(int(mean.argmax()), label, ax)
    return ax


def draw_classes(p: Array, std: Array, label: int | None, names: Sequence[str], ax: Axes) -> None:
    """Bars and error bars on axes that have their look already."""
    shown = _shown(p, label)
    low, high = np.clip(p - std, 0, 1), np.clip(p + std, 0, 1)
    colors = [_color(k, int(p.argmax()), label) for k in shown]
    ax.barh(range(len(shown)), p[shown], color=colors, height=0.78)
    if std.any():
        error = np.array([(p - low)[shown], (high - p)[shown]])
        ax.errorbar(p[shown], range(len(shown)), xerr=error, fmt="none", ecolor=INK, elinewidth=1.3, capsize=2)
    _set_axes(shown, names, ax)


def _shown(p: Array, label: int | None) -> list[int]:
    most = np.argsort(-p, kind="stable")[:MOST_CLASSES]
    return [int(k) for k in (np.sort(most) if label is None else np.union1d(most, [label]))]


def _color(k: int, predicted: int, label: int | None) -> str:
    if k == label:
        return GREEN
    if k != predicted:
        return GREY
    return BLUE if label is None else VERMILION


def _set_axes(shown: Sequence[int], names: Sequence[str], ax: Axes) -> None:
    ax.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", ".5", "1"), yticks=range(len(shown)))
    ax.set_yticklabels([names[k] for k in shown])
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")


def _boxes(columns: Sequence[Array], colors: Sequence[str], ax: Axes) -> None:
    line: dict[str, Any] = {"color": INK, "linewidth": 1.3}
    drawn = ax.boxplot(
        list(columns),
        positions=range(len(columns)),
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        widths=0.62,
        patch_artist=True,
        medianprops={"color": INK, "linewidth": 2.5},
        whiskerprops=line,
        capprops=line,
    )
    for box, color in zip(drawn["boxes"], colors, strict=True):
        box.set(facecolor=(color, 0.45), edgecolor=color)


def _violins(columns: Sequence[Array], colors: Sequence[str], ax: Axes) -> None:
    # A density of equal values has no width to be estimated from: they are a line.
    spread = [row for row, values in enumerate(columns) if np.ptp(values) > 1e-6]
    if spread:
        drawn: Any = ax.violinplot(
            [columns[row] for row in spread], spread, orientation="horizontal", showextrema=False
        )
        for body, row in zip(drawn["bodies"], spread, strict=True):
            body.set(facecolor=colors[row], edgecolor=colors[row], alpha=0.55)
    for row, draws in enumerate(columns):
        ax.plot([np.median(draws)] * 2, [row - 0.25, row + 0.25], color=INK, linewidth=2.5, zorder=5)


def _legend(predicted: int, label: int | None, ax: Axes) -> None:
    names = {BLUE: "prediction"} if label is None else {GREEN: "true class"}
    if label is not None and predicted != label:
        names[VERMILION] = "wrong prediction"
    handles = [Patch(color=color, label=name) for color, name in names.items()]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, handlelength=1.2, borderaxespad=0.2)


def _check(probs: Array, label: int | None, class_names: Sequence[str] | None) -> tuple[Array, list[str]]:
    if probs.ndim != 2 or not probs.size or not (probs >= 0).all() or np.abs(probs.sum(axis=1) - 1).max() > 1e-4:
        raise ValueError(
            "Class probabilities must be [K] of one image, or [S, K] of its draws, not negative, and sum to one. "
            f"Received an array whose last axes are {list(probs.shape[-2:])}; take row i of what predict returns."
        )
    num_classes = probs.shape[1]
    names = [str(k) for k in range(num_classes)] if class_names is None else list(class_names)
    if len(names) != num_classes:
        raise ValueError(f"`class_names` must be {num_classes}, one a class. Received {len(names)}.")
    if label is not None and not 0 <= label < num_classes:
        raise ValueError(f"`label` must lie in [0, {num_classes}). Received {label}.")
    return probs, names

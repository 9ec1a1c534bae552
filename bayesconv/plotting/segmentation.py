"""What a model says of every pixel, and how unsure it is, as maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from bayesconv.metrics import predictive_entropy as entropy_of
from bayesconv.plotting.images import check_images
from bayesconv.plotting.theme import INK, LIGHT, VERMILION, AxesArray, styled

Array = npt.NDArray[Any]
_ROWS = {"predictive_entropy": "total", "expected_entropy": "aleatoric", "mutual_information": "epistemic"}
_BACKGROUND = "#EEEEEE"
# Paul Tol, Colour Schemes, SRON 2021: nine colours that all eyes tell apart.
_MUTED = ("#332288", "#88CCEE", "#117733", "#DDCC77", "#CC6677", "#AA4499", "#44AA99", "#882255", "#999933")
_COLORS = (*_MUTED, INK)


@styled
def segmentation_maps(
    images: npt.ArrayLike,
    probs: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    predictive_entropy: npt.ArrayLike | None = None,
    expected_entropy: npt.ArrayLike | None = None,
    mutual_information: npt.ArrayLike | None = None,
    num_images: int = 6,
    class_names: Sequence[str] | None = None,
    ignored_label: int | None = None,
    figure: Figure | SubFigure | None = None,
) -> AxesArray:
    """Images, and below each its true and predicted classes, the pixels that are wrong, and maps of uncertainty.

    There is a row for every uncertainty that is given, or for the predictive entropy if none is. The images share the
    scale of a row, from 0 to its largest value. Rows have scales of their own, since the epistemic part is often small.

    Args:
      images: `[N, H, W]` or `[N, H, W, C]` with one or three channels.
      probs: `[N, H, W, K]`, sums to one along the last axis.
      labels: `[N, H, W]` integers in `[0, K)`, or None.
      predictive_entropy: `[N, H, W]` nats, the total uncertainty.
      expected_entropy: `[N, H, W]` nats, the aleatoric part.
      mutual_information: `[N, H, W]` nats, the epistemic part.
      num_images: How many are drawn, the first ones; all if there are fewer.
      class_names: K names, or None for the class numbers. Class 0 is taken for the background and drawn grey.
      ignored_label: A label of pixels that do not count, which stay white.
      figure: Figure or subfigure to draw on, or None for a new one.

    Returns:
      The axes, `[rows, images]`.

    Raises:
      ValueError: If shapes do not fit together, `probs` are no distributions, an uncertainty is not finite, or a label
        is out of range.

    Example:
      >>> probs = np.full([2, 8, 8, 3], 1 / 3)
      >>> axes = segmentation_maps(np.zeros([2, 8, 8]), probs, np.ones([2, 8, 8], int))
      >>> [row[0].get_ylabel() for row in axes]
      ['image', 'true class', 'prediction', 'error', 'total']

    References:
      Kendall and Gal, What Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?, NIPS 2017.
        arXiv:1703.04977
    """
    pictures, p = check_images(images), _check_probs(probs)
    num_classes = p.shape[-1]
    names = _check_names(num_classes, class_names)
    given = {
        "predictive_entropy": predictive_entropy,
        "expected_entropy": expected_entropy,
        "mutual_information": mutual_information,
    }
    maps = {name: np.asarray(values, np.float64) for name, values in given.items() if values is not None}
    maps = maps or {"predictive_entropy": entropy_of(p.reshape(-1, num_classes)).reshape(p.shape[:-1])}
    true = None if labels is None else _check_labels(np.asarray(labels), num_classes, ignored_label)
    _check_shapes(pictures, p, true, maps)
    shown = slice(0, _check_count(num_images))
    return _draw(
        pictures[shown],
        p.argmax(axis=-1)[shown],
        None if true is None else true[shown],
        {name: values[shown] for name, values in maps.items()},
        names,
        figure,
    )


def _draw(
    pictures: Array,
    predictions: Array,
    labels: Any,
    maps: Mapping[str, Array],
    names: Sequence[str],
    figure: Figure | SubFigure | None,
) -> AxesArray:
    num_rows, num_columns = 2 + 2 * (labels is not None) + len(maps), len(pictures)
    figure = figure or plt.figure(figsize=(2.2 + 1.5 * num_columns, 0.9 + 1.55 * num_rows))
    axes = np.array(figure.subplots(num_rows, num_columns, squeeze=False))
    rows = iter(axes)
    _draw_images(pictures, next(rows))
    if labels is not None:
        _draw_classes("true class", labels, len(names), next(rows))
    _draw_classes("prediction", predictions, len(names), next(rows))
    if labels is not None:
        _draw_errors(labels, predictions, next(rows))
    for name, values in maps.items():
        _draw_uncertainty(_ROWS[name], values, next(rows), figure)
    _legend(np.unique(predictions if labels is None else [predictions, labels.filled(0)]), names, figure)
    return axes


def _draw_images(pictures: Array, row: AxesArray) -> None:
    low, high = pictures.min(), pictures.max()
    for picture, ax in _named("image", pictures, row):
        ax.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=low, vmax=high, interpolation="nearest")


def _draw_classes(name: str, classes: Array, num_classes: int, row: AxesArray) -> None:
    colors = ListedColormap([_color(k) for k in range(num_classes)], bad="white")
    for one, ax in _named(name, classes, row):
        ax.imshow(one, cmap=colors, vmin=-0.5, vmax=num_classes - 0.5, interpolation="nearest")


def _draw_errors(labels: Any, predictions: Array, row: AxesArray) -> None:
    colors = ListedColormap([_BACKGROUND, VERMILION], bad="white")
    for wrong, ax in _named("error", labels != predictions, row):
        ax.imshow(wrong, cmap=colors, vmin=0, vmax=1, interpolation="nearest")
        if wrong.count():  # else all of its pixels are ignored
            ax.set_xlabel(f"{wrong.mean():.1%}", fontsize=11, labelpad=2)


def _draw_uncertainty(name: str, values: Array, row: AxesArray, figure: Figure | SubFigure) -> None:
    norm = Normalize(0.0, max(float(values.max()), 1e-6))
    for one, ax in _named(name, values, row):
        ax.imshow(one, cmap="magma", norm=norm, interpolation="nearest")
    bar = figure.colorbar(ScalarMappable(norm, "magma"), ax=list(row), fraction=0.03, pad=0.01, aspect=12, label="nats")
    bar.locator = mpl.ticker.MaxNLocator(4)
    bar.ax.tick_params(labelsize=11, length=0)
    bar.outline.set_visible(False)


def _named(name: str, values: Any, row: AxesArray) -> Iterator[tuple[Any, Axes]]:
    """What is drawn in a row with its axes, which get a name on the left and lose all else."""
    for ax in row:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=LIGHT)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=13)
    return zip(values, row, strict=True)


def _color(k: int) -> Any:
    """Grey for class 0; then ten colours, and from there on the same in other shades."""
    if k == 0:
        return _BACKGROUND
    turn, index = divmod(k - 1, len(_COLORS))
    return tuple(np.array(mpl.colors.to_rgb(_COLORS[index])) * 0.6**turn)


def _legend(present: Array, names: Sequence[str], figure: Figure | SubFigure) -> None:
    handles = [Patch(facecolor=_color(k), label=names[k]) for k in present]
    width = figure.bbox.width / figure.dpi - 0.5  # in inches
    columns = _num_columns([names[k] for k in present], width)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=1.0, columnspacing=1.2)


def _num_columns(names: Sequence[str], width: float) -> int:
    """How many columns of a legend fit into a width in inches, each as wide as its longest name."""
    for num in range(len(names), 1, -1):
        columns = [list(names[i] for i in part) for part in np.array_split(np.arange(len(names)), num)]
        if sum(0.55 + 0.11 * max(map(len, column)) for column in columns) <= width:
            return num
    return 1


def _check_probs(probs: npt.ArrayLike) -> Array:
    p = np.asarray(probs, np.float64)
    if p.ndim != 4:
        raise ValueError(f"`probs` must be [N, H, W, K], of every pixel. Received shape {list(p.shape)}.")
    entropy_of(p.reshape(-1, p.shape[-1]))  # which checks them
    return p


def _check_names(num_classes: int, class_names: Sequence[str] | None) -> list[str]:
    names = [str(k) for k in range(num_classes)] if class_names is None else list(class_names)
    if len(names) != num_classes:
        raise ValueError(f"`class_names` must be {num_classes}, one a class. Received {len(names)}.")
    return names


def _check_labels(labels: Array, num_classes: int, ignored_label: int | None) -> Any:
    """The labels as a masked array that hides the pixels that do not count."""
    is_ignored = np.zeros(labels.shape, bool) if ignored_label is None else labels == ignored_label
    counted = labels[~is_ignored]
    if not np.issubdtype(labels.dtype, np.integer) or (
        counted.size and not 0 <= counted.min() <= counted.max() < num_classes
    ):
        raise ValueError(
            f"`labels` must be integers in [0, {num_classes}), or `ignored_label`, here {ignored_label}. Received "
            f"{labels.dtype} from {labels.min()} to {labels.max()}."
        )
    return np.ma.masked_array(labels, is_ignored)


def _check_shapes(pictures: Array, p: Array, labels: Any, maps: Mapping[str, Array]) -> None:
    found = {"images": pictures.shape[:3], **({} if labels is None else {"labels": labels.shape})}
    found |= {name: values.shape for name, values in maps.items()}
    if any(shape != p.shape[:3] for shape in found.values()):
        raise ValueError(
            "Images, probabilities, labels and uncertainties must be of the same pixels [N, H, W]. Received probs of "
            f"shape {list(p.shape)} and {', '.join(f'{name} {list(shape)}' for name, shape in found.items())}."
        )
    for name, values in maps.items():
        if not np.isfinite(values).all():
            raise ValueError(
                f"`{name}` must be finite. Received {np.count_nonzero(~np.isfinite(values))} that are not."
            )


def _check_count(num_images: int) -> int:
    if num_images < 1:
        raise ValueError(f"`num_images` must be at least 1. Received {num_images}.")
    return num_images

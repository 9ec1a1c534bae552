"""What the weights of a network are believed to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullFormatter

from bayesconv.plotting.rows import check_layers, draw_histogram, name_rows
from bayesconv.plotting.theme import BLUE, INK, ORANGE, SKY, AxesArray, axes_row, own_axes, styled

Array = npt.NDArray[np.float64]
_BINS = 60


@styled
def weight_densities(
    x: npt.ArrayLike,
    posterior: npt.ArrayLike | None = None,
    prior: npt.ArrayLike | None = None,
    *,
    samples: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
    figure: Figure | SubFigure | None = None,
) -> AxesArray:
    """The posterior densities of W weights over those of their priors, one weight an axes.

    Axes are as high as the posterior is: a prior with a peak above it is cut off. Rows of NaN are not drawn.

    Args:
      x: `[W, P]` values at which the densities are known, rising along P.
      posterior: `[W, P]` exact densities, or None where only draws are known.
      prior: `[W, P]` densities of the priors, or None.
      samples: `[W, S]` draws of the posterior, shown as a histogram; or None.
      names: W titles, or None for the numbers of the weights.
      figure: Figure or subfigure to draw on, or None for a new one.

    Returns:
      The axes, `[W]`.

    Raises:
      ValueError: If there is neither a density nor draws, or shapes do not fit.

    Example:
      >>> x = np.linspace(-1, 1, 5)[None]
      >>> axes = weight_densities(x, np.exp(-x**2), names=["conv1[0, 0, 0, 3]"])
      >>> axes[0].get_title(loc="left")
      'conv1[0, 0, 0, 3]'
    """
    places = np.asarray(x, np.float64)
    lines = {"posterior": posterior, "prior": prior}
    densities, drawn = _check(places, lines, samples)
    titles = [f"weight {w}" for w in range(len(places))] if names is None else list(names)
    if len(titles) != len(places):
        raise ValueError(f"`names` must be {len(places)}, one a weight. Received {len(titles)}.")
    columns = min(4, len(places))
    rows = -(-len(places) // columns)
    figure = figure or plt.figure(figsize=(max(6.0, 3.3 * columns), 2.5 * rows + 0.5))
    axes = [figure.add_subplot(rows, columns, w + 1) for w in range(len(places))]
    for w, ax in enumerate(axes):
        _draw_weight(places[w], {name: d[w] for name, d in densities.items()}, drawn, w, ax)
        ax.set_title(titles[w], fontsize=12, loc="left", pad=6)
        if w + columns >= len(places):
            ax.set_xlabel("weight")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3)
    return np.array(axes)


def _draw_weight(x: Array, densities: Mapping[str, Array], samples: Array | None, w: int, ax: Axes) -> None:
    own_axes(ax)
    if samples is not None and not np.isnan(samples[w]).any():
        ax.hist(samples[w], bins=30, density=True, facecolor=(SKY, 0.5), edgecolor=SKY, label="posterior draws")
    looks = {"posterior": (BLUE, "-"), "prior": (ORANGE, "--")}
    for name, density in densities.items():
        color, line = looks[name]
        ax.plot(x, density, color=color, linestyle=line, label=name)
        if name == "posterior":
            ax.fill_between(x, density, color=color, alpha=0.2, linewidth=0)
    highest = np.nanmax(densities["posterior"], initial=0.0) if "posterior" in densities else 0.0
    ax.set(yticks=[], ylim=(0, 1.15 * highest or None), xlim=(x[0], x[-1]))
    ax.locator_params(axis="x", nbins=4)
    ax.spines["left"].set_visible(False)


@styled
def weight_histograms(
    means: Mapping[str, npt.ArrayLike], scales: Mapping[str, npt.ArrayLike], axes: AxesArray | None = None
) -> AxesArray:
    """Posterior means and standard deviations of all weights, a row a layer from the top.

    A histogram is a band of cells, the darker the more of the layer's weights. Standard deviations have a logarithmic
    axis.

    Args:
      means: Layer name to a vector.
      scales: The same names to vectors of standard deviations, not negative; zeros are drawn at the left border.
      axes: Two axes to draw on, or None for a new figure.

    Returns:
      The axes, `[2]`: means, standard deviations.

    Raises:
      ValueError: If there is no layer, names differ, values are not a finite vector, or `axes` are not two.

    Example:
      >>> axes = weight_histograms({"conv": [-0.1, 0.2, 0.3]}, {"conv": [0.01, 0.02, 0.02]})
      >>> [ax.get_xlabel() for ax in axes]
      ['posterior mean', 'posterior standard deviation']
    """
    locs, spreads = check_layers("means", means, is_signed=True), check_layers("scales", scales)
    if list(locs) != list(spreads):
        raise ValueError(
            f"`means` and `scales` must name the same layers in the same order. Received {list(locs)} and "
            f"{list(spreads)}."
        )
    left, right = axes_row(axes, ("means", "standard deviations"), (13, 1.6 + 0.5 * len(locs)))
    furthest = max(float(np.abs(v).max()) for v in locs.values()) or 1.0
    positive = [v[v > 0] for v in spreads.values() if v.any()]
    lowest, highest = (min(v.min() for v in positive), max(v.max() for v in positive)) if positive else (0.1, 1.0)
    right.set_xscale("log")
    right.xaxis.set_minor_formatter(NullFormatter())
    for values, edges, ax in (
        (locs, np.linspace(-furthest, furthest, _BINS + 1), left),
        (spreads, np.geomspace(0.5 * lowest, 2.0 * highest, _BINS + 1), right),
    ):
        for row, v in enumerate(values.values()):
            draw_histogram(v, edges, row, ax)
        ax.set_xlim(float(edges[0]), float(edges[-1]))
        name_rows(list(locs), ax)
    left.axvline(0.0, color=INK, linestyle="--", linewidth=1.2)
    left.set_xlabel("posterior mean")
    right.set_xlabel("posterior standard deviation")
    return np.array([left, right])


def _check(
    x: Array, lines: Mapping[str, npt.ArrayLike | None], samples: npt.ArrayLike | None
) -> tuple[dict[str, Array], Array | None]:
    if x.ndim != 2 or x.shape[1] < 2 or not len(x) or not (np.diff(x, axis=1) > 0).all():
        raise ValueError(f"`x` must be [W, P] values that rise along P >= 2. Received shape {list(x.shape)}.")
    if lines["posterior"] is None and samples is None:
        raise ValueError("A posterior is drawn from its densities or its draws. Received neither; pass samples=.")
    densities = {name: np.asarray(d, np.float64) for name, d in lines.items() if d is not None}
    for name, d in densities.items():
        if d.shape != x.shape or (d < 0).any():
            raise ValueError(
                f"`{name}` must be densities {list(x.shape)}, not negative; take the exponential of log_prob. "
                f"Received shape {list(d.shape)}."
            )
    drawn = None if samples is None else np.asarray(samples, np.float64)
    if drawn is not None and (drawn.ndim != 2 or len(drawn) != len(x) or np.isinf(drawn).any()):
        raise ValueError(
            f"`samples` must be [{len(x)}, S] finite numbers, or rows of NaN. Received shape {list(drawn.shape)}."
        )
    return densities, drawn

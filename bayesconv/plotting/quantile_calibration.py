"""Whether predicted quantiles and intervals of real numbers hold what they promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from bayesconv.metrics import quantile_calibration_error
from bayesconv.plotting.theme import GREY, SKY, own_axes, series, styled

Array = npt.NDArray[np.float64]
_LEVELS = np.arange(1, 100) / 100


@styled
def quantile_calibration(
    pit: Mapping[str, npt.ArrayLike], ax: Axes | None = None, *, intervals: bool = False, level: float = 0.9
) -> Axes:
    """Share of the targets below each predicted quantile, or inside of each central interval, against its promise.

    The band is where a perfect model's share would fall at `level`, one quantile at a time: the central part of
    Binomial(N, p) / N for the smallest N. The legend has the quantile calibration error, or the share of the targets in
    the interval of `level` (PICP).

    Args:
      pit: Name of a model to `[N]` in [0, 1], its predicted distribution function at each target: from
        `bayesconv.metrics.gaussian_pit` or `sample_pit`.
      ax: Axes to draw on, or None for a new figure.
      intervals: Central intervals in place of quantiles: below the diagonal they are too narrow.
      level: Probability of the band, and the interval that the legend names.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no model, a value is not in [0, 1], or `level` is no share.

    Example:
      >>> ax = quantile_calibration({"net": [0.1, 0.3, 0.5, 0.7, 0.9]}, intervals=True)
      >>> ax.get_legend().get_texts()[0].get_text()
      'net: 100.0 % in 90 % intervals'

    References:
      Kuleshov et al., Accurate Uncertainties for Deep Learning Using Calibrated Regression, ICML 2018. arXiv:1807.00263
    """
    models = _check(pit, level)
    ax = own_axes(ax, (6.4, 6.4))
    for i, (name, values) in enumerate(models.items()):
        look: dict[str, Any] = series(i)
        inside = np.abs(2 * values - 1) if intervals else values
        shares = np.searchsorted(np.sort(inside), _LEVELS + 1e-12, side="right") / len(values)
        said = f"{np.mean(inside <= level):.1%}".replace("%", " %") + f" in {100 * level:g} % intervals"
        error = f"error {quantile_calibration_error(values):.3f}"
        ax.plot(_LEVELS, shares, label=f"{name}: {said if intervals else error}", zorder=3, **look)
    lower, upper = _band(min(map(len, models.values())), level, _LEVELS)
    label = f"{100 * level:g} % band if calibrated"
    ax.fill_between(_LEVELS, lower, upper, color=SKY, alpha=0.35, linewidth=0, label=label)
    _frame("central interval" if intervals else "quantile", "inside" if intervals else "below", ax)
    return ax


@styled
def quantile_shares(
    below: Mapping[str, npt.ArrayLike], levels: npt.ArrayLike, ax: Axes | None = None, *, level: float = 0.9
) -> Axes:
    """Share of the targets below each of a few predicted quantiles, such as those that a net was trained for.

    The bars are where a perfect model's share would fall at `level`, as the band of `quantile_calibration`. The legend
    has the mean distance of the shares from their levels.

    Args:
      below: Name of a model to `[N, L]`, whether each target is below its quantile of each level.
      levels: `[L]` in (0, 1).
      ax: Axes to draw on, or None for a new figure.
      level: Probability of the bars.

    Returns:
      The axes.

    Raises:
      ValueError: If there is no model, shapes do not fit, or a level is no share.

    Example:
      >>> ax = quantile_shares({"net": [[False, True], [True, True], [False, True], [False, True]]}, [0.25, 0.75])
      >>> ax.get_legend().get_texts()[0].get_text()
      'net: error 0.125'
    """
    at, models = np.asarray(levels, np.float64), {name: np.asarray(values, bool) for name, values in below.items()}
    _check_shares(models, at, level)
    ax = own_axes(ax, (6.4, 6.4))
    for i, (name, values) in enumerate(models.items()):
        shares = values.mean(axis=0)
        look: dict[str, Any] = {**series(i), "marker": "o", "markersize": 7}
        ax.plot(at, shares, label=f"{name}: error {np.abs(shares - at).mean():.3f}", zorder=3, **look)
    lower, upper = _band(min(map(len, models.values())), level, at)
    ax.vlines(at, lower, upper, color=SKY, alpha=0.5, linewidth=9, label=f"{100 * level:g} % range if calibrated")
    _frame("quantile", "below", ax)
    return ax


def _frame(what: str, where: str, ax: Axes) -> None:
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.5, linestyle="--", label="perfect calibration")
    ax.set(xlabel=f"level of the {what}", ylabel=f"targets {where}", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)


def _band(num: int, level: float, at: Array) -> tuple[Array, Array]:
    from scipy.stats import binom  # slow to import, and only this function needs it

    return binom.ppf((1 - level) / 2, num, at) / num, binom.ppf((1 + level) / 2, num, at) / num


def _check_shares(models: Mapping[str, npt.NDArray[np.bool_]], levels: Array, level: float) -> None:
    if levels.ndim != 1 or not levels.size or not ((levels > 0) & (levels < 1)).all() or not 0 < level < 1:
        raise ValueError(f"Levels must lie strictly between 0 and 1. Received {levels.tolist()} and {level}.")
    if not models:
        raise ValueError("`below` must name at least one model. Received none.")
    for name, values in models.items():
        if values.shape[1:] != levels.shape or not len(values):
            raise ValueError(
                f"`below` must be [N, {len(levels)}], one column a level. Received shape {list(values.shape)} for "
                f"{name!r}."
            )


def _check(pit: Mapping[str, npt.ArrayLike], level: float) -> dict[str, Array]:
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie strictly between 0 and 1, a share and no percentage. Received {level}.")
    models = {name: np.ravel(np.asarray(values, np.float64)) for name, values in pit.items()}
    if not models:
        raise ValueError("`pit` must name at least one model. Received none.")
    for name, values in models.items():
        if not (values.size and (values >= 0).all() and (values <= 1).all()):
            raise ValueError(
                f"`pit` must be numbers in [0, 1], not empty. Received {values.size} for {name!r}; take "
                "metrics.gaussian_pit(mean, stddev, targets)."
            )
    return models

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
    lower, upper = _band(min(map(len, models.values())), level)
    label = f"{100 * level:g} % band if calibrated"
    ax.fill_between(_LEVELS, lower, upper, color=SKY, alpha=0.35, linewidth=0, label=label)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.5, linestyle="--", label="perfect calibration")
    what = "central interval" if intervals else "quantile"
    ax.set(xlabel=f"level of the {what}", ylabel=f"targets {'inside' if intervals else 'below'}")
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
    return ax


def _band(num: int, level: float) -> tuple[Array, Array]:
    from scipy.stats import binom  # slow to import, and only this function needs it

    return binom.ppf((1 - level) / 2, num, _LEVELS) / num, binom.ppf((1 + level) / 2, num, _LEVELS) / num


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

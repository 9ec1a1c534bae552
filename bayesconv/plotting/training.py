"""How training went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from bayesconv.plotting.theme import BLUE, GREEN, GREY, ORANGE, AxesArray, axes_row, styled

Row = Mapping[str, Any]


@styled
def learning_curves(history: Sequence[Row], axes: AxesArray | None = None) -> AxesArray:
    """Negative log-likelihood and KL by epoch, in axes of their own, with the best epoch marked.

    The best epoch has the least validation NLL among those with the full weight of the KL, as in training; without
    validation none is marked. Axes are logarithmic where every value is positive.

    Args:
      history: A row per epoch with keys `epoch`, `nll` (nats per example), `kl` (nats), and where there was a
        validation `validation_nll` and perhaps `validation_accuracy`; `kl_weight` below 1 tells a warm-up.
      axes: Two axes to draw on, or None for a new figure.

    Returns:
      The axes, `[2]`: NLL, KL.

    Raises:
      ValueError: If there is no row, a row lacks a key, or `axes` are not two.

    Example:
      >>> rows = [{"epoch": 1, "nll": 2.3, "kl": 90.0}, {"epoch": 2, "nll": 1.1, "kl": 60.0}]
      >>> [axis.get_ylabel() for axis in learning_curves(rows)]
      ['NLL [nats per example]', 'KL(q || p) [nats]']
    """
    _check_history(history)
    nll_axis, kl_axis = axes_row(axes, ("the NLL", "the KL"), (12, 4.6))
    _draw_nll(history, nll_axis)
    _draw_kl(history, kl_axis)
    candidates = [row for row in _rows_with(history, "validation_nll") if not _is_warming_up(row)]
    if candidates:
        best = min(candidates, key=lambda row: row["validation_nll"])
        for ax in (nll_axis, kl_axis):
            ax.axvline(best["epoch"], color=GREY, linestyle=":", linewidth=1.5)
        _mark_best(best, nll_axis)
    nll_axis.legend(loc="upper right")
    return np.array([nll_axis, kl_axis])


def _check_history(history: Sequence[Row]) -> None:
    if not history:
        raise ValueError("`history` must have a row for each epoch. Received none; train for an epoch first.")
    for row in history:
        missing = sorted({"epoch", "nll", "kl"} - set(row))
        if missing:
            raise ValueError(f"A row of `history` needs epoch, nll and kl. Received {dict(row)}, without {missing}.")


def _rows_with(history: Sequence[Row], key: str) -> list[Row]:
    # A run may validate only every few epochs, and one that diverged has NaN rows: neither can be the best.
    return [row for row in history if row.get(key) is not None and math.isfinite(row[key])]


def _is_warming_up(row: Row) -> bool:
    return row["kl"] != 0 and row.get("kl_weight", 1.0) < 1.0


def _draw_nll(history: Sequence[Row], ax: Axes) -> None:
    for key, label, color in (("nll", "training", BLUE), ("validation_nll", "validation", ORANGE)):
        rows = _rows_with(history, key)
        if rows:
            _plot(ax, rows, key, color=color, label=label)
    if all(row[key] > 0 for key in ("nll", "validation_nll") for row in _rows_with(history, key)):
        ax.set_yscale("log")
    ax.set(title="Negative log-likelihood", xlabel="epoch", ylabel="NLL [nats per example]")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _plot(ax: Axes, rows: Sequence[Row], key: str, **options: Any) -> None:
    marker = "o" if len(rows) == 1 else ""  # a line through one point is none
    ax.plot([row["epoch"] for row in rows], [row[key] for row in rows], marker=marker, **options)


def _mark_best(best: Row, ax: Axes) -> None:
    label = f"best: epoch {best['epoch']}, {best['validation_nll']:.3f} nats"
    if best.get("validation_accuracy") is not None:
        label += f", {best['validation_accuracy']:.1%} correct"
    ax.plot(best["epoch"], best["validation_nll"], "o", markersize=9, color=GREEN, label=label, zorder=5)


def _draw_kl(history: Sequence[Row], ax: Axes) -> None:
    kl = [row["kl"] for row in history]
    _plot(ax, history, "kl", color=BLUE)
    ax.set(title="Divergence of the posterior from the prior", xlabel="epoch", ylabel="KL(q || p) [nats]")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if min(kl) > 0:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(EngFormatter(sep=""))

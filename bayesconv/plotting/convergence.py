"""How many draws of the weights a prediction takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, PercentFormatter, ScalarFormatter

from bayesconv.metrics import accuracy, apply_temperature, expected_calibration_error, negative_log_likelihood
from bayesconv.plotting.theme import BLUE, GREY, SKY, AxesArray, axes_row, styled

Array = npt.NDArray[np.float64]
_SCORES = {
    "NLL [nats per example]": negative_log_likelihood,
    "accuracy": accuracy,
    "ECE": expected_calibration_error,
}


@styled
def sample_convergence(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    axes: AxesArray | None = None,
    *,
    counts: Sequence[int] | None = None,
    num_resamples: int = 50,
    seed: int = 0,
) -> AxesArray:
    """NLL, accuracy and ECE against the number of draws that are averaged, with a bootstrap band over draws.

    For each number, that many draws are taken with replacement from those given, again and again: the line is the mean
    of the score, the band its central 90 %. The dashed line is the score of all draws together. Where the line is flat
    and the band is narrow, more draws change nothing.

    Args:
      logits: `[S, N, K]` outputs of S draws, such as `bayesconv.predict(model, x).logits`.
      labels: `[N]` integers in `[0, K)`.
      axes: Three axes to draw on, or None for a new figure.
      counts: Numbers of draws; 1, 2, 4, ... and S if None.
      num_resamples: Resamples for each number.
      seed: The same seed gives the same figure.

    Returns:
      The axes, `[3]`: NLL, accuracy, ECE.

    Raises:
      ValueError: If shapes do not fit, a number of draws is not positive, or `axes` are not three.

    Example:
      >>> logits = np.random.default_rng(0).normal(size=[8, 20, 3])
      >>> axes = sample_convergence(logits, np.zeros(20, int), num_resamples=5)
      >>> axes[0].get_lines()[0].get_xdata().tolist()
      [1, 2, 4, 8]
    """
    probs, numbers = _check(logits, counts, num_resamples)
    three = axes_row(axes, ("the NLL", "the accuracy", "the ECE"), (13, 4.2))
    rng = np.random.default_rng(seed)
    scores = np.array([[_score(_resampled(probs, n, rng), labels) for _ in range(num_resamples)] for n in numbers])
    whole = _score(probs.mean(axis=0), labels)
    for ax, name, values, best in zip(three, _SCORES, np.moveaxis(scores, 2, 0), whole, strict=True):
        _draw(numbers, values, best, ax)
        ax.set(xlabel="draws", title=name)
        if name == "accuracy":
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    three[0].axhline(whole[0], color=GREY, linestyle="--", linewidth=1.5, label=f"all {len(probs)} draws", zorder=1)
    three[0].legend(loc="upper right")
    return np.array(three)


def _draw(numbers: Sequence[int], values: Array, best: float, ax: Axes) -> None:
    low, high = np.quantile(values, (0.05, 0.95), axis=1)
    ax.fill_between(numbers, low, high, color=SKY, alpha=0.35, linewidth=0, label="90 % of resamples")
    ax.plot(numbers, values.mean(axis=1), "o-", color=BLUE, label="mean")
    ax.axhline(best, color=GREY, linestyle="--", linewidth=1.5, zorder=1)
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(numbers) if len(numbers) <= 8 else list(numbers)[:: -(-len(numbers) // 8)])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _resampled(probs: Array, num: int, rng: np.random.Generator) -> Array:
    """The mean of `num` draws, taken with replacement."""
    weights = rng.multinomial(num, np.full(len(probs), 1 / len(probs))) / num
    return np.tensordot(weights, probs, axes=1)


def _score(probs: Array, labels: npt.ArrayLike) -> list[float]:
    return [metric(probs, labels) for metric in _SCORES.values()]


def _check(logits: npt.ArrayLike, counts: Sequence[int] | None, num_resamples: int) -> tuple[Array, list[int]]:
    z: Any = np.asarray(logits, np.float64)
    if z.ndim != 3 or not z.size or not np.isfinite(z).all():
        raise ValueError(f"`logits` must be [S, N, K], finite and not empty. Received shape {list(z.shape)}.")
    numbers = sorted({2**i for i in range(int(np.log2(len(z))) + 1)} | {len(z)}) if counts is None else list(counts)
    if not numbers or min(numbers) < 1 or num_resamples < 1:
        raise ValueError(
            f"`counts` and `num_resamples` must be positive. Received {numbers} and num_resamples={num_resamples}."
        )
    return apply_temperature(z, 1.0), numbers

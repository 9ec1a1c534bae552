"""How far any figure would move on other data, or with other seeds: an interval round each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.checks import check_at_least, check_fraction, check_scores

Method = Literal["percentile", "basic", "bca"]

_NUMBERS_AT_ONCE = 4_000_000  # indices that are drawn together: 32 MB


class Interval(NamedTuple):
    """A figure and the ends of its confidence interval."""

    value: float
    lower: float
    upper: float


def bootstrap(
    metric: Callable[..., float],
    *arrays: npt.ArrayLike,
    num_resamples: int = 1000,
    level: float = 0.95,
    method: Method = "percentile",
    paired: bool = True,
    seed: int = 0,
) -> Interval:
    """Confidence interval of any metric, by drawing the examples again with replacement.

    It says how the figure would vary over test sets, for one trained model; for the variation over trainings there is
    `seed_interval`. Two models are compared on the same examples by a metric of both, whose interval is that of the
    difference: `bootstrap(lambda a, b, y: accuracy(a, y) - accuracy(b, y), a, b, labels)`.

    Calibration errors are never 0 on finite data, and less so on resamples, which repeat examples: their percentile
    interval lies too high and may not hold the value. `method="basic"` mirrors it, which takes part of that back. Of an
    error that is no larger than chance makes it, neither holds the true one as often as it says: there the band of
    `ece_null` or `calibration_null` is what to read.

    Args:
      metric: Takes the arrays, returns a number.
      *arrays: With the examples on the first axis; wrap samples `[S, N, K]` in a metric of their `[N]` results.
      num_resamples: How often to draw; 1000 gives ends to a few per cent of the width.
      level: Confidence level.
      method: "percentile", "basic", or "bca", which corrects bias and skewness and computes the metric N times more.
      paired: The arrays are of the same examples, drawn together. Otherwise each is drawn by itself, as the two sets of
        scores of `ood_auroc` are.
      seed: The same seed gives the same interval, and the same draws for each metric.

    Raises:
      ValueError: If there are no arrays, lengths differ though paired, a number is out of range, or BCa is undefined
        because the figure is the same on every resample.

    Example:
      >>> from bayesconv.metrics import accuracy
      >>> bootstrap(accuracy, [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]], [0, 1, 1, 0])
      Interval(value=0.75, lower=0.25, upper=1.0)

    References:
      Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
    """
    from scipy import stats  # half a second to import, and only this function needs it

    check_at_least("num_resamples", num_resamples, 1)
    held = [np.asarray(array) for array in arrays]
    lengths = _lengths(held, paired)

    def of_indices(*indices: npt.NDArray[np.int64]) -> float:
        return float(metric(*(array[i] for array, i in zip(held, _for_each(indices, len(held)), strict=True))))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=stats.DegenerateDataWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"scipy\.stats\._resampling")
        low, high = stats.bootstrap(
            [np.arange(length) for length in lengths],
            of_indices,
            n_resamples=num_resamples,
            batch=max(1, _NUMBERS_AT_ONCE // sum(lengths)),
            vectorized=False,
            confidence_level=check_fraction("level", level),
            method=method,
            random_state=np.random.default_rng(seed),  # which SciPy calls rng from 1.15 on, and takes as well
        ).confidence_interval
    value = of_indices(*(np.arange(length) for length in lengths))
    if method == "bca" and np.isfinite(value) and not np.isfinite([low, high]).all():
        raise ValueError('`method="bca"` is undefined where all resamples give one value; take method="percentile".')
    return Interval(value, float(low), float(high))


def bootstrap_report(
    metrics: Mapping[str, Callable[..., float]],
    *arrays: npt.ArrayLike,
    num_resamples: int = 1000,
    level: float = 0.95,
    paired: bool = True,
    seed: int = 0,
) -> dict[str, Interval]:
    """The percentile interval of each of several metrics, all on the same resamples.

    Args:
      metrics: From a name to a function of the arrays, such as `metrics_of("classification")`.
      *arrays: With the examples on the first axis.
      num_resamples: How often to draw.
      level: Confidence level.
      paired: As in `bootstrap`.
      seed: The same seed gives the same intervals.

    Raises:
      ValueError: As `bootstrap` and the metrics do.

    Example:
      >>> from bayesconv.metrics import accuracy, brier_score
      >>> report = bootstrap_report({"accuracy": accuracy, "brier": brier_score}, [[0.9, 0.1]] * 4, [0, 0, 0, 1])
      >>> report["accuracy"]
      Interval(value=0.75, lower=0.25, upper=1.0)
    """
    options: dict[str, Any] = {"num_resamples": num_resamples, "level": level, "paired": paired, "seed": seed}
    return {name: bootstrap(metric, *arrays, **options) for name, metric in metrics.items()}


def seed_interval(values: Sequence[float] | npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Mean of a figure over R training runs with different seeds, and Student's interval for it.

    The ends are mean -+ t s / sqrt(R) with R - 1 degrees of freedom; with three seeds t is 4.3, not 2.

    Args:
      values: `[R]`, one figure of each run, R >= 2.
      level: Confidence level.

    Raises:
      ValueError: If there are fewer than two values, or one is not finite.

    Example:
      >>> [round(end, 2) for end in seed_interval([0.91, 0.92, 0.93])]
      [0.92, 0.9, 0.94]

    References:
      Student, The Probable Error of a Mean, Biometrika 1908.
    """
    from scipy.special import stdtrit

    runs = check_scores("values", values)
    check_at_least("number of values", len(runs), 2)
    t = stdtrit(len(runs) - 1, (1 + check_fraction("level", level)) / 2)
    half = float(t * runs.std(ddof=1) / np.sqrt(len(runs)))
    mean = float(runs.mean())
    return Interval(mean, mean - half, mean + half)


def _lengths(arrays: Sequence[npt.NDArray], paired: bool) -> list[int]:
    """How many examples to draw: of all arrays together, or of each."""
    lengths = [len(array) if array.ndim else 0 for array in arrays]
    if not lengths or min(lengths) < 2:
        raise ValueError(f"`arrays` must hold 2 or more examples each, on the first axis. Received lengths {lengths}.")
    if not paired:
        return lengths
    if len(set(lengths)) > 1:
        raise ValueError(
            f"`arrays` must be of the same examples. Received lengths {lengths}; pass paired=False for two data sets, "
            "and reduce samples [S, N, K] to what the metric makes of them for each example."
        )
    return lengths[:1]


def _for_each(indices: Sequence[npt.NDArray[np.int64]], num_arrays: int) -> Sequence[npt.NDArray[np.int64]]:
    return indices if len(indices) == num_arrays else [indices[0]] * num_arrays

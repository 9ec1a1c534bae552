"""Predicted intervals and quantiles of real numbers: how wide they are, and whether they hold what they promise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from bayesconv.metrics.calibration import NullBand, band_of
from bayesconv.metrics.checks import Floats, check_at_least, check_fraction, check_values
from bayesconv.metrics.regression import check_gaussian, check_samples


def interval_coverage(lower: npt.ArrayLike, upper: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """PICP: the share of the targets inside of their intervals, ends included; it should be the nominal level.

    Args:
      lower: `[N]`, or any shape.
      upper: The same shape, not below `lower`.
      targets: The same shape.

    Raises:
      ValueError: If the shapes differ, a number is not finite, or an interval is upside down.

    Example:
      >>> interval_coverage([0.0, 0.0], [1.0, 1.0], [0.5, 2.0])
      0.5
    """
    low, high, y = _check_intervals(lower, upper, targets)
    return float(np.mean((low <= y) & (y <= high)))


def mean_interval_width(lower: npt.ArrayLike, upper: npt.ArrayLike) -> float:
    """MPIW: the mean width, in units of the target; compare it at equal coverage.

    Args:
      lower: `[N]`, or any shape.
      upper: The same shape, not below `lower`.

    Raises:
      ValueError: If the shapes differ, a number is not finite, or an interval is upside down.

    Example:
      >>> mean_interval_width([0.0, 0.0], [1.0, 3.0])
      2.0
    """
    low, high, _ = _check_intervals(lower, upper, lower)
    return float(np.mean(high - low))


def interval_score(
    lower: npt.ArrayLike, upper: npt.ArrayLike, targets: npt.ArrayLike, *, miscoverage: float = 0.1
) -> float:
    """Mean of (u - l) + 2 / a (l - y)_+ + 2 / a (y - u)_+, which the a/2 and 1 - a/2 quantiles minimize.

    Width and coverage in one proper score, in units of the target; lower is better.

    Args:
      lower: `[N]`, or any shape.
      upper: The same shape, not below `lower`.
      targets: The same shape.
      miscoverage: The share a of targets that the intervals may miss: 0.1 for intervals of 90 %.

    Raises:
      ValueError: If the shapes differ, a number is not finite or out of range, or an interval is upside down.

    Example:
      >>> interval_score([0.0, 0.0], [1.0, 1.0], [0.5, 1.25], miscoverage=0.5)
      1.5

    References:
      Gneiting and Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation, JASA 2007.
    """
    low, high, y = _check_intervals(lower, upper, targets)
    missed_by = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.mean(high - low + 2 / check_fraction("miscoverage", miscoverage) * missed_by))


def gaussian_pit(mean: npt.ArrayLike, stddev: npt.ArrayLike, targets: npt.ArrayLike) -> Floats:
    """Probability integral transform Phi((y - m) / s), of the shape given; uniform on [0, 1] if calibrated.

    Args:
      mean: `[N]`, or any shape.
      stddev: The same shape, positive.
      targets: The same shape.

    Raises:
      ValueError: If the shapes differ, a number is not finite, or a standard deviation is not positive.

    Example:
      >>> gaussian_pit([0.0, 0.0], [1.0, 1.0], [0.0, 1.645]).round(2)
      array([0.5 , 0.95])
    """
    m, s, y = check_gaussian(mean, stddev, targets)
    return ndtr((y - m) / s)


def sample_pit(samples: npt.ArrayLike, targets: npt.ArrayLike, *, seed: int = 0) -> Floats:
    """Probability integral transform from draws: (rank + U) / (S + 1), exactly uniform on [0, 1] if calibrated.

    The rank is the number of draws below the target, ties at random. U is uniform on [0, 1], since S draws leave S + 1
    ranks only, and without it small S would look miscalibrated.

    Args:
      samples: `[S, N]`, or `[S, ...]`, draws of the predictive distribution, observation noise included.
      targets: `[N]`, or the rest of that shape.
      seed: The same seed gives the same U.

    Raises:
      ValueError: If the shapes do not match or a number is not finite.

    Example:
      >>> sample_pit([[0.0], [1.0], [2.0]], [5.0]) >= 0.75
      array([ True])

    References:
      Czado et al., Predictive Model Assessment for Count Data, Biometrics 2009.
    """
    x, y = check_samples(samples, targets)
    below, ties = (x < y).sum(axis=0), (x == y).sum(axis=0)
    uniform = np.random.default_rng(seed).random(y.shape)
    return (below + uniform * (ties + 1)) / (len(x) + 1)


def quantile_calibration_error(pit: npt.ArrayLike, *, num_levels: int = 99) -> float:
    """Mean over levels p = j / (num_levels + 1) of |share of the targets below the predicted p-quantile - p|.

    The calibration error of regression, in [0, 1/2]. Chance alone gives `quantile_calibration_null`.

    Args:
      pit: `[N]`, or any shape, in [0, 1]: the predicted distribution function at each target, as from `gaussian_pit`.
      num_levels: Number of equidistant levels inside of (0, 1).

    Raises:
      ValueError: If a number is not in [0, 1], or `num_levels` is below 1.

    Example:
      >>> quantile_calibration_error([0.9, 0.9, 0.9, 0.9], num_levels=3)  # 1/4, 1/2 and 3/4, none of them below
      0.5

    References:
      Kuleshov et al., Accurate Uncertainties for Deep Learning Using Calibrated Regression, ICML 2018. arXiv:1807.00263
    """
    values = np.sort(check_values("pit", pit), axis=None)
    if values[0] < 0 or values[-1] > 1:
        raise ValueError(f"`pit` must lie in [0, 1]. Received values from {values[0]} to {values[-1]}.")
    levels = np.arange(1, check_at_least("num_levels", num_levels, 1) + 1) / (num_levels + 1)
    return float(np.mean(np.abs(np.searchsorted(values, levels, side="right") / len(values) - levels)))


def quantile_calibration_null(
    num_examples: int, *, num_levels: int = 99, num_draws: int = 1000, seed: int = 0
) -> NullBand:
    """The `quantile_calibration_error` of a perfect model on as many independent targets: mean and central 95 %.

    Args:
      num_examples: Number of targets.
      num_levels: As in `quantile_calibration_error`.
      num_draws: Simulated data sets.
      seed: The same seed gives the same band.

    Raises:
      ValueError: If a number is below 1.

    Example:
      >>> 0.02 < quantile_calibration_null(100).mean < 0.04
      True
    """
    check_at_least("num_examples", num_examples, 1)
    check_at_least("num_draws", num_draws, 1)
    rng = np.random.default_rng(seed)
    draws = (rng.random(num_examples) for _ in range(num_draws))
    return band_of([quantile_calibration_error(draw, num_levels=num_levels) for draw in draws])


def _check_intervals(
    lower: npt.ArrayLike, upper: npt.ArrayLike, targets: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    low = check_values("lower", lower)
    high, y = check_values("upper", upper, low.shape), check_values("targets", targets, low.shape)
    if (low > high).any():
        raise ValueError(
            f"`lower` must not exceed `upper`. Received {int((low > high).sum())} intervals that are upside down; "
            "sort the two ends."
        )
    return low, high, y

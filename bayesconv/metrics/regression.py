"""Scores of predictive distributions of real numbers. `[N]` targets, or any shape, over whose elements they average."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, ndtr

from bayesconv.metrics.checks import Floats, check_at_least, check_values
from bayesconv.metrics.selective import check_ranked, risks


def gaussian_negative_log_likelihood(mean: npt.ArrayLike, stddev: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Mean of 1/2 log(2 pi s^2) + (y - m)^2 / (2 s^2), in nats per target.

    Args:
      mean: `[N]`, or any shape.
      stddev: The same shape, positive: the whole predictive standard deviation, of the noise and of the weights.
      targets: The same shape.

    Raises:
      ValueError: If the shapes differ, a number is not finite, or a standard deviation is not positive.

    Example:
      >>> round(gaussian_negative_log_likelihood([0.0, 1.0], [1.0, 1.0], [0.0, 2.0]), 4)
      1.1689
    """
    m, s, y = check_gaussian(mean, stddev, targets)
    return float(np.mean(np.log(s) + ((y - m) / s) ** 2 / 2) + np.log(2 * np.pi) / 2)


def gaussian_mixture_negative_log_likelihood(
    means: npt.ArrayLike, stddevs: npt.ArrayLike, targets: npt.ArrayLike
) -> float:
    """Mean of -log (1/S sum_s N(y; m_s, s_s^2)), in nats per target: the predictive density of S weight samples.

    One normal of the same mean and variance is another density, and scores otherwise.

    Args:
      means: `[S, N]`, or `[S, ...]`, for each weight sample.
      stddevs: The same shape, positive: the noise alone, as the weights are in the samples.
      targets: `[N]`, or the rest of that shape.

    Raises:
      ValueError: If the shapes do not match, a number is not finite, or a standard deviation is not positive.

    Example:
      >>> round(gaussian_mixture_negative_log_likelihood([[-2.0], [2.0]], [[1.0], [1.0]], [2.0]), 4)
      1.6118
    """
    m, y = check_samples(means, targets)
    s = check_values("stddevs", stddevs, m.shape)
    if s.min() <= 0:
        raise ValueError(f"`stddevs` must be positive; they are no variances and no logarithms. Received {s.min()}.")
    log_density = -np.log(s) - ((y - m) / s) ** 2 / 2 - np.log(2 * np.pi) / 2
    return float(np.log(len(m)) - logsumexp(log_density, axis=0).mean())


def gaussian_crps(mean: npt.ArrayLike, stddev: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Continuous ranked probability score of normals, mean of s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)).

    In units of the target, 0 is best, and for s to 0 it is the absolute error. Here z = (y - m) / s.

    Args:
      mean: `[N]`, or any shape.
      stddev: The same shape, positive.
      targets: The same shape.

    Raises:
      ValueError: If the shapes differ, a number is not finite, or a standard deviation is not positive.

    Example:
      >>> round(gaussian_crps([0.0], [1.0], [0.0]), 4)
      0.2337

    References:
      Gneiting and Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation, JASA 2007.
    """
    m, s, y = check_gaussian(mean, stddev, targets)
    z = (y - m) / s
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return float(np.mean(s * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))))


def sample_crps(samples: npt.ArrayLike, targets: npt.ArrayLike, *, fair: bool = True) -> float:
    """Continuous ranked probability score from draws, mean |x - y| - 1/2 mean |x - x'|, in units of the target.

    Args:
      samples: `[S, N]`, or `[S, ...]`, draws of the predictive distribution, observation noise included.
      targets: `[N]`, or the rest of that shape.
      fair: Average |x - x'| over the S (S - 1) pairs of different draws, which estimates the score of the distribution
        they come from without bias; it may be negative. Otherwise over all S^2, the score of the draws themselves.

    Raises:
      ValueError: If the shapes do not match, a number is not finite, or `fair` is asked of a single draw.

    Example:
      >>> sample_crps([[0.0], [1.0]], [0.0], fair=False)
      0.25

    References:
      Gneiting and Raftery, JASA 2007; Ferro, Fair scores for ensemble forecasts, QJRMS 2014.
    """
    x, y = check_samples(samples, targets)
    num_samples = check_at_least("number of samples", len(x), 2 if fair else 1)
    # Sorted, |x_i - x_j| summed over all ordered pairs is 2 sum_i (2 i - S - 1) x_(i): S log S steps instead of S^2.
    ranks = 2 * np.arange(1, num_samples + 1) - num_samples - 1
    spread = 2 * np.tensordot(ranks, np.sort(x, axis=0), axes=1)
    pairs = num_samples * (num_samples - 1) if fair else num_samples**2
    return float(np.mean(np.abs(x - y).mean(axis=0) - spread / pairs / 2))


def sparsification_error(uncertainty: npt.ArrayLike, errors: npt.ArrayLike, *, root: bool = False) -> float:
    """AUSE: how much more error than in the best order is left as uncertain examples are removed; 0 is best.

    The mean over k of (error of the k surest examples - error of the k best ones), divided by the error of all.

    Args:
      uncertainty: `[N]`, higher means less sure.
      errors: `[N]`, not negative: absolute errors for the MAE, or squared ones together with `root` for the RMSE.
      root: Take the root of each mean.

    Raises:
      ValueError: If the shapes do not match, a number is not finite, or an error is negative.

    Example:
      >>> sparsification_error([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])
      0.0

    References:
      Ilg et al., Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow, ECCV 2018. arXiv:1802.07095
    """
    u, error = check_ranked(uncertainty, errors)
    if error.min() < 0:
        raise ValueError(f"`errors` must not be negative; take absolute or squared ones. Received {error.min()}.")
    if not error.any():
        return 0.0
    left, least = (np.sqrt(risks(by, error)) if root else risks(by, error) for by in (u, error))
    return float(np.mean(left - least) / left[-1])


def check_gaussian(mean: npt.ArrayLike, stddev: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """All three in float64, if they are finite, of one shape, and the standard deviations positive."""
    m = check_values("mean", mean)
    s, y = check_values("stddev", stddev, m.shape), check_values("targets", targets, m.shape)
    if s.min() <= 0:
        raise ValueError(f"`stddev` must be positive; it is no variance and no logarithm. Received {s.min()}.")
    return m, s, y


def check_samples(samples: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Both in float64, if they are finite and `samples` has the shape of `targets` behind its first axis."""
    x, y = check_values("samples", samples), check_values("targets", targets)
    if x.shape[1:] != y.shape:
        raise ValueError(
            f"`samples` must be [S, ...] for `targets` [...]. Received {list(x.shape)} and {list(y.shape)}."
        )
    return x, y

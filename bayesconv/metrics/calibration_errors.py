"""Calibration errors beside the expected one: the worst bin, equal bins, every class, without bias, without bins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.bins import (
    BinSums,
    bin_sums,
    debiased_squared_gap,
    equal_mass_bins,
    equal_width_bins,
    largest_gap,
    mean_gap,
)
from bayesconv.metrics.calibration import NullBand, band_of, confidence_sums
from bayesconv.metrics.checks import Floats, Integers, check_at_least, check_labelled, check_probs

_CELLS = 2**13  # confidences are rounded to the middle of a cell for the smooth error, by 6e-5 at most


def maximum_calibration_error(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> float:
    """MCE = max_b |accuracy_b - confidence_b| over equal-width bins that are not empty, in [0, 1].

    A bin of few examples dominates it: read it next to `calibration_null`.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of bins on [0, 1], each closed on the right.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(maximum_calibration_error([[0.9, 0.1], [0.3, 0.7]], [0, 0]), 4)
      0.7

    References:
      Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.
    """
    return largest_gap(confidence_sums(probs, labels, num_bins))


def adaptive_calibration_error(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> float:
    """The ECE over bins that hold the same number of examples, in [0, 1].

    Equal confidences share a bin, so that the order of the examples does not matter.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of bins of N / num_bins examples.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(adaptive_calibration_error([[0.9, 0.1], [0.3, 0.7]], [0, 0], num_bins=2), 4)
      0.4

    References:
      Nixon et al., Measuring Calibration in Deep Learning, 2019. arXiv:1904.01685
    """
    p, y = check_labelled(probs, labels)
    confidence = p.max(axis=1)
    return mean_gap(bin_sums(p.argmax(axis=1) == y, confidence, equal_mass_bins(confidence, num_bins), num_bins))


def classwise_calibration_error(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> float:
    """Mean over the K classes of sum_b n_b / N |frequency_b - probability_b|, each class binned by its own probability.

    Also called static calibration error (SCE). With many classes most probabilities are near 0 and so is the error.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of equal-width bins on [0, 1], each closed on the right.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(classwise_calibration_error([[0.9, 0.1], [0.3, 0.7]], [0, 0]), 4)
      0.4

    References:
      Nixon et al., Measuring Calibration in Deep Learning, 2019. arXiv:1904.01685
    """
    return mean_gap(classwise_sums(probs, labels, num_bins))


def debiased_squared_calibration_error(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> float:
    """sum_b n_b / N (accuracy_b - confidence_b)^2 less what chance adds to it: 0 on average if calibrated.

    In each bin it is the mean of d_i d_j over pairs of different examples, with d = correct - confidence. Where all
    confidences of a bin are equal this is (accuracy - confidence)^2 - accuracy (1 - accuracy) / (n_b - 1). A bin of one
    example says nothing and counts 0. It is a square, and may be negative: a root would bring the bias back.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of equal-width bins on [0, 1], each closed on the right.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(debiased_squared_calibration_error([[0.9, 0.1]] * 2, [0, 1]), 4)  # (1 - 0.9) (0 - 0.9)
      -0.09

    References:
      Kumar et al., Verified Uncertainty Calibration, NeurIPS 2019. arXiv:1909.10155
    """
    return debiased_squared_gap(confidence_sums(probs, labels, num_bins))


def smooth_calibration_error(probs: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """smECE: the width at which a Gaussian smoothing of correct - confidence integrates to that very width, in [0, 1].

    With E(w) the integral over [0, 1] of |1/N sum_i kernel_w(t, c_i) (correct_i - c_i)|, where the kernel is a Gaussian
    of standard deviation w that 0 and 1 reflect, it is the one w with E(w) = w. No bins, no number to choose, and a
    continuous function of the confidences. Confidences are rounded by 6e-5 at most.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(smooth_calibration_error([[0.8, 0.2]] * 10, [0] * 5 + [1] * 5), 3)
      0.3

    References:
      Blasiok and Nakkiran, Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing, 2023. arXiv:2309.12236
    """
    gaps = gaps_in_cells(probs, labels)
    return smooth_width(gaps / len(np.asarray(labels)))


def smooth_width(gaps: Floats) -> float:
    """The width w at which gaps in equal cells of [0, 1], `[cells]`, smoothed by w integrate to w."""
    from scipy.fft import dct, idct
    from scipy.optimize import brentq

    if not gaps.any():
        return 0.0
    # Cosines are the modes that reflecting ends leave alone; a Gaussian damps the k-th by exp(-(pi k w)^2 / 2).
    modes, frequencies = dct(gaps), np.pi * np.arange(len(gaps))

    def excess(width: float) -> float:
        return float(np.abs(idct(modes * np.exp(-((frequencies * width) ** 2) / 2))).sum()) - width

    return float(brentq(excess, 0.0, 2.0, xtol=1e-9))  # E falls, and never exceeds 1


def gaps_in_cells(probs: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Hits less confidences, summed in equal cells of [0, 1]: what the smooth error is made of."""
    p, y = check_labelled(probs, labels)
    confidence = p.max(axis=1)
    cells = np.minimum((confidence * _CELLS).astype(np.int64), _CELLS - 1)
    gaps = (p.argmax(axis=1) == y) - confidence
    return np.bincount(cells, weights=gaps, minlength=_CELLS).astype(np.float64)


def calibration_null(
    metric: Callable[[Floats, Integers], float], probs: npt.ArrayLike, *, num_draws: int = 1000, seed: int = 0
) -> NullBand:
    """What any error would show if these very probabilities were right: its mean and central 95 %.

    Labels are drawn from the probabilities, and the metric is taken on each draw. For the ECE `ece_null` is faster.

    Args:
      metric: Takes `probs` and `labels`, returns a number; `functools.partial` binds its options.
      probs: `[N, K]`, rows sum to one.
      num_draws: Simulated label sets.
      seed: The same seed gives the same band.

    Raises:
      ValueError: If the shape is another one, a row is no distribution, or `num_draws` is below 1.

    Example:
      >>> band = calibration_null(maximum_calibration_error, [[0.5, 0.5]] * 100)
      >>> 0.03 < band.mean < 0.05
      True
    """
    check_at_least("num_draws", num_draws, 1)
    p, rng = check_probs(probs), np.random.default_rng(seed)
    cumulative = p.cumsum(axis=1)[:, :-1]
    return band_of([metric(p, (cumulative <= rng.random((len(p), 1))).sum(axis=1)) for _ in range(num_draws)])


def classwise_sums(probs: npt.ArrayLike, labels: npt.ArrayLike, num_bins: int) -> BinSums:
    """What each class' probabilities and outcomes sum to in equal-width bins of its own, class after class."""
    p, y = check_labelled(probs, labels)
    outcome, num_classes = np.eye(p.shape[1])[y], p.shape[1]
    own_bins = (equal_width_bins(p, num_bins) + num_bins * np.arange(num_classes)).ravel()
    return bin_sums(outcome.ravel(), p.ravel(), own_bins, num_bins * num_classes)

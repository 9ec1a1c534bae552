"""Whether a confidence of 90 % is right nine times in ten, how sure of that one can be, and the one-number remedy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, logsumexp, softmax

from bayesconv.metrics.checks import Floats, Integers, check_labelled, check_labels, check_probs

_TEMPERATURES = (0.05, 20.0)


class ReliabilityCurve(NamedTuple):
    """Accuracy against confidence in B equal-width bins; NaN where a bin is empty."""

    bin_edges: Floats  # [B + 1], from 0 to 1
    confidence: Floats  # [B], mean top probability
    accuracy: Floats  # [B], share of correct predictions
    count: Integers  # type: ignore[assignment]  # [B], examples; hides tuple.count, which nobody calls here
    lower: Floats  # [B], 5 % quantile of the accuracy if the confidences were right
    upper: Floats  # [B], 95 % quantile of the same


class NullBand(NamedTuple):
    """The calibration error that chance alone gives a perfectly calibrated model: its mean and central 90 %."""

    mean: float
    lower: float
    upper: float


def expected_calibration_error(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> float:
    """ECE = sum_b n_b / N |accuracy_b - confidence_b| over equal-width bins of the top probability, in [0, 1].

    It is never 0 on finite data, however good the model: read it next to `ece_null`.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of bins on [0, 1], each closed on the right; empty bins contribute nothing.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> round(expected_calibration_error([[0.9, 0.1], [0.3, 0.7]], [0, 0]), 4)
      0.4

    References:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017. arXiv:1706.04599
    """
    p, y = check_labelled(probs, labels)
    return _calibration_error(p.argmax(axis=1) == y, p.max(axis=1), _bins(p, num_bins))


def reliability_curve(probs: npt.ArrayLike, labels: npt.ArrayLike, *, num_bins: int = 15) -> ReliabilityCurve:
    """Accuracy and mean confidence per bin, with the band where a calibrated model's accuracy would fall.

    The band is the central 90 % of Binomial(n_b, mean confidence_b) / n_b, one bin at a time.

    Args:
      probs: `[N, K]`, rows sum to one.
      labels: `[N]` integers in `[0, K)`.
      num_bins: Number of equal-width bins on [0, 1], each closed on the right.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> reliability_curve([[0.9, 0.1], [0.3, 0.7]], [0, 0], num_bins=2).accuracy
      array([nan, 0.5])
    """
    from scipy.stats import binom  # half a second to import, and only this function needs it

    p, y = check_labelled(probs, labels)
    bins = _bins(p, num_bins)
    count = np.bincount(bins, minlength=num_bins)
    size = np.where(count > 0, count, np.nan)
    confidence = np.bincount(bins, weights=p.max(axis=1), minlength=num_bins) / size
    correct = np.bincount(bins, weights=p.argmax(axis=1) == y, minlength=num_bins) / size
    lower, upper = (binom.ppf(level, size, np.minimum(confidence, 1)) / size for level in (0.05, 0.95))
    return ReliabilityCurve(_edges(num_bins), confidence, correct, count, lower, upper)


def ece_null(probs: npt.ArrayLike, *, num_bins: int = 15, num_draws: int = 1000, seed: int = 0) -> NullBand:
    """The ECE that these very probabilities would show if they were right: the yardstick for a measured one.

    Labels are drawn from the probabilities. The top class is then correct with its own probability, so one coin per
    example and draw is all it takes. The mean is about sum_b n_b / N sqrt(2 c_b (1 - c_b) / (pi n_b)).

    Args:
      probs: `[N, K]`, rows sum to one.
      num_bins: Number of equal-width bins, as in `expected_calibration_error`.
      num_draws: Simulated label sets.
      seed: The same seed gives the same band.

    Raises:
      ValueError: If the shape is another one, a row is no distribution, or `num_draws` is below 1.

    Example:
      >>> band = ece_null([[0.5, 0.5]] * 100)
      >>> 0.03 < band.mean < 0.05
      True
    """
    if num_draws < 1:
        raise ValueError(f"`num_draws` must be at least 1; 1000 gives two digits. Received {num_draws}.")
    p = check_probs(probs)
    confidence, bins, rng = p.max(axis=1), _bins(p, num_bins), np.random.default_rng(seed)
    # One draw at a time: all at once would need [num_draws, N] numbers.
    errors = [_calibration_error(rng.random(len(p)) < confidence, confidence, bins) for _ in range(num_draws)]
    return NullBand(float(np.mean(errors)), *(float(q) for q in np.quantile(errors, (0.05, 0.95))))


def temperature_scale(logits_val: npt.ArrayLike, labels_val: npt.ArrayLike) -> float:
    """The temperature T in [0.05, 20] whose softmax(logits / T) has the least NLL on held-out data.

    Args:
      logits_val: `[N, K]`, or `[S, N, K]` for weight samples, whose tempered probabilities are averaged.
      labels_val: `[N]` integers in `[0, K)`, of data that the model was not trained on.

    Returns:
      T; above 1 means overconfident. A value next to an end of the range means that there is no minimum inside it.

    Raises:
      ValueError: If the shapes do not match, a logit is not finite or a label is out of range.

    Example:
      >>> round(temperature_scale([[2.0, 0.0]] * 4, [0, 0, 0, 1]), 2)  # softmax([2 / T, 0]) = [3/4, 1/4]
      1.82

    References:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017. arXiv:1706.04599
    """
    from scipy.optimize import minimize_scalar

    logits = np.asarray(logits_val, np.float64)
    if logits.ndim not in (2, 3) or not logits.size or not np.isfinite(logits).all():
        raise ValueError(
            f"`logits_val` must be [N, K] or [S, N, K], finite and not empty. Received shape {list(logits.shape)}."
        )
    logits = logits.reshape(-1, *logits.shape[-2:])
    labels = check_labels(labels_val, *logits.shape[1:])

    def loss(log_temperature: float) -> float:
        log_probs = log_softmax(logits / np.exp(log_temperature), axis=-1)[:, np.arange(len(labels)), labels]
        return -float(np.mean(logsumexp(log_probs, axis=0)))  # up to log S, which moves no minimum

    return float(np.exp(minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded").x))


def apply_temperature(logits: npt.ArrayLike, temperature: float) -> Floats:
    """softmax(logits / temperature) over the last axis, `[..., K]` to `[..., K]`.

    Raises:
      ValueError: If `temperature` is not positive.

    Example:
      >>> apply_temperature([[2.0, 0.0]], 1e3).round(2)
      array([[0.5, 0.5]])
    """
    if not temperature > 0:
        raise ValueError(f"`temperature` must be positive; 1 changes nothing. Received {temperature}.")
    return softmax(np.asarray(logits, np.float64) / temperature, axis=-1)


def _edges(num_bins: int) -> Floats:
    if num_bins < 1:
        raise ValueError(f"`num_bins` must be at least 1; 15 is customary. Received {num_bins}.")
    return np.linspace(0.0, 1.0, num_bins + 1)


def _bins(probs: Floats, num_bins: int) -> Integers:
    return np.digitize(probs.max(axis=1), _edges(num_bins)[1:-1], right=True)


def _calibration_error(correct: npt.NDArray[np.bool_], confidence: Floats, bins: Integers) -> float:
    # n_b |accuracy_b - confidence_b| = |sum of (correct - confidence) in b|: no division, so empty bins need no care.
    return float(np.abs(np.bincount(bins, weights=correct - confidence)).sum() / len(bins))

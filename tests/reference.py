"""Oracles: each quantity as its definition reads, in NumPy loops, without TensorFlow and without the package.

They are slow on purpose. A test that compares the library with one of these compares two independent derivations.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np


def entropy(probs: np.ndarray) -> np.ndarray:
    """Shannon entropy of each row of `[N, K]` in nats, with 0 log 0 = 0."""
    return np.array([-sum(p * math.log(p) for p in row if p > 0) for row in probs])


def negative_log_likelihood(probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean surprise at the labels, nats per example."""
    return sum(-math.log(row[label]) for row, label in zip(probs, labels, strict=True)) / len(labels)


def brier_score(probs: np.ndarray, labels: np.ndarray) -> float:
    """Squared distance to the one-hot label, summed over the classes, averaged over the examples."""
    total = 0.0
    for row, label in zip(probs, labels, strict=True):
        for k, p in enumerate(row):
            total += (p - (1.0 if k == label else 0.0)) ** 2
    return total / len(labels)


def expected_calibration_error(probs: np.ndarray, labels: np.ndarray, num_bins: int) -> float:
    """sum_b n_b / N |accuracy_b - confidence_b| over the bins (b / B, (b + 1) / B] of the top probability."""
    total = 0.0
    for b in range(num_bins):
        low, high = b / num_bins, (b + 1) / num_bins
        members = [i for i, row in enumerate(probs) if low < max(row) <= high]
        if members:
            accuracy = sum(float(np.argmax(probs[i]) == labels[i]) for i in members) / len(members)
            confidence = sum(float(max(probs[i])) for i in members) / len(members)
            total += len(members) / len(probs) * abs(accuracy - confidence)
    return total


def normal_kl(loc: np.ndarray, scale: np.ndarray, prior_loc: np.ndarray, prior_scale: np.ndarray) -> float:
    """KL(N(loc, scale^2) || N(prior_loc, prior_scale^2)) in nats, summed over all elements after broadcasting."""
    total = 0.0
    for m, s, m0, s0 in np.broadcast(loc, scale, prior_loc, prior_scale):
        total += math.log(s0 / s) + (s**2 + (m - m0) ** 2) / (2 * s0**2) - 0.5
    return total


def convolution(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: int | Sequence[int] = 1,
    padding: str = "VALID",
    dilations: int | Sequence[int] = 1,
) -> np.ndarray:
    """Channels-last cross-correlation in 1 to 3 dimensions, as TensorFlow defines it.

    y[n, o, c] = sum_{t, i} x[n, o * stride + t * dilation - before, i] kernel[t, i, c], zero outside of x.

    Args:
      x: `[N, *space, C_in]`.
      kernel: `[*filter, C_in, C_out]`.
      strides: One for all the dimensions, or one each.
      padding: `"VALID"` or `"SAME"`.
      dilations: One for all the dimensions, or one each.

    Returns:
      `[N, *output_space, C_out]`.
    """
    rank = x.ndim - 2
    strides = (strides,) * rank if isinstance(strides, int) else tuple(strides)
    dilations = (dilations,) * rank if isinstance(dilations, int) else tuple(dilations)
    space, taps = x.shape[1:-1], kernel.shape[:-2]
    sizes, before = zip(*map(_output_size, space, taps, strides, dilations, [padding] * rank), strict=True)
    y = np.zeros((len(x), *sizes, kernel.shape[-1]), np.result_type(x, kernel))
    for out, tap in itertools.product(np.ndindex(*sizes), np.ndindex(*taps)):
        at = tuple(o * s + t * d - b for o, s, t, d, b in zip(out, strides, tap, dilations, before, strict=True))
        if all(0 <= a < size for a, size in zip(at, space, strict=True)):
            y[(slice(None), *out)] += x[(slice(None), *at)] @ kernel[tap]
    return y


def _output_size(size: int, taps: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Output length of one dimension and the zeros before it; an odd total puts the extra zero after, as TF does."""
    reach = (taps - 1) * dilation + 1
    if padding == "VALID":
        return max(0, -(-(size - reach + 1) // stride)), 0
    if padding == "SAME":
        output = -(-size // stride)
        return output, max((output - 1) * stride + reach - size, 0) // 2
    raise ValueError(f"`padding` must be 'VALID' or 'SAME'. Received {padding!r}.")

"""Which bin a probability falls into, and what is summed there: all that binned calibration errors are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.checks import Floats, Integers


class BinSums(NamedTuple):
    """Sums over the examples in each of B bins. Those of two data sets add up to those of both."""

    size: Integers  # [B], number of examples
    probability: Floats  # [B], sum of the predicted probabilities
    outcome: Floats  # [B], sum of the outcomes, 0 or 1
    squares: Floats  # [B], sum of (outcome - probability)^2


def equal_width_edges(num_bins: int) -> Floats:
    """The edges of `num_bins` bins of equal width on [0, 1], `[num_bins + 1]`."""
    if num_bins < 1:
        raise ValueError(f"`num_bins` must be at least 1; 15 is customary. Received {num_bins}.")
    return np.linspace(0.0, 1.0, num_bins + 1)


def equal_width_bins(values: Floats, num_bins: int) -> Integers:
    """The bin of each value, of equal width and closed on the right."""
    return np.digitize(values, equal_width_edges(num_bins)[1:-1], right=True)


def equal_mass_bins(values: Floats, num_bins: int) -> Integers:
    """The bin of each value, of equal size up to one example; equal values share a bin, so that no order matters."""
    equal_width_edges(num_bins)
    last = -(-len(values) * np.arange(1, num_bins) // num_bins) - 1  # the ceil(N j / B)-th smallest closes bin j
    return np.searchsorted(np.sort(values)[last], values, side="left")


def bin_sums(outcome: npt.NDArray, probability: Floats, bins: Integers, num_bins: int) -> BinSums:
    """What `[N]` outcomes and probabilities sum to in each bin."""
    return BinSums(
        np.bincount(bins, minlength=num_bins),
        _total(probability, bins, num_bins),
        _total(outcome, bins, num_bins),
        _total((outcome - probability) ** 2, bins, num_bins),
    )


def added(a: BinSums, b: BinSums) -> BinSums:
    """The sums over the examples of both."""
    return BinSums(a.size + b.size, a.probability + b.probability, a.outcome + b.outcome, a.squares + b.squares)


def mean_gap(sums: BinSums) -> float:
    """sum_b n_b / N |outcome_b - probability_b|, of bin averages."""
    # n_b |gap_b| is a difference of sums: no division, so empty bins need no care.
    return float(np.abs(sums.outcome - sums.probability).sum() / sums.size.sum())


def largest_gap(sums: BinSums) -> float:
    """max_b |outcome_b - probability_b| over the bins that are not empty."""
    return float((np.abs(sums.outcome - sums.probability) / np.maximum(sums.size, 1)).max())


def debiased_squared_gap(sums: BinSums) -> float:
    """sum_b n_b / N (gap_b^2 - s_b^2 / n_b), where s_b^2 is the sample variance of the gaps in bin b; none of one."""
    # gap^2 - s^2 / n is the mean of d_i d_j over pairs i != j: ((sum d)^2 - sum d^2) / (n (n - 1)).
    pairs = (sums.outcome - sums.probability) ** 2 - sums.squares
    return float(np.where(sums.size > 1, pairs / np.maximum(sums.size - 1, 1), 0.0).sum() / sums.size.sum())


def _total(values: npt.NDArray, bins: Integers, num_bins: int) -> Floats:
    return np.asarray(np.bincount(bins, weights=values, minlength=num_bins), np.float64)

"""Averages over the draws that a prediction kept, of which those of one member of an ensemble may count for more."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from bayesconv.prediction import Predictive
from bayesconv.sums import draw_weights

_SMALLEST = float(np.finfo(np.float64).tiny)


def weights_of(predictive: Predictive) -> Any:
    """What each draw counts, `[S]`, adding up to 1: members of an ensemble count equally, whatever their draws.

    Raises:
      ValueError: If the draws were not kept.
    """
    return draw_weights(predictive.draws_by_member or (len(predictive.logits),))


def average(values: Any, weights: Any) -> Any:
    """The mean of `[S, ..]` values over draws that count `[S]`.

    Example:
      >>> average([[0.0], [4.0]], [0.75, 0.25])
      array([1.])
    """
    return np.tensordot(weights, values, axes=1)


def evened(predictive: Predictive, count: int) -> Predictive:
    """The same prediction by `count` draws that count equally: each kept one is there as often as its weight says.

    Raises:
      ValueError: If the draws were not kept.
    """
    levels = (np.arange(count) + 0.5) / count
    chosen = np.searchsorted(np.cumsum(weights_of(predictive)), levels).clip(max=len(predictive.logits) - 1)
    return dataclasses.replace(predictive, samples=predictive.logits[chosen], draws_by_member=())


def scalable(predictive: Predictive, on: str) -> tuple[Any, Any]:
    """What a remedy for probabilities changes, `[S, N, K]`, and what each of the S counts.

    Args:
      predictive: Of classes.
      on: `"logits"` for those of every draw, else the logarithms of the average probabilities, S = 1.

    Raises:
      ValueError: If logits are asked for that were not kept.
    """
    if on == "logits":
        return predictive.logits, weights_of(predictive)
    return np.log(np.maximum(predictive.mean, _SMALLEST))[np.newaxis], np.ones(1)

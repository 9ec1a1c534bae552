"""Sums over draws of the weights, which averages are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Sums(NamedTuple):
    """Sums over draws, for a batch.

    Attributes:
      mean: `[N, K]`, of the draws' expected targets.
      square: `[N, K]`, of their squares.
      entropy: `[N]` nats, of the draws' entropies.
      outputs: `[S, N, P]` of the model, or None if there are no draws.
      predictive_entropy: `[N]` nats, where it is known and does not follow from the mean.
      variance: `[N, T]`, expected variance of the target given the weights, where there are no draws.
    """

    mean: Any
    square: Any
    entropy: Any
    outputs: Any
    predictive_entropy: Any = None
    variance: Any = None

    @property
    def num_draws(self) -> int:
        """Number of draws that were added up; 1 for a single pass without any."""
        return 1 if self.outputs is None else len(self.outputs)


def standard_error(parts: Sequence[Sums]) -> float:
    """Largest standard error of an average of the batch that comes from there being no more draws."""
    count = sum(part.num_draws for part in parts)
    mean, square = (sum(part[i] for part in parts) / count for i in range(2))
    return float(np.sqrt(np.maximum(square - np.square(mean), 0.0) / max(count - 1, 1)).max(initial=0.0))


def added(parts: Sequence[Sums]) -> Sums:
    """Sums over all draws of several portions."""
    mean, square, entropy = (sum(part[i] for part in parts) for i in range(3))
    outputs = None if parts[0].outputs is None else np.concatenate([part.outputs for part in parts])
    return Sums(mean, square, entropy, outputs)


def draw_weights(draws_by_member: Sequence[int]) -> np.ndarray:
    """What every draw counts, `[S]`, where the members of an ensemble count equally."""
    return np.concatenate([np.full(count, 1.0 / (count * len(draws_by_member))) for count in draws_by_member])

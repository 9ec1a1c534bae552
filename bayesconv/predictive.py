"""What a prediction is made of: averages over draws and members, batch by batch, and what they say of uncertainty."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Sums(NamedTuple):
    """Sums over draws, for a batch.

    Attributes:
      mean: `[N, K]`, of the draws' expected targets.
      square: `[N, K]`, of their squares.
      entropy: `[N]` nats, of the draws' entropies.
      outputs: `[S, N, K]` of the model, or None if there are no draws.
      predictive_entropy: `[N]` nats, where it is known and does not follow from the mean.
    """

    mean: Any
    square: Any
    entropy: Any
    outputs: Any
    predictive_entropy: Any = None

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


@dataclasses.dataclass(frozen=True)
class Predictive:
    """What a model predicts for N inputs, averaged over S draws of its weights.

    Attributes:
      mean: `[N, K]` expected target; class probabilities for the discrete likelihoods.
      std: `[N, K]` standard deviation over the draws of what `mean` averages: how far the draws disagree.
      predictive_entropy: `[N]` nats; total uncertainty of the target. NaN for a likelihood whose mixture has no
        closed form.
      expected_entropy: `[N]` nats; aleatoric uncertainty, what would remain if the weights were known.
      mutual_information: `[N]` nats; epistemic uncertainty, `predictive_entropy - expected_entropy`, at least 0.
      num_samples: Number of draws S, over all members of an ensemble; 0 for method="moments", and with
        num_samples="auto" an array `[N]`.
      seed: The seed that the draws follow from.
      likelihood: Name of the likelihood.
    """

    mean: np.ndarray
    std: np.ndarray
    predictive_entropy: np.ndarray
    expected_entropy: np.ndarray
    mutual_information: np.ndarray
    num_samples: Any
    seed: Any
    likelihood: str
    samples: np.ndarray | None = dataclasses.field(default=None, repr=False)

    @property
    def probs(self) -> np.ndarray:
        """`[N, K]` probabilities.

        Raises:
          AttributeError: If the likelihood has none.
        """
        if self.likelihood not in ("categorical", "bernoulli"):
            raise AttributeError(f"A {self.likelihood} likelihood has no class probabilities; read `mean` and `std`.")
        return self.mean

    @property
    def mutual_information_corrected(self) -> np.ndarray:
        """`[N]` nats; mutual information without the bias of a finite S, `MI / (1 - 1/S)`, to first order."""
        count = np.asarray(self.num_samples, float)
        return self.mutual_information / np.where(count > 1, 1.0 - 1.0 / np.maximum(count, 2.0), 1.0)

    @property
    def logits(self) -> np.ndarray:
        """`[S, N, K]` outputs of the model for every draw.

        Raises:
          ValueError: If they were not kept.
        """
        if self.samples is None:
            raise ValueError(
                "The samples were not kept: they exceed the memory budget, keep_samples=False was given, the number of "
                'draws differs between batches, or method="moments" made none. Call predict(..., keep_samples=True) '
                "with a number of draws, or predict fewer inputs at a time."
            )
        return self.samples


class Averages:
    """Averages over draws and members, batch by batch; members count equally.

    Args:
      keep_samples: Whether to keep the outputs; None for as long as they fit the budget.
      memory_budget: In bytes.
    """

    def __init__(self, keep_samples: bool | None, memory_budget: int) -> None:
        self._keep, self._budget, self._bytes = keep_samples, memory_budget, 0
        self._averages: list[list[np.ndarray]] = []
        self._entropies: list[np.ndarray | None] = []
        self._counts: list[np.ndarray] = []
        self._samples: list[np.ndarray] = []

    def add(self, members: Sequence[Sums]) -> None:
        """Adds a batch: the sums of every member."""
        averages = [[part / sums.num_draws for part in sums[:3]] for sums in members]
        self._averages.append([sum(parts) / len(members) for parts in zip(*averages, strict=True)])
        self._entropies.append(members[0].predictive_entropy if len(members) == 1 else None)
        outputs = [sums.outputs for sums in members if sums.outputs is not None]
        count = sum(map(len, outputs))
        self._counts.append(np.full(len(members[0].mean), count))
        self._bytes += sum(output.nbytes for output in outputs)
        is_whole = len(outputs) == len(members) and count == self._counts[0][0]
        if is_whole and (self._keep or (self._keep is None and self._bytes <= self._budget)):
            self._samples.append(np.concatenate(outputs))
        else:
            self._keep, self._samples = False, []

    def summarize(
        self, seed: Any, likelihood: str, entropy_of_mean: Any = None, *, is_adaptive: bool = False
    ) -> Predictive:
        """All batches together, with the name of the likelihood and its `entropy_of_mean`."""
        mean, square, expected = (np.concatenate(parts) for parts in zip(*self._averages, strict=True))
        counts, entropy = np.concatenate(self._counts), self._predictive_entropy(mean, entropy_of_mean)
        return Predictive(
            mean=mean,
            std=np.sqrt(np.maximum(square - mean**2, 0.0)),
            predictive_entropy=entropy,
            expected_entropy=expected,
            mutual_information=np.maximum(entropy - expected, 0.0),
            num_samples=counts if is_adaptive else int(counts[0]),
            seed=seed,
            likelihood=likelihood,
            samples=np.concatenate(self._samples, axis=1) if self._samples else None,
        )

    def _predictive_entropy(self, mean: np.ndarray, entropy_of_mean: Any) -> np.ndarray:
        known = [entropy for entropy in self._entropies if entropy is not None]
        if known:
            return np.concatenate(known)
        return np.full(len(mean), np.nan) if entropy_of_mean is None else entropy_of_mean(tf.constant(mean)).numpy()

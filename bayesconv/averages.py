"""Averages over draws and members of an ensemble, batch by batch, and the prediction that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import mixtures
from bayesconv.likelihoods import Likelihood
from bayesconv.predictive import Predictive
from bayesconv.sums import Sums, draw_weights


class Averages:
    """Averages over draws and members, batch by batch; members count equally.

    Args:
      keep_samples: Whether to keep the outputs; None for as long as they fit the budget.
      memory_budget: In bytes.
      likelihood: What the outputs mean.
    """

    def __init__(self, keep_samples: bool | None, memory_budget: int, likelihood: Likelihood) -> None:
        self._keep, self._budget, self._bytes = keep_samples, memory_budget, 0
        self._likelihood = likelihood
        self._averages: list[list[np.ndarray]] = []
        self._entropies: list[np.ndarray | None] = []
        self._variances: list[np.ndarray | None] = []
        self._votes: list[np.ndarray | None] = []
        self._counts: list[np.ndarray] = []
        self._samples: list[np.ndarray] = []
        self._draws_by_member: tuple[int, ...] = ()

    def add(self, members: Sequence[Sums]) -> None:
        """Adds a batch: the sums of every member."""
        averages = [[part / sums.num_draws for part in sums[:3]] for sums in members]
        self._averages.append([sum(parts) / len(members) for parts in zip(*averages, strict=True)])
        outputs = [sums.outputs for sums in members if sums.outputs is not None]
        is_drawn = len(outputs) == len(members)
        self._draws_by_member = tuple(map(len, outputs)) if is_drawn else ()
        self._entropies.append(self._entropy(members, outputs if is_drawn else []))
        self._variances.append(self._variance(outputs) if is_drawn else _mean(sums.variance for sums in members))
        self._votes.append(_mean(map(_votes, outputs)) if is_drawn and self._likelihood.log_prob_of_labels else None)
        self._keep_outputs(outputs, is_drawn, len(members[0].mean))

    def _keep_outputs(self, outputs: list[np.ndarray], is_drawn: bool, num_examples: int) -> None:
        count = sum(map(len, outputs))
        self._counts.append(np.full(num_examples, count))
        self._bytes += sum(output.nbytes for output in outputs)
        is_whole = is_drawn and count == self._counts[0][0]
        if is_whole and (self._keep or (self._keep is None and self._bytes <= self._budget)):
            self._samples.append(np.concatenate(outputs))
        else:
            self._keep, self._samples = False, []

    def _entropy(self, members: Sequence[Sums], outputs: list[np.ndarray]) -> np.ndarray | None:
        if len(members) == 1 and members[0].predictive_entropy is not None:
            return members[0].predictive_entropy
        if not outputs or self._likelihood.noise is None:
            return None
        weights = draw_weights(self._draws_by_member)
        return mixtures.entropy(self._likelihood.noise, np.concatenate(outputs), weights)

    def _variance(self, outputs: list[np.ndarray]) -> np.ndarray | None:
        variance = self._likelihood.variance
        if variance is None:
            return None
        return _mean(variance(tf.cast(part, tf.float64)).numpy().mean(axis=0) for part in outputs)

    def summarize(self, seed: Any, *, is_adaptive: bool = False) -> Predictive:
        """All batches together."""
        mean, square, expected = (np.concatenate(parts) for parts in zip(*self._averages, strict=True))
        counts, entropy = np.concatenate(self._counts), self._predictive_entropy(mean, expected)
        return Predictive(
            mean=mean,
            std=np.sqrt(np.maximum(square - mean**2, 0.0)),
            predictive_entropy=entropy,
            expected_entropy=expected,
            mutual_information=np.maximum(entropy - expected, 0.0),
            num_samples=counts if is_adaptive else int(counts[0]),
            seed=seed,
            likelihood=self._likelihood.name,
            samples=np.concatenate(self._samples, axis=1) if self._samples else None,
            noise_variance=_joined(self._variances),
            votes=_joined(self._votes),
            draws_by_member=self._draws_by_member if self._samples else (),
            likelihood_options=dict(self._likelihood.options),
        )

    def _predictive_entropy(self, mean: np.ndarray, expected: np.ndarray) -> np.ndarray:
        known, of_mean = _joined(self._entropies), self._likelihood.entropy_of_mean
        if known is not None:
            return known
        return np.full(expected.shape, np.nan) if of_mean is None else of_mean(tf.constant(mean)).numpy()


def _votes(outputs: np.ndarray) -> np.ndarray:
    """For outputs `[S, .., K]` the share of the draws that have each class on top, `[.., K]`."""
    top = outputs.argmax(axis=-1)
    return np.stack([(top == k).mean(axis=0) for k in range(outputs.shape[-1])], axis=-1)


def _mean(parts: Any) -> Any:
    found = list(parts)
    return None if any(part is None for part in found) else sum(found) / len(found)


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    found = [part for part in parts if part is not None]
    return np.concatenate(found) if found and len(found) == len(parts) else None

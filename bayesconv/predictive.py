"""A prediction: the expected target, and what is known and not known of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayesconv import likelihoods, mixtures, tabulation
from bayesconv.likelihoods import Likelihood
from bayesconv.sums import draw_weights

_OF_CLASSES = ("categorical", "bernoulli", "categorical_per_pixel")


@dataclasses.dataclass(frozen=True)
class Predictive:
    """What a model predicts for N inputs, averaged over S draws of its weights.

    K counts classes or targets. For one class a pixel read `[N, H, W, K]` for `[N, K]`, and `[N, H, W]` for entropies.

    Attributes:
      mean: `[N, K]` expected target; class probabilities for the discrete likelihoods.
      std: `[N, K]` standard deviation over the draws of what `mean` averages: how far the draws disagree.
      predictive_entropy: `[N]` nats; total uncertainty of the target. Of one real target it is computed by quadrature;
        NaN for several real targets at once and for quantiles, which have no density.
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
    noise_variance: np.ndarray | None = dataclasses.field(default=None, repr=False)
    votes: np.ndarray | None = dataclasses.field(default=None, repr=False)
    draws_by_member: tuple[int, ...] = dataclasses.field(default=(), repr=False)
    likelihood_options: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def probs(self) -> np.ndarray:
        """`[N, K]` probabilities.

        Raises:
          AttributeError: If the likelihood has none.
        """
        if self.likelihood not in _OF_CLASSES:
            raise AttributeError(f"A {self.likelihood} likelihood has no class probabilities; read `mean` and `std`.")
        return self.mean

    @property
    def mutual_information_corrected(self) -> np.ndarray:
        """`[N]` nats; mutual information without the bias of a finite S, `MI / (1 - 1/S)`, to first order."""
        count = np.asarray(self.num_samples, float).reshape(-1, *[1] * (self.mutual_information.ndim - 1))
        return self.mutual_information / np.where(count > 1, 1.0 - 1.0 / np.maximum(count, 2.0), 1.0)

    @property
    def logits(self) -> np.ndarray:
        """`[S, N, P]` outputs of the model for every draw.

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

    @property
    def aleatoric_std(self) -> np.ndarray:
        """`[N, T]` standard deviation of a real target that would remain if the weights were known, in its unit.

        Raises:
          AttributeError: If the targets are classes, or quantiles, which have no variance.
        """
        if self.noise_variance is None:
            raise AttributeError(
                f"The {self.likelihood} likelihood has no variance of the target given the weights; read `std`, "
                "`interval` or the entropies."
            )
        return np.sqrt(self.noise_variance)

    @property
    def epistemic_std(self) -> np.ndarray:
        """`[N, K]`; another name of `std`."""
        return self.std

    @property
    def total_std(self) -> np.ndarray:
        """`[N, T]` standard deviation of a real target: `sqrt(aleatoric_std^2 + epistemic_std^2)`.

        Raises:
          AttributeError: As for `aleatoric_std`.
        """
        return np.hypot(self.aleatoric_std, self.std)

    @property
    def variation_ratio(self) -> np.ndarray:
        """`[N]` share of the draws that do not vote for the class that most draws have on top, in [0, 1)."""
        return 1.0 - self._voted().max(axis=-1)

    @property
    def disagreement(self) -> np.ndarray:
        """`[N]` share of the pairs of draws that vote for different classes, in [0, 1]; 0 for a single draw."""
        alike, count = np.square(self._voted()).sum(axis=-1), np.asarray(self.num_samples, float)
        count = count.reshape(count.shape + (1,) * (alike.ndim - 1)) if count.ndim else count
        return (1.0 - alike) * count / np.maximum(count - 1.0, 1.0)

    def _voted(self) -> np.ndarray:
        if self.votes is None:
            raise AttributeError(
                "Votes are those of draws for one class of several, which a single pass of moments and other targets "
                f"do not have. Received the {self.likelihood} likelihood; read `mean`, `std` or the entropies."
            )
        return self.votes

    def credible_set(self, level: float = 0.9) -> np.ndarray:
        """The fewest classes that together have a probability of at least `level`, bool `[N, K]`.

        Args:
          level: In (0, 1).

        Raises:
          AttributeError: If the targets are not one class of several.
          ValueError: If the level is out of range.
        """
        _check_level(level)
        if self.likelihood == "bernoulli":
            raise AttributeError("A credible set is of classes of which one is true; answers of yes or no have none.")
        order = np.argsort(-self.probs, axis=-1, kind="stable")
        ranked = np.take_along_axis(self.probs, order, axis=-1)
        before = np.cumsum(ranked, axis=-1) - ranked
        chosen = np.zeros(self.probs.shape, bool)
        np.put_along_axis(chosen, order, before < level - 1e-12, axis=-1)
        return chosen

    def quantile(self, level: float) -> np.ndarray:
        """`[N, T]`: what a real target stays below with probability `level`, by noise and weights together.

        It is the quantile of the mixture over the draws. Where the likelihood is one of quantiles it is their average
        over the draws, and `level` one of the likelihood's.

        Raises:
          AttributeError: If the targets are no real numbers.
          ValueError: If the level is out of range or not known, or the draws were not kept.
        """
        _check_level(level)
        family: Any = self._family()
        if self.likelihood == "normal" and np.ndim(self.num_samples) == 0 and not self.num_samples:
            return self.mean + self.total_std * family.noise.quantile(level)  # a single pass: moments of a normal
        weights = self._weights()
        if family.noise is not None:
            return mixtures.quantile(family.noise, self.logits, weights, level)
        return np.tensordot(weights, family.quantile(self.logits, level), axes=1)

    def interval(self, level: float = 0.9, *, of: str = "target") -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end, each `[N, K]`, of a central credible interval.

        Args:
          level: Probability of the interval, in (0, 1).
          of: `"target"` for the observation, noise included; `"mean"` for what `mean` averages over the draws, which
            exists for probabilities as well.

        Raises:
          AttributeError: If the targets are no real numbers, and their interval is asked for.
          ValueError: If an argument is out of range, or the draws were not kept.
        """
        _check_level(level)
        low, high = 0.5 * (1.0 - level), 0.5 * (1.0 + level)
        if of == "target":
            return self.quantile(low), self.quantile(high)
        if of != "mean":
            raise ValueError(f"`of` is 'target' or 'mean'. Received {of!r}.")
        family = likelihoods.get(self.likelihood)(**self.likelihood_options)
        means, weights = family.mean(self.logits.astype(np.float64)).numpy(), self._weights()
        return mixtures.weighted_quantile(means, weights, low), mixtures.weighted_quantile(means, weights, high)

    def cdf(self, values: Any) -> np.ndarray:
        """Probability of a real target of at most `values` `[N, T]`; at observed targets, uniform if calibrated.

        Raises:
          AttributeError: If the likelihood has no density of real targets.
          ValueError: If the draws were not kept.
        """
        noise = self._noise()
        return mixtures.cdf(noise, self.logits, self._weights(), np.reshape(values, self.mean.shape))

    def log_prob(self, targets: Any) -> np.ndarray:
        """`[N]` nats: log density of targets under the mixture over the draws, or log probability of labels.

        Labels of pixels count each by itself, `[N, H, W]`; pixels to ignore have 0.

        Raises:
          ValueError: If the draws were not kept.
        """
        family = likelihoods.get(self.likelihood)(**self.likelihood_options)
        of_draw = family.log_prob_of_labels or family.log_prob
        terms = np.stack([of_draw(outputs.astype(np.float64), targets).numpy() for outputs in self.logits])
        weights = self._weights().reshape(-1, *[1] * (terms.ndim - 1))
        top = terms.max(axis=0)
        return top + np.log((weights * np.exp(terms - top)).sum(axis=0))

    def sample_targets(self, count: int = 1, *, seed: int = 0) -> np.ndarray:
        """Draws `[count * S, N, T]` of real targets: `count` from the noise for every draw of the weights.

        Raises:
          AttributeError: If the likelihood has no density of real targets.
          ValueError: If the draws were not kept.
        """
        return mixtures.sample(self._noise(), self.logits, count, seed)

    def _noise(self) -> Any:
        noise = self._family().noise
        if noise is None:
            raise AttributeError(f"The {self.likelihood} likelihood has no density; read `quantile` and `interval`.")
        return noise

    def _family(self) -> Likelihood:
        family = likelihoods.get(self.likelihood)(**self.likelihood_options)
        if family.noise is None and family.quantile is None:
            raise AttributeError(
                f"The {self.likelihood} likelihood is not one of real numbers; read `probs`, `credible_set` or "
                "`interval(level, of='mean')`."
            )
        return family

    def _weights(self) -> np.ndarray:
        return draw_weights(self.draws_by_member or (len(self.logits),))

    def to_pandas(self, class_names: Sequence[str] | None = None) -> Any:
        """A `pandas.DataFrame` with one row an input, or one a pixel with its image, row and column.

        For classes: the class, its name, `p_` and `std_` of every class, and the uncertainties that there are. For real
        targets: mean, standard deviations and a central interval of 90 % of every target where they exist.

        Args:
          class_names: Of the K classes or targets; numbers by default.

        Raises:
          ValueError: If pandas is missing, or the names are not K.
        """
        return tabulation.data_frame(self, class_names)

    def to_parquet(self, path: str | os.PathLike[str], class_names: Sequence[str] | None = None) -> Path:
        """Writes what `to_pandas` gives, whole or not at all, and returns the path.

        Raises:
          ValueError: If pandas or pyarrow is missing, or the names are not K.
        """
        return tabulation.write_parquet(path, self, class_names)

    def to_npz(self, path: str | os.PathLike[str]) -> Path:
        """Writes everything to an `.npz` file, whole or not at all, and returns the path; `from_npz` reads it."""
        return tabulation.write_npz(path, self)

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> Predictive:
        """Reads what `to_npz` wrote.

        Raises:
          FileNotFoundError: If there is no such file.
          ValueError: If it is damaged or holds something else.
        """
        return cls(**tabulation.read_npz(path))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"A level is a probability in (0, 1). Received {level!r}.")

"""Prediction: the average over draws of the weights, and what it says of uncertainty.

Draws are coherent functions, one kernel for all examples, whatever estimator trained the net. They are made
beforehand into a bank, so that a pass costs what a deterministic one does, and depend on the seed only: not on the
batch size, nor on what else is predicted.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from bayesconv import random, sampling
from bayesconv.inputs import as_inputs, check_model, check_positive_int, dtype_of, output_size_of
from bayesconv.layers import Layer
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.likelihoods import Likelihood
from bayesconv.objectives import as_likelihood
from bayesconv.registry import Identifier, unknown_name_message
from bayesconv.sampling import Sums, sampler_of

METHODS = ("sampling",)


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
      num_samples: Number of draws S, over all members of an ensemble.
      seed: The seed that the draws follow from.
      likelihood: Name of the likelihood.
    """

    mean: np.ndarray
    std: np.ndarray
    predictive_entropy: np.ndarray
    expected_entropy: np.ndarray
    mutual_information: np.ndarray
    num_samples: int
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
        return (
            self.mutual_information / (1.0 - 1.0 / self.num_samples)
            if self.num_samples > 1
            else self.mutual_information
        )

    @property
    def logits(self) -> np.ndarray:
        """`[S, N, K]` outputs of the model for every draw.

        Raises:
          ValueError: If they were not kept.
        """
        if self.samples is None:
            raise ValueError(
                "The samples were not kept: they exceed the memory budget, or keep_samples=False was given. "
                "Call predict(..., keep_samples=True), or predict fewer inputs at a time."
            )
        return self.samples


def predict(
    model: Layer | Sequence[Layer],
    x: Any,
    *,
    num_samples: int = 32,
    seed: int = 0,
    method: str = "sampling",
    weights: str = "sample",
    likelihood: Likelihood | Identifier = "categorical",
    batch_size: int = 256,
    keep_samples: bool | None = None,
    calibration: Any = None,
    progress: bool = False,
) -> Predictive:
    """Predicts with uncertainty.

    A model is compiled at its first prediction on inputs of a shape. As in any tf.function, what it reads of Python
    then, a flag or a number in a closure, stays as it was; variables do not.

    Args:
      model: A layer from `[N, ..]` to `[N, K]`, or a list of them, which count equally.
      x: Inputs `[N, ..]`, or a `tf.data.Dataset` of batches; of pairs, the first part is used.
      num_samples: Draws of each model. A model without random weights is evaluated once.
      seed: Int or pair of ints; the same seed gives the same prediction, whatever the batch size.
      method: `"sampling"`.
      weights: `"sample"`, or `"mean"` for a single pass with the posterior mean.
      likelihood: What the outputs mean; see `bayesconv.likelihoods`.
      batch_size: Number of inputs in flight.
      keep_samples: Whether to keep `logits`; by default if they take at most 256 MiB.
      calibration: Inputs `[M, ..]`, such as some hundred of the training data, on which `BatchNorm` layers with
        policy="recalibrated" take the moments of every draw, in a single batch.
      progress: Whether to show a progress bar.

    Returns:
      A `Predictive`.

    Raises:
      ValueError: If the inputs are empty or do not fit the model, or an argument is out of range.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> predictive = bc.predict(model, np.ones([5, 4], np.float32), num_samples=8, seed=0)
      >>> predictive.probs.shape, predictive.logits.shape
      ((5, 3), (8, 5, 3))
    """
    _check_arguments(num_samples, method, weights, batch_size)
    num_samples, batch_size = int(num_samples), int(batch_size)
    members = list(model) if isinstance(model, (list, tuple)) else [model]
    if not members:
        raise ValueError("predict needs a model or a list with at least one. Received an empty list.")
    for member in members:
        check_model(member, "predict")
    family, batches = as_likelihood(likelihood), _Batches(members, x, batch_size)
    calibration = _checked_calibration(members, batches.example, calibration)
    samplers = [
        _MemberSampler(member, batches.example, family, weights, num_samples, _member_seed(seed, index), calibration)
        for index, member in enumerate(members)
    ]
    moments = _Moments(keep_samples)
    for batch in tqdm(batches, "predict", len(batches) or None, unit="batch", disable=not progress):
        moments.add([sampler.evaluate(batch) for sampler in samplers])
    return moments.summarize(seed, family)


def _member_seed(seed: Any, index: int) -> tf.Tensor:
    return random.fold_in(random.as_seed(seed), index) if index else random.as_seed(seed)


def _checked_calibration(members: Sequence[Layer], example: Any, calibration: Any) -> Any:
    is_needed = any(is_recalibrated(member) for member in members)
    if is_needed != (calibration is not None):
        received = "none: pass some, such as calibration=x_train[:256], or build the layers with policy='frozen'"
        raise ValueError(
            "Inputs for `calibration` are what BatchNorm layers with policy='recalibrated' take their moments from. "
            f"Received {received if is_needed else 'them for a model without such a layer: leave them out'}."
        )
    if not is_needed:
        return None
    calibration = as_inputs(members[0], calibration)
    if calibration.shape[1:] != tuple(example.shape[1:]):
        raise ValueError(
            f"`calibration` holds inputs like `x`, of shape {['M', *example.shape[1:]]}. Received {calibration.shape}."
        )
    return calibration


class _MemberSampler:
    """The passes of one model over all its draws, which are kept between batches if they fit one bank."""

    def __init__(
        self,
        model: Layer,
        example: Any,
        likelihood: Likelihood,
        weights: str,
        num_samples: int,
        seed: tf.Tensor,
        calibration: Any,
    ) -> None:
        is_calibrating = is_recalibrated(model)
        self._dtype = dtype_of(model)
        example = tf.cast(calibration if is_calibrating else example, self._dtype)
        self._sampler = sampler_of(model, example, likelihood, weights, is_calibrating)
        self._make_banks = lambda: self._sampler.banks(example, num_samples, seed)
        banks = list(itertools.islice(self._make_banks(), 2))
        self._kept = banks if len(banks) == 1 else None

    def evaluate(self, batch: tf.Tensor) -> Sums:
        """Sums over all draws."""
        batch = tf.cast(batch, self._dtype)
        parts = [self._sampler.evaluate(batch, bank) for bank in self._kept or self._make_banks()]
        mean, square, entropy = (sum(part[i] for part in parts) for i in range(3))
        return Sums(mean, square, entropy, np.concatenate([part.outputs for part in parts]))


class _Batches:
    """Inputs in batches, from an array or a data set; one pass over them is made."""

    def __init__(self, models: Sequence[Layer], x: Any, batch_size: int) -> None:
        self._model, self._is_data_set = models[0], isinstance(x, tf.data.Dataset)
        self._x: Any = x if self._is_data_set else as_inputs(self._model, x)
        self._batch_size = batch_size
        first = next(iter(self), None)
        if first is None:
            raise ValueError("There is nothing to predict: the data set is empty.")
        self.example = first[:1]
        sizes = [output_size_of(model, tf.cast(self.example, dtype_of(model))) for model in models]
        if len(set(sizes)) > 1:
            raise ValueError(f"The models of an ensemble must have equally many outputs. Received {sizes}.")

    def __iter__(self) -> Iterator[tf.Tensor]:
        if self._is_data_set:
            for element in self._x:
                inputs = element[0] if isinstance(element, tuple) else element
                yield tf.convert_to_tensor(as_inputs(self._model, inputs))
        else:
            for start in range(0, len(self._x), self._batch_size):
                yield tf.convert_to_tensor(self._x[start : start + self._batch_size])

    def __len__(self) -> int:
        if not self._is_data_set:
            return math.ceil(len(self._x) / self._batch_size)
        return max(int(self._x.cardinality()), 0)  # 0 stands for unknown


class _Moments:
    """Averages over draws and members, batch by batch; members count equally."""

    def __init__(self, keep_samples: bool | None) -> None:
        self._keep, self._bytes, self._count = keep_samples, 0, 0
        self._averages: list[list[np.ndarray]] = []
        self._samples: list[np.ndarray] = []

    def add(self, members: list[Sums]) -> None:
        """Adds a batch: the sums of every member."""
        averages = [[part / len(sums.outputs) for part in sums[:3]] for sums in members]
        self._averages.append([sum(parts) / len(members) for parts in zip(*averages, strict=True)])
        self._count = sum(len(sums.outputs) for sums in members)
        self._bytes += sum(sums.outputs.nbytes for sums in members)
        if self._keep or (self._keep is None and self._bytes <= sampling.MEMORY_BUDGET):
            self._samples.append(np.concatenate([sums.outputs for sums in members]))
        else:
            self._keep, self._samples = False, []

    def summarize(self, seed: Any, likelihood: Likelihood) -> Predictive:
        """All batches together."""
        mean, square, expected = (np.concatenate(parts) for parts in zip(*self._averages, strict=True))
        entropy = np.full(len(mean), np.nan)
        if likelihood.entropy_of_mean is not None:
            entropy = likelihood.entropy_of_mean(tf.constant(mean)).numpy()
        return Predictive(
            mean=mean,
            std=np.sqrt(np.maximum(square - mean**2, 0.0)),
            predictive_entropy=entropy,
            expected_entropy=expected,
            mutual_information=np.maximum(entropy - expected, 0.0),
            num_samples=self._count,
            seed=seed,
            likelihood=likelihood.name,
            samples=np.concatenate(self._samples, axis=1) if self._samples else None,
        )


def _check_arguments(num_samples: int, method: str, weights: str, batch_size: int) -> None:
    for name, count in (("num_samples", num_samples), ("batch_size", batch_size)):
        check_positive_int(name, count)
    for name, value, choices in (("method", method, METHODS), ("weights", weights, ("sample", "mean"))):
        if value not in choices:
            raise ValueError(unknown_name_message(f"value of `{name}`", value, choices))

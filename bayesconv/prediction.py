"""Prediction: the average over draws of the weights, and what it says of uncertainty.

Draws are coherent functions, one kernel for all examples, whatever estimator trained the net. They are made
beforehand into a bank, so that a pass costs what a deterministic one does, and depend on the seed only: not on the
batch size, nor on what else is predicted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random, sampling
from bayesconv.averages import Averages
from bayesconv.evaluators import ByMoments, BySampling
from bayesconv.inputs import as_inputs, check_model, check_positive_int, dtype_of, output_shape_of
from bayesconv.layers import Layer
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.likelihoods import Likelihood
from bayesconv.methods import options_of
from bayesconv.objectives import as_likelihood
from bayesconv.predictive import Predictive
from bayesconv.progress import through
from bayesconv.registry import Identifier, unknown_name_message

__all__ = ["Predictive", "predict"]


def predict(
    model: Layer | Sequence[Layer],
    x: Any,
    *,
    num_samples: int | str = 32,
    seed: int = 0,
    method: str | Mapping[str, Any] = "sampling",
    weights: str = "sample",
    likelihood: Likelihood | Identifier = "categorical",
    batch_size: int = 256,
    keep_samples: bool | None = None,
    calibration: Any = None,
    antithetic: bool = False,
    tolerance: float = 0.01,
    max_samples: int = 1024,
    progress: bool | str = False,
) -> Predictive:
    """Predicts with uncertainty.

    A model is compiled at its first prediction on inputs of a shape. As in any tf.function, what it reads of Python
    then, a flag or a number in a closure, stays as it was; variables do not.

    Args:
      model: A layer from `[N, ..]` to `[N, K]`, or to what the likelihood takes, or a list of them, which count
        equally.
      x: Inputs `[N, ..]`, or a `tf.data.Dataset` of batches; of pairs, the first part is used.
      num_samples: Draws of each model. A model without random weights is evaluated once. `"auto"` draws for every
        batch, 16 at a time and at least 32, until each average in it is known to `tolerance`; `num_samples` of the
        result says how many that took.
      seed: Int or pair of ints; the same seed gives the same prediction, whatever the batch size.
      method: `"sampling"`, or `"moments"` for a single pass of means and variances without draws, see docs/moments.md;
        with options, `{"name": "moments", "covariance": "ignored"}`, see `bayesconv.moments.propagate`.
      weights: `"sample"`, or `"mean"` for a single pass with the posterior mean.
      likelihood: What the outputs mean; see `bayesconv.likelihoods`.
      batch_size: Number of inputs in flight, at most: fewer of an array if all their draws take more than 256 MiB.
      keep_samples: Whether to keep `logits`; by default if they take at most 256 MiB.
      calibration: Inputs `[M, ..]`, such as some hundred of the training data, on which `BatchNorm` layers with
        policy="recalibrated" take the moments of every draw, in a single batch.
      antithetic: Whether every second draw mirrors the one before at the posterior mean, which lowers the error of
        what is nearly linear in the weights. Takes an even number of draws and symmetric posteriors.
      tolerance: With num_samples="auto", the largest standard error of `mean` that will do.
      max_samples: With num_samples="auto", draws of each model at most.
      progress: Whether to show a progress bar; a text is its label.

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
    is_adaptive = num_samples == "auto"
    count = max_samples if is_adaptive else num_samples
    single_pass = options_of(method)
    _check_arguments(count, weights, batch_size, tolerance, antithetic)
    _check_combination(single_pass is not None, weights, is_adaptive, antithetic)
    members: list[Any] = list(model) if isinstance(model, (list, tuple)) else [model]
    if not members:
        raise ValueError("predict needs a model or a list with at least one. Received an empty list.")
    for member in members:
        check_model(member, "predict")
    family = as_likelihood(likelihood)
    batches = _Batches(members, x, int(batch_size), family.output_rank)
    batches.fit_to(int(count) if single_pass is None else 1)
    calibration = _checked_calibration(members, batches.example, calibration, single_pass is None, antithetic)

    def evaluator(member: Layer, index: int) -> BySampling | ByMoments:
        if single_pass is not None:
            return ByMoments(member, batches.example, family, single_pass)
        example = calibration if is_recalibrated(member) else batches.example
        options = {"weights": weights, "is_calibrating": is_recalibrated(member), "is_antithetic": antithetic}
        enough = tolerance if is_adaptive else None
        return BySampling(member, example, family, _member_seed(seed, index), int(count), enough, **options)

    evaluators = [evaluator(member, index) for index, member in enumerate(members)]
    averages = Averages(keep_samples, sampling.MEMORY_BUDGET, family)
    label = progress if isinstance(progress, str) else "predict"
    for batch in through(batches, label, len(batches) or None, unit="batches", shown=progress):
        averages.add([made.evaluate(batch) for made in evaluators])
    return averages.summarize(seed, is_adaptive=is_adaptive)


def _check_combination(is_single_pass: bool, weights: str, is_adaptive: bool, antithetic: bool) -> None:
    asked = {'num_samples="auto"': is_adaptive, "antithetic=True": antithetic, 'weights="mean"': weights == "mean"}
    without_draws = {'method="moments"': is_single_pass, 'weights="mean"': weights == "mean"}
    for choice in (name for name, is_chosen in without_draws.items() if is_chosen):
        others = [name for name, is_chosen in asked.items() if is_chosen and name != choice]
        if others:
            raise ValueError(
                f"{choice} is a single pass without draws. Received {', '.join(others)} too: leave it out."
            )


def _member_seed(seed: Any, index: int) -> tf.Tensor:
    return random.fold_in(random.as_seed(seed), index) if index else random.as_seed(seed)


def _checked_calibration(
    members: Sequence[Layer], example: Any, calibration: Any, has_draws: bool, antithetic: bool
) -> Any:
    is_needed = any(is_recalibrated(member) for member in members)
    if is_needed and (antithetic or not has_draws):
        received = "antithetic=True" if has_draws else 'method="moments"'
        raise ValueError(
            "BatchNorm layers with policy='recalibrated' measure the moments of every draw, which mirrored draws and a "
            f"single pass do not have. Received {received}: leave that out, or build the layers with policy='frozen'."
        )
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


class _Batches:
    """Inputs in batches, from an array or a data set; one pass over them is made."""

    def __init__(self, models: Sequence[Layer], x: Any, batch_size: int, output_rank: int) -> None:
        self._model, self._is_data_set = models[0], isinstance(x, tf.data.Dataset)
        self._x: Any = x if self._is_data_set else as_inputs(self._model, x)
        self._batch_size = batch_size
        first = next(iter(self), None)
        if first is None:
            raise ValueError("There is nothing to predict: the data set is empty.")
        self.example = first[:1]
        shapes = [output_shape_of(model, tf.cast(self.example, dtype_of(model)), output_rank) for model in models]
        if len(set(shapes)) > 1:
            sizes = [shape[0] if output_rank == 1 else shape for shape in shapes]
            raise ValueError(f"The models of an ensemble must have equally many outputs. Received {sizes}.")

        self._outputs_per_example = math.prod(shapes[0])

    def fit_to(self, num_draws: int) -> None:
        """Takes smaller batches of an array if the outputs of all draws would not fit the memory budget."""
        largest = sampling.MEMORY_BUDGET // (8 * num_draws * self._outputs_per_example)  # in float64
        self._batch_size = max(1, min(self._batch_size, largest))

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


def _check_arguments(count: Any, weights: str, batch_size: Any, tolerance: float, antithetic: bool) -> None:
    if isinstance(count, str):
        raise ValueError(f'`num_samples` is a positive int or "auto". Received {count!r}.')
    for name, value in (("num_samples", count), ("batch_size", batch_size)):
        check_positive_int(name, value)
    if antithetic and count % 2:
        raise ValueError(f"Antithetic draws come in pairs: `num_samples` must be even. Received {count}.")
    if not tolerance > 0:
        raise ValueError(f"`tolerance` must be positive. Received {tolerance!r}.")
    if weights not in ("sample", "mean"):
        raise ValueError(unknown_name_message("value of `weights`", weights, ("sample", "mean")))

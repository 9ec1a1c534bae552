"""Training data in batches: shuffled arrays, whose order follows from the seed and the epoch, or a `tf.data` stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.augmentations import Augmentation
from bayesconv.inputs import as_inputs, check_positive_int, check_targets, dtype_of, output_shape_of
from bayesconv.layers import Layer
from bayesconv.likelihoods import Likelihood
from bayesconv.weighting import as_sample_weights

CALIBRATION_SIZE = 256


class ArrayBatches:
    """Arrays in memory, shuffled anew every epoch.

    Args:
      model: The model to train, whose dtype the inputs take and whose outputs the targets must fit.
      x: `[N, ..]` floats.
      y: Targets, `[N]` or whatever the likelihood takes.
      batch_size: Examples in a batch; the last one of an epoch may be smaller.
      likelihood: Which the targets must fit.
      seed: Seed of the order and of the augmentation.
      sample_weights: `[N]`, or None.
      augment: Changes the inputs of every batch at random; None leaves them as they are.
    """

    def __init__(
        self,
        model: Layer,
        x: Any,
        y: Any,
        *,
        batch_size: int,
        likelihood: Likelihood,
        seed: int,
        sample_weights: Any = None,
        augment: Augmentation | None = None,
    ) -> None:
        check_positive_int("batch_size", batch_size)
        self._x, self.targets = as_inputs(model, x), np.asarray(y)
        self.output_shape = output_shape_of(model, self._x[:1], likelihood.output_rank)
        check_targets(self.targets, len(self._x), likelihood, self.output_shape)
        weights = as_sample_weights(sample_weights, len(self._x))
        self._parts = [part for part in (self._x, self.targets, weights) if part is not None]
        self._batch_size, self._seed, self._augment = batch_size, seed, augment
        self.num_data = len(self._x)
        self.steps_per_epoch = math.ceil(self.num_data / batch_size)
        self.specs = _specs(*(tf.TensorSpec(part.shape, part.dtype) for part in self._parts))

    def epoch(self, index: int) -> Iterator[tuple[Any, ...]]:
        """The batches of an epoch: inputs, targets and, if there are any, weights."""
        rng = np.random.default_rng([self._seed % 2**63, index])
        order = rng.permutation(self.num_data)
        for start in range(0, self.num_data, self._batch_size):
            chosen = order[start : start + self._batch_size]
            inputs, *others = (part[chosen] for part in self._parts)
            yield self._augmented(inputs, rng), *others

    def _augmented(self, x: Any, rng: np.random.Generator) -> Any:
        if self._augment is None:
            return x
        changed = np.asarray(self._augment(x, rng))
        if changed.shape != x.shape:
            raise ValueError(
                f"An augmentation keeps the shape of a batch, {list(x.shape)}. Received {list(changed.shape)} from it."
            )
        return changed.astype(x.dtype, copy=False)

    def calibration(self) -> Any:
        """Some hundred inputs, for layers that take the moments of each draw at prediction."""
        return self._x[:CALIBRATION_SIZE]


class StreamBatches:
    """A `tf.data.Dataset` of batches `(inputs, targets)` or `(inputs, targets, weights)`; its order is its own.

    Args:
      model: The model to train.
      dataset: Finite, already batched.
      num_data: Number of examples in one pass.
      likelihood: Which the targets must fit.
    """

    targets = None  # of all examples: they are not looked through

    def __init__(self, model: Layer, dataset: tf.data.Dataset, *, num_data: int | None, likelihood: Likelihood) -> None:
        if num_data is None:
            raise ValueError(
                "`num_data`, the number of training examples, is required with a tf.data.Dataset: the KL is divided "
                "by it. Received None."
            )
        self._dataset, self.num_data = dataset, num_data
        self.steps_per_epoch = _count(dataset)
        x, *others = _parts(dataset.element_spec)
        if x.dtype != dtype_of(model):
            raise ValueError(
                f"The model computes in {dtype_of(model).name}. Received inputs of {x.dtype.name}: map the data set "
                "to that type, and scale images."
            )
        self.specs = _specs(x, *others)
        inputs, targets, *weights = next(iter(dataset))
        self.output_shape = output_shape_of(model, inputs[:1], likelihood.output_rank)
        check_targets(targets.numpy(), len(inputs), likelihood, self.output_shape)
        if weights and weights[0].shape != (len(inputs),):
            raise ValueError(f"The weights of a batch are [N]. Received shape {list(weights[0].shape)}.")

    def epoch(self, index: int) -> Iterator[tuple[Any, ...]]:
        """The batches of an epoch."""
        return iter(self._dataset)

    def calibration(self) -> Any:
        """Some hundred inputs, for layers that take the moments of each draw at prediction."""
        inputs, *_ = next(self._dataset.unbatch().batch(CALIBRATION_SIZE).as_numpy_iterator())
        return inputs


def _parts(element: Any) -> tuple[Any, ...]:
    if not (isinstance(element, tuple) and len(element) in (2, 3)):
        raise ValueError(
            "A training data set gives pairs (inputs, targets), or triples with weights of the examples. "
            f"Received elements of {element}."
        )
    return element


def _count(dataset: tf.data.Dataset) -> int:
    known = int(dataset.cardinality())
    if known == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "A training data set must be finite: one pass is an epoch. Received an infinite one; .take(n)."
        )
    count = known if known >= 0 else sum(1 for _ in dataset)
    if count == 0:
        raise ValueError("There is nothing to train on: the data set is empty.")
    return count


def _specs(*specs: tf.TensorSpec) -> list[tf.TensorSpec]:
    return [tf.TensorSpec([None, *spec.shape[1:]], spec.dtype) for spec in specs]

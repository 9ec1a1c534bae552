"""How one model answers a batch: by a number of draws, by as many as it takes, or in a single pass of moments."""

from __future__ import annotations

import dataclasses
import functools
import weakref
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import tensorflow as tf

from bayesconv import moments, precision, sampling
from bayesconv.compilation import compiled
from bayesconv.distributions import SIGN_SYMMETRIC, traits
from bayesconv.inputs import dtype_of
from bayesconv.layers import Layer, Linear
from bayesconv.likelihoods import Likelihood
from bayesconv.moments.options import Options
from bayesconv.sampling import Bank, Sampler, sampler_of
from bayesconv.sums import Sums, added, standard_error

PORTION = 16  # draws at a time where their number is not known beforehand
LEAST = 2 * PORTION  # draws before their spread is believed


class Drawing:
    """The draws of one model, which are kept between batches as far as they fit the memory budget.

    Args:
      sampler: Makes them.
      example: What it draws with.
      seed: A `[2]` tensor.
      num_samples: Draws at most.
      portion: Draws at a time, at most; None for as many as fit the budget.
    """

    def __init__(
        self, sampler: Sampler, example: tf.Tensor, seed: tf.Tensor, num_samples: int, portion: int | None
    ) -> None:
        self._make = lambda start, stop: sampler.bank(example, seed, start, stop)
        first, has_others = sampler.first_bank(example, seed)
        self._single = None if has_others else first
        bytes_per_draw = max(1, sum(tensor.numpy().nbytes for tensor in tf.nest.flatten(first)))
        fitting = max(1, sampling.MEMORY_BUDGET // bytes_per_draw)
        portion = min(fitting, portion or num_samples)
        self._starts, self._stop = range(0, num_samples, portion), num_samples
        self._kept: dict[int, Bank] = {}
        # Room is left for the one that is made anew.
        self._num_kept = fitting // portion - (0 if num_samples <= fitting else 1)

    def __iter__(self) -> Iterator[Bank]:
        if self._single is not None:
            yield self._single
            return
        for index, start in enumerate(self._starts):
            stop = min(start + self._starts.step, self._stop)
            if index >= self._num_kept:
                yield self._make(start, stop)  # it gets no name, which would keep it while the next one is made
                continue
            if start not in self._kept:
                self._kept[start] = self._make(start, stop)
            yield self._kept[start]


class BySampling:
    """A model over draws of its weights.

    Args:
      model: From `[N, ..]` to `[N, K]`.
      example: A batch of one input, or the inputs to calibrate with.
      likelihood: What the outputs mean.
      seed: A `[2]` tensor.
      num_samples: Draws, or at most as many with a tolerance.
      tolerance: The standard error of every average that is enough; None for all draws.
      options: Of `Sampler`.
    """

    def __init__(
        self,
        model: Layer,
        example: Any,
        likelihood: Likelihood,
        seed: tf.Tensor,
        num_samples: int,
        tolerance: float | None = None,
        **options: Any,
    ) -> None:
        self._dtype, self._tolerance = dtype_of(model), tolerance
        if options.get("is_antithetic"):
            _check_symmetric(model)
        example = tf.cast(example, self._dtype)
        self._sampler = sampler_of(model, example, likelihood, **options)
        self._banks = Drawing(self._sampler, example, seed, num_samples, None if tolerance is None else PORTION)

    def evaluate(self, batch: tf.Tensor) -> Sums:
        """Sums over the draws."""
        over = functools.partial(self._sampler.evaluate, tf.cast(batch, self._dtype))
        parts = []
        for part in map(over, self._banks):  # where no bank has a name either
            parts.append(part)
            if self._tolerance is not None and self._is_enough(parts, self._tolerance):
                break
        return added(parts)

    def _is_enough(self, parts: list[Sums], tolerance: float) -> bool:
        count = sum(part.num_draws for part in parts)
        return count >= LEAST and standard_error(parts) <= tolerance


class ByMoments:
    """A model in a single pass of means and variances.

    Args:
      model: From `[N, ..]` to `[N, K]`.
      example: A batch of one input.
      likelihood: What the outputs mean.
      options: Of `moments.propagate`.
    """

    def __init__(self, model: Layer, example: Any, likelihood: Likelihood, options: Options) -> None:
        self._dtype = dtype_of(model)
        self._pass = _pass_of(model, tf.TensorSpec([None, *example.shape[1:]], self._dtype), likelihood, options)

    def evaluate(self, batch: tf.Tensor) -> Sums:
        """What stands for the sums over draws."""
        found = self._pass(tf.cast(batch, self._dtype))
        mean, std, total, expected = (part.numpy() for part in found[:4])
        variance = None if found.variance is None else found.variance.numpy()
        return Sums(mean, np.square(std) + np.square(mean), expected, None, total, variance)


_passes: weakref.WeakKeyDictionary[Layer, dict[Any, Any]] = weakref.WeakKeyDictionary()


def _pass_of(model: Layer, spec: tf.TensorSpec, likelihood: Likelihood, options: Options) -> Any:
    """The compiled pass of moments for inputs of this shape, made once; it holds the model weakly."""
    known, alive = _passes.setdefault(model, {}), weakref.ref(model)
    key = (spec, precision.narrowed(spec.dtype), likelihood, options)
    if key not in known:

        def predicted(batch: tf.Tensor) -> Any:
            outputs = moments.propagate(cast(Layer, alive()), batch, **dataclasses.asdict(options))
            return moments.predictive(outputs, likelihood)

        known[key] = compiled(predicted, [spec])
    return known[key]


def _check_symmetric(model: Layer) -> None:
    bayesian = [m for m in (model, *model.submodules) if isinstance(m, Linear) and m.posterior]
    for layer in bayesian:
        for distribution in layer.posterior:
            if distribution is not None and SIGN_SYMMETRIC not in traits(distribution):
                raise ValueError(
                    "antithetic=True mirrors draws at the posterior mean, which takes posteriors that are symmetric "
                    f"around it. Received the {type(distribution).__name__} of `{layer.name}`: leave antithetic out."
                )

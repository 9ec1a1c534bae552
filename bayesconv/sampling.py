"""Passes of a model over a bank of draws: coherent functions, one set of weights for all inputs of a pass.

All draws are made beforehand and mapped over in one compiled graph, so that a pass costs what a deterministic one does.
"""

from __future__ import annotations

import math
import weakref
from typing import Any, cast

import tensorflow as tf

from bayesconv import calls, precision, random
from bayesconv.compilation import compiled
from bayesconv.layers import Layer, Linear
from bayesconv.layers.operator import Operator
from bayesconv.layers.shapes import sizes, static_sizes
from bayesconv.likelihoods import Likelihood
from bayesconv.sums import Sums
from bayesconv.weights import KernelBias

MEMORY_BUDGET = 256 * 2**20  # bytes of a bank of draws
Bank = list[tuple[tf.Tensor, ...]]
Draws = dict[calls.DrawKey, tuple[tf.Tensor, ...]]


class Sampler:
    """Compiled passes of one model over banks of draws; holds the model weakly.

    Args:
      model: From `[N, ..]` to `[N, K]`.
      example: A batch of one input.
      likelihood: What the outputs mean.
      weights: `"sample"` or `"mean"`.
      is_calibrating: Whether the example is a batch of inputs on which layers measure what belongs to a draw.
      is_antithetic: Whether every second draw mirrors the one before at the posterior mean.
    """

    def __init__(
        self,
        model: Layer,
        example: tf.Tensor,
        likelihood: Likelihood,
        weights: str = "sample",
        is_calibrating: bool = False,
        is_antithetic: bool = False,
    ) -> None:
        self._model, self._likelihood = weakref.ref(model), likelihood
        self._weights, self._is_calibrating = "mean" if weights == "mean" else "coherent", is_calibrating
        self._is_antithetic = is_antithetic
        self._layers: list[Any] = []
        self._is_random = False
        self._output_shape = tf.TensorShape([])
        self._largest = 0.0  # of the outputs of all layers, in numbers for an example
        self._spec = tf.TensorSpec([None, *example.shape[1:]], example.dtype)
        signature = [
            tf.TensorSpec(example.shape, example.dtype),
            tf.TensorSpec([2], tf.int32),
            tf.TensorSpec([None], tf.int32),
        ]
        self._draw = compiled(self._draw_bank, signature)
        self._evaluate: Any = None

    def _alive(self) -> Layer:
        model = self._model()
        if model is None:
            raise RuntimeError("The model of this sampler does not exist any more.")
        return model

    def first_bank(self, example: tf.Tensor, seed: tf.Tensor) -> tuple[Bank, bool]:
        """The first draw of all layers, and whether there are others; an empty one where nothing is drawn."""
        is_needed = self._weights != "mean" or self._is_calibrating
        first = self._draw(example, seed, tf.range(1)) if is_needed else []
        return first, bool(first) and self._is_random

    def bank(self, example: tf.Tensor, seed: tf.Tensor, start: int, stop: int) -> Bank:
        """Draws `start` to `stop` of all layers, stacked."""
        return self._draw(example, seed, tf.range(start, stop))

    def evaluate(self, batch: tf.Tensor, draws: Bank) -> Sums:
        """Sums over the draws, as arrays."""
        if self._evaluate is None:
            specs = tf.nest.map_structure(lambda t: tf.TensorSpec([None, *t.shape[1:]], t.dtype), draws)
            self._evaluate = compiled(self.sums, [self._spec, specs])
        return Sums(*(part.numpy() for part in self._evaluate(batch, draws)[:4]))

    def _draw_bank(self, example: tf.Tensor, seed: tf.Tensor, indices: tf.Tensor) -> Bank:
        draws = self._draw_once(example, seed)  # for the structure; the pass itself is pruned from the graph
        self._layers = [(branch, weakref.ref(layer), *use) for branch, layer, *use in draws]
        if not draws:
            return []
        signature: Any = [tuple(tf.TensorSpec(t.shape, t.dtype) for t in draw) for draw in draws.values()]
        map_fn: Any = tf.map_fn  # its stubs know single tensors only
        return map_fn(
            lambda index: list(self._draw_of(example, seed, index).values()),
            indices,
            fn_output_signature=signature,
        )

    def _draw_of(self, example: tf.Tensor, seed: tf.Tensor, index: Any) -> Draws:
        if not self._is_antithetic:
            return self._draw_once(example, random.fold_in(seed, index))
        draws = self._draw_once(example, random.fold_in(seed, index // 2))
        return {key: _mirrored(key[1], draw, index % 2 == 1) for key, draw in draws.items()}

    def _draw_once(self, example: tf.Tensor, seed: tf.Tensor) -> Draws:
        num = example.shape[0] or 1

        def observer(layer: Any, inputs: Any, output: Any) -> None:
            tensors = (part for part in tf.nest.flatten(output.outputs) if isinstance(part, tf.Tensor))
            counts = [part.shape.num_elements() for part in tensors]  # examples may be folded into other axes
            self._largest = max(self._largest, *(math.inf if n is None else n / num for n in counts), 0.0)

        options: dict[str, Any] = {"is_calibrating": self._is_calibrating, "observer": observer}
        call = calls.Call(seed, is_training=False, weights=self._weights, **options)
        with calls.entered(call):
            self._output_shape = self._alive()(example).shape[1:]
        self._is_random = call.is_random
        if self._weights == "coherent":
            _check_all_drew(self._alive(), call.draws)
        return {key: tuple(t for t in draw if t is not None) for key, draw in call.draws.items()}

    def is_stackable(self, draws: Bank) -> bool:
        """Whether one pass can serve all draws for one example, by the layers' kinds and by its memory."""
        layers = [None if use else layer() for _, layer, *use in self._layers]
        if not layers or not all(isinstance(layer, Linear) and _takes_batches(layer) for layer in layers):
            return False
        # Input and output of a layer, both in another order too, and the kernels so.
        kernels = max(math.prod(static_sizes(tensor)) for tensor in tf.nest.flatten(draws))
        return (4 * _num(draws) * self._largest + 2 * kernels) * draws[0][0].dtype.size <= MEMORY_BUDGET

    def stacked_sums(self, batch: tf.Tensor, draws: Bank) -> Sums:
        """What `sums` gives, by one pass over as many copies of the examples as there are draws."""
        num = _num(draws)
        outputs = self._pass(tf.tile(batch, [num, *[1] * (batch.shape.rank - 1)]), draws, num)
        return self._sums(tf.reshape(outputs, [num, -1, *sizes(outputs)[1:]]))

    def sums(self, batch: tf.Tensor, draws: Bank) -> Sums:
        """Sums over the draws, as tensors."""
        if draws:
            # Over indices, not over the bank itself, of which TensorFlow would first make a list of copies.
            indices, map_fn = tf.range(tf.shape(draws[0][0])[0]), cast(Any, tf.map_fn)
            signature = self._output_spec(batch)
            outputs = map_fn(lambda i: self._pass(batch, _draw_at(draws, i)), indices, fn_output_signature=signature)
        else:
            outputs = self._pass(batch, [])[tf.newaxis]
        return self._sums(outputs)

    def _output_spec(self, batch: tf.Tensor) -> tf.TensorSpec:
        return tf.TensorSpec(tf.TensorShape([None]).concatenate(self._output_shape), batch.dtype)

    def _sums(self, outputs: tf.Tensor) -> Sums:
        wide = tf.cast(outputs, tf.float64)
        means = self._likelihood.mean(wide)
        mean, square, entropy = (
            tf.reduce_sum(part, axis=0) for part in (means, tf.square(means), self._likelihood.entropy(wide))
        )
        return Sums(mean, square, entropy, outputs)

    def _pass(self, batch: tf.Tensor, draw: Bank, num_stacks: int | None = None) -> tf.Tensor:
        keys = [(branch, layer(), *use) for branch, layer, *use in self._layers] if draw else []
        given = {key: KernelBias(*tensors) for key, tensors in zip(keys, draw, strict=True)}
        weights = self._weights if given else "mean"
        call = calls.Call(0, is_training=False, weights=weights, draws=given, num_stacks=num_stacks)
        with calls.entered(call):
            return precision.widened(self._alive()(batch))


def _takes_batches(layer: Linear) -> bool:
    return isinstance(layer.linear_op, Operator) and layer.linear_op.takes_batches


def _num(bank: Bank) -> int:
    return static_sizes(bank[0][0])[0]


def _draw_at(bank: Bank, index: tf.Tensor) -> Bank:
    return [tuple(tensor[index] for tensor in draw) for draw in bank]


def _mirrored(layer: Any, draw: tuple[tf.Tensor, ...], is_second: Any) -> tuple[tf.Tensor, ...]:
    if not (isinstance(layer, Linear) and layer.posterior):
        return draw
    means = (distribution.mean() for distribution in layer.posterior if distribution is not None)
    return tuple(tf.where(is_second, 2.0 * m - w, w) for m, w in zip(means, draw, strict=True))


def _check_all_drew(model: Layer, draws: dict[calls.DrawKey, Any]) -> None:
    drawn = {layer for _, layer, *_use in draws}
    silent = [m.name for m in model.submodules if isinstance(m, Linear) and m.posterior and m not in drawn]
    if silent:
        raise RuntimeError(
            f"Prediction draws the weights of every Bayesian layer beforehand, and {silent} did not draw. Layers that "
            "a tf.function inside of the model calls are out of reach: compile the whole model instead. Layers that "
            "the model does not use should not be in it."
        )


_samplers: weakref.WeakKeyDictionary[Layer, dict[Any, Sampler]] = weakref.WeakKeyDictionary()


def sampler_of(model: Layer, example: tf.Tensor, likelihood: Likelihood, **options: Any) -> Sampler:
    """The model's sampler for inputs of this shape, made once; options are those of `Sampler`."""
    known = _samplers.setdefault(model, {})
    compute_dtype = precision.narrowed(example.dtype)
    key = (tuple(example.shape), example.dtype, compute_dtype, likelihood, tuple(sorted(options.items())))
    if key not in known:
        known[key] = Sampler(model, example, likelihood, **options)
    return known[key]

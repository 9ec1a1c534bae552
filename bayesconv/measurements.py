"""What a diagnosis is made of: moments of posteriors, gradients over draws, and the weight of the KL in a loss."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bayesconv import distributions, divergences, random
from bayesconv.compilation import compiled
from bayesconv.divergences import Divergence
from bayesconv.extras import collect_extras
from bayesconv.layers import Layer, Linear
from bayesconv.likelihoods import Likelihood
from bayesconv.optimization import SCALE_PREFIX
from bayesconv.precision import widened

_LARGEST, _TINY = 1e3, 1e-300  # of a signal-to-noise ratio; a gradient without any noise has no other


def kl_of(layer: Linear, seeds: Sequence[tf.Tensor]) -> float:
    """A layer's KL in nats, not weighted; a Monte Carlo estimate is averaged over the seeds."""

    def one(seed: tf.Tensor) -> tf.Tensor:
        return layer.divergence.penalty(lambda: divergences.sample(layer.posterior, seed), seed)

    if layer.divergence.name == "exact":
        return float(one(seeds[0]))
    step = compiled(one, [tf.TensorSpec([2], tf.int32)])
    return float(np.mean([float(step(seed)) for seed in seeds]))


class Moments(NamedTuple):
    """Of all weights of a layer, as vectors; None where a distribution has no such thing.

    Attributes:
      signal_to_noise: |mean| / standard deviation.
      scale_ratio: Standard deviation over the prior's.
      distance: |mean - prior mean| in the prior's standard deviations.
    """

    signal_to_noise: np.ndarray | None
    scale_ratio: np.ndarray | None
    distance: np.ndarray | None


def moments_of(layer: Linear) -> Moments:
    """The moments of a layer's posterior, by themselves and relative to the prior's."""
    pairs = [(q, p) for q, p in zip(layer.posterior, layer.prior, strict=True) if q is not None]
    loc, scale = (_joined(statistic(q, name) for q, _ in pairs) for name in ("mean", "stddev"))
    prior_loc = _joined(statistic(p, "mean", q) for q, p in pairs)
    prior_scale = _joined(_scale_of_prior(p, q) for q, p in pairs)
    distance = _ratio(None if loc is None or prior_loc is None else loc - prior_loc, prior_scale)
    return Moments(_absolute(_ratio(loc, scale)), _ratio(scale, prior_scale), _absolute(distance))


def statistic(distribution: Any, name: str, like: Any = None) -> np.ndarray | None:
    """The mean or the standard deviation of every weight; None if it is not known or not finite.

    Args:
      distribution: Distribution of a weight.
      name: `"mean"` or `"stddev"`.
      like: A distribution whose event the result gets the shape of.
    """
    try:
        value = getattr(distribution, name)()
    except NotImplementedError:  # how TFP answers for what a distribution does not define
        return None
    return _finite(value, distribution if like is None else like)


def _scale_of_prior(prior: Any, posterior: Any) -> np.ndarray | None:
    # A Cauchy's standard deviation is infinite, but it has a scale.
    stddev = statistic(prior, "stddev", posterior)
    scale = getattr(distributions.elementwise(prior), "scale", None)
    return _finite(scale, posterior) if stddev is None and scale is not None else stddev


def _finite(value: Any, distribution: Any) -> np.ndarray | None:
    array = np.broadcast_to(np.asarray(value, np.float64), distribution.event_shape).ravel()
    return array if np.isfinite(array).all() else None


def _joined(parts: Any) -> np.ndarray | None:
    arrays = list(parts)
    return None if any(array is None for array in arrays) else np.concatenate(arrays)


def _ratio(numerator: np.ndarray | None, denominator: np.ndarray | None) -> np.ndarray | None:
    """Leaves out weights without a scale, which are points by choice, as the bias of a rank-1 posterior is."""
    if numerator is None or denominator is None or not denominator.any():
        return None
    return numerator[denominator > 0] / denominator[denominator > 0]


def _absolute(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else np.abs(array)


class Gradients:
    """Sums of gradients and of their squares over draws, for the variables of posteriors.

    Args:
      layers: Layers with posteriors.
    """

    def __init__(self, layers: Sequence[Linear]) -> None:
        parts = {layer: [q for q in layer.posterior if q is not None] for layer in layers}
        self.of_layer = {layer: [v for q in qs for v in q.trainable_variables] for layer, qs in parts.items()}
        unique = {id(v): v for variables in self.of_layer.values() for v in variables}
        self.variables = list(unique.values())
        self._sums = {key: np.zeros(v.shape) for key, v in unique.items()}
        self._squares = {key: np.zeros(v.shape) for key, v in unique.items()}
        self._finite = dict.fromkeys(unique, True)
        self._count = 0

    def add(self, gradients: Sequence[tf.Tensor]) -> None:
        """Adds those of a draw."""
        self._count += 1
        for variable, gradient in zip(self.variables, gradients, strict=True):
            value, key = gradient.numpy().astype(np.float64), id(variable)
            self._finite[key] &= bool(np.isfinite(value).all())
            if self._finite[key]:
                self._sums[key] += value
                self._squares[key] += value**2

    def signal_to_noise(self, layer: Linear, *, of_scales: bool) -> float | None:
        """Median of |mean| / standard deviation over the locations or scales of a layer; None if there is none."""
        chosen = [v for v in self.of_layer[layer] if _is_scale(v) is of_scales and self._finite[id(v)]]
        ratios = [self._ratio(id(v)).ravel() for v in chosen]
        return float(np.median(np.concatenate(ratios))) if ratios else None

    def are_zero(self, layer: Linear) -> bool:
        """Whether no draw had a gradient in the layer."""
        variables = self.of_layer[layer]
        return self.are_finite(layer) and bool(variables) and not any(self._squares[id(v)].any() for v in variables)

    def are_finite(self, layer: Linear) -> bool:
        """Whether all draws had finite gradients in the layer."""
        return all(self._finite[id(v)] for v in self.of_layer[layer])

    def _ratio(self, key: int) -> np.ndarray:
        mean = self._sums[key] / self._count
        variance = np.maximum(self._squares[key] / self._count - mean**2, 0.0) * self._count / (self._count - 1)
        return np.abs(mean) / np.maximum(np.sqrt(variance), np.abs(mean) / _LARGEST + _TINY)


def _is_scale(variable: tf.Variable) -> bool:
    return variable.name.rpartition("/")[2].startswith(SCALE_PREFIX)


def measure(
    model: Layer,
    x: Any,
    y: Any,
    likelihood: Likelihood,
    kl_weight: float,
    seeds: Sequence[tf.Tensor],
    gradients: Gradients,
) -> np.ndarray:
    """The data term, with the gradients of the objective.

    Args:
      model: The model.
      x: Inputs.
      y: Targets.
      likelihood: What the outputs say of the targets.
      kl_weight: Factor of the KL in the loss per example.
      seeds: One for every draw.
      gradients: Gets those of every draw.

    Returns:
      Mean negative log-likelihood per example, for every draw.
    """
    inputs, targets = tf.convert_to_tensor(x), tf.convert_to_tensor(y)

    def one(seed: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape, collect_extras() as extras:
            nll = -tf.reduce_mean(likelihood.log_prob(widened(model(inputs, seed=seed)), targets))
            loss = nll + kl_weight * tf.cast(extras.loss, nll.dtype)
        return nll, tape.gradient(loss, gradients.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    step, nlls = compiled(one, [tf.TensorSpec([2], tf.int32)]), []
    for seed in seeds:
        nll, found = step(seed)
        nlls.append(float(nll))
        gradients.add(found)
    return np.array(nlls)


class LossOfKl(NamedTuple):
    """What a loss of the user's makes of the KL.

    Attributes:
      value: The loss without any KL.
      weights: Pairs of a layer's name and what a nat of its KL adds to the loss.
      is_reached: Whether the loss asked a layer for its KL at all.
    """

    value: float
    weights: tuple[tuple[str, float], ...]
    is_reached: bool


def loss_of_kl(
    loss: Callable[[Any, Any], Any], x: Any, y: Any, layers: Sequence[Linear], num_data: int, seed: int
) -> LossOfKl:
    """Adds nats to each layer's KL and sees what they add to a loss, which is linear in it.

    Other bounds than the evidence lower bound hold `log q(w) - log p(w)` of each draw in place of the KL. What is added
    to that of every draw is added to the bound, so the same nats are taken off the log-density of the prior.

    Args:
      loss: Function of `x` and `y`.
      x: Inputs.
      y: Targets.
      layers: Layers with posteriors.
      num_data: Number of training examples.
      seed: Of the draws that the loss leaves to chance.

    Raises:
      ValueError: If the loss is not one number.
    """
    if hasattr(loss, "python_function"):  # which is handed tensors, whatever it is called with
        x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    nats = 1e3 * num_data  # so that it stands out from the rounding of a loss in single precision
    asked: set[Linear] = set()

    def value(nats_of: Mapping[Linear, float]) -> float:
        with random.temporary_seed(seed), _as_written(), _constant_penalties(layers, nats_of, asked):
            return _one_number(loss(x, y))

    base = value({})
    weights = tuple((layer.name, (value({layer: nats}) - base) / nats) for layer in layers)
    return LossOfKl(base, weights, bool(asked))


def _one_number(value: Any) -> float:
    array = None if isinstance(value, tuple) else np.asarray(value)
    is_numeric = array is not None and array.dtype.kind not in "OUS"
    if array is None or array.ndim or not is_numeric:
        received = f"shape {array.shape}" if array is not None and is_numeric else type(value).__name__
        raise ValueError(
            f"`loss(x, y)` gives one number, a mean over the examples of the batch. Received {received}: take "
            "tf.reduce_mean of a loss that is per example, and the `.loss` of bc.elbo."
        )
    return float(array)


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
    """Runs compiled functions as plain Python, at any depth: a trace would not see that the penalty is another."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _constant_penalties(
    layers: Sequence[Linear], nats_of: Mapping[Linear, float], asked: set[Linear]
) -> Iterator[None]:
    before = [(layer.divergence, layer.prior) for layer in layers]
    try:
        for layer in layers:
            nats = tf.constant(nats_of.get(layer, 0.0), layer.dtype)
            layer.divergence = Divergence("constant", _giving(nats, layer, asked))
            layer.prior = layer.prior._replace(kernel=_less_probable(layer.prior.kernel, nats, layer, asked))
        yield
    finally:
        for layer, (divergence, prior) in zip(layers, before, strict=True):
            layer.divergence, layer.prior = divergence, prior


def _giving(nats: tf.Tensor, layer: Linear, asked: set[Linear]) -> Callable[..., tf.Tensor]:
    def penalty(draw: Any, seed: Any) -> tf.Tensor:
        asked.add(layer)
        return nats

    return penalty


def _less_probable(prior: Any, nats: tf.Tensor, layer: Linear, asked: set[Linear]) -> Any:
    """The same distribution, of the same type and variables, with a log-density that is less by `nats`."""
    # Distributions of TensorFlow Probability cannot be copied, and an attribute of the prior itself might be shared.
    shifted = object.__new__(type(prior))
    shifted.__dict__.update(prior.__dict__)

    def log_prob(value: Any, *arguments: Any, **options: Any) -> tf.Tensor:
        asked.add(layer)
        return prior.log_prob(value, *arguments, **options) - nats

    shifted.__dict__["log_prob"] = log_prob
    return shifted

"""How far a single pass is from sampling, member by member of a model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bayesconv import precision, random
from bayesconv.compilation import compiled
from bayesconv.inputs import dtype_of
from bayesconv.layers import Layer, Sequential
from bayesconv.moments.propagation import propagate


class LayerError(NamedTuple):
    """What a single pass says of one member's outputs, against draws.

    Attributes:
      name: Of the member.
      mean_error: Root mean square difference of the means, in root mean square standard deviations over the draws. Of S
        draws about `sqrt(1 / S)` is chance.
      variance_ratio: The variances' sum over that of the draws; 1 is right.
      variance_correlation: Of the elements' variances with those of the draws. Both are NaN where nothing varies.
    """

    name: str
    mean_error: float
    variance_ratio: float
    variance_correlation: float


def compare_with_sampling(
    model: Sequential, x: Any, *, num_samples: int = 256, seed: int = 0, **options: Any
) -> list[LayerError]:
    """Means and variances of a single pass behind each member of a model, against those of draws of its weights.

    Args:
      model: A `Sequential`.
      x: Inputs `[N, ..]`; a hundred are enough, since all their activations are compared.
      num_samples: Draws S, at least 2.
      seed: Of the draws.
      **options: Those of `propagate`.

    Returns:
      One `LayerError` a member, in order; a member's error contains what was lost before it.

    Raises:
      TypeError: If the model is no `Sequential`, or a member has no rule.
      ValueError: If there are fewer than two draws.

    Example:
      >>> import bayesconv as bc
      >>> make = bc.make_kernel_bias_flipout
      >>> model = bc.Sequential([bc.Affine(4, 50, make_kernel_bias_fn=make), tf.nn.relu], name="net")
      >>> errors = compare_with_sampling(model, tf.ones([5, 4]), num_samples=64)
      >>> len(errors), all(0.3 < error.variance_ratio < 3 for error in errors)
      (2, True)
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"A comparison goes through the members of a bc.Sequential. Received {type(model).__name__}.")
    if num_samples < 2:
        raise ValueError(f"`num_samples` must be at least 2, for a variance. Received {num_samples}.")
    inputs = tf.cast(tf.convert_to_tensor(x), dtype_of(model))
    errors = []
    for i in range(len(model)):
        prefix = model[: i + 1]
        drawn = _sampled(prefix, inputs, num_samples, seed)
        errors.append(_error(_name(model[i]), propagate(prefix, inputs, **options), drawn))
    return errors


def _name(member: Any) -> str:
    return str(getattr(member, "name", None) or getattr(member, "__name__", repr(member)))


def _sampled(prefix: Layer, inputs: tf.Tensor, num_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    def outputs(draw_seed: tf.Tensor) -> tf.Tensor:
        return precision.widened(prefix(inputs, is_training=False, weights="coherent", seed=draw_seed))

    run, key = compiled(outputs, [tf.TensorSpec([2], tf.int32)]), random.as_seed(seed)
    mean, squares = np.zeros([]), np.zeros([])
    for s in range(num_samples):  # Welford: one draw in memory, and no cancellation
        deviation = run(random.fold_in(key, s)).numpy().astype(np.float64) - mean
        mean = mean + deviation / (s + 1)
        squares = squares + np.square(deviation) * s / (s + 1)
    return mean, squares / (num_samples - 1)


def _error(name: str, found: Any, drawn: tuple[np.ndarray, np.ndarray]) -> LayerError:
    mean, variance = drawn
    spread = np.sqrt(variance.mean())
    if not spread > 0:
        return LayerError(name, float(np.abs(found.mean - mean).max(initial=0.0)), np.nan, np.nan)
    pair = np.ravel(found.variance).astype(np.float64), variance.ravel()
    correlation = float(np.corrcoef(*pair)[0, 1]) if all(np.ptp(v) > 0 for v in pair) else np.nan
    error = float(np.sqrt(np.square(found.mean - mean).mean()) / spread)
    return LayerError(name, error, float(pair[0].mean() / pair[1].mean()), correlation)

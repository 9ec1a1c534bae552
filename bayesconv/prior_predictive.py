"""What a model believes before it has seen data: functions drawn from its priors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import calls, precision, random
from bayesconv.inputs import as_inputs, check_positive_int, dtype_of
from bayesconv.layers import Layer
from bayesconv.weights import KernelBias, map_kernel_bias


def sample_prior(model: Layer, x: Any, *, num_samples: int = 8, seed: random.Seed = 0) -> np.ndarray:
    """The outputs of functions drawn from the priors: one set of weights, the same for all inputs, for each.

    Point weights stay as they are. A learnable or anchored prior is drawn from as it is now.

    Args:
      model: A layer from `[N, ..]` to outputs.
      x: Inputs `[N, ..]`.
      num_samples: Number of functions S.
      seed: Int or pair of ints; the same seed gives the same functions.

    Returns:
      `[S, N, ..]` outputs.

    Raises:
      ValueError: If `num_samples` is not a positive int, no layer has a prior, or one cannot be drawn from, as an
        improper one cannot.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> bc.sample_prior(model, np.ones([5, 4], np.float32), num_samples=16).shape
      (16, 5, 3)
    """
    check_positive_int("num_samples", num_samples)
    inputs = tf.cast(as_inputs(model, x), dtype_of(model))
    seeds = [random.fold_in(random.as_seed(seed), index) for index in range(num_samples)]
    return np.stack([_function(model, inputs, s) for s in seeds])


def _function(model: Layer, inputs: tf.Tensor, seed: tf.Tensor) -> np.ndarray:
    posterior = calls.Call(seed, is_training=False, weights="coherent")
    with calls.entered(posterior):
        model(inputs[:1])
    draws = {
        key: _draw(key[1], random.fold_in(seed, index)) if _has_prior(key) else draw
        for index, (key, draw) in enumerate(posterior.draws.items())
    }
    if not any(map(_has_prior, draws)):
        raise ValueError(
            f"Only Bayesian layers have priors. Received `{model.name}` with none; build it with "
            "make_kernel_bias_fn=bc.make_kernel_bias_flipout."
        )
    with calls.entered(calls.Call(seed, is_training=False, weights="coherent", draws=draws)):
        return precision.widened(model(inputs)).numpy()


def _has_prior(key: calls.DrawKey) -> bool:
    return len(key) == 2 and getattr(key[1], "prior", None) is not None


def _draw(layer: Any, seed: tf.Tensor) -> KernelBias:
    try:
        return map_kernel_bias(lambda p, s: p.sample(seed=s), layer.prior, KernelBias(*random.split(seed)))
    except NotImplementedError as error:
        raise ValueError(f"Nothing can be drawn from the prior of `{layer.name}`. {error}") from error

"""Initial values of weights; every initializer is aware of batch dimensions."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.weights import Initializer, fan_in_of


def _fans(shape: tuple[int, ...], batch_ndims: int) -> tuple[int, int]:
    event = shape[batch_ndims:]
    receptive_field = math.prod(event[:-2])
    return fan_in_of(shape, batch_ndims), receptive_field * event[-1]


def _scaled(name: str, variance: Callable[[int, int], float], uniform: bool) -> Callable[..., Initializer]:
    def make(*, seed: random.Seed = None) -> Initializer:
        def initializer(
            shape: Any, dtype: Any = tf.float32, batch_ndims: int = 0, seed: random.Seed = seed
        ) -> tf.Tensor:
            shape = tuple(int(size) for size in shape)
            stddev = math.sqrt(variance(*_fans(shape, batch_ndims)))
            if uniform:
                limit = math.sqrt(3.0) * stddev
                return limit * random.uniform(shape, seed, dtype)
            return tf.cast(stddev, dtype) * random.normal(shape, seed, dtype)

        initializer.__name__ = name
        return initializer

    make.__name__ = name
    return make


glorot_uniform = _scaled("glorot_uniform", lambda fan_in, fan_out: 2.0 / (fan_in + fan_out), uniform=True)
glorot_uniform.__doc__ = "Uniform with variance `2 / (fan_in + fan_out)` (Glorot and Bengio, AISTATS 2010)."
glorot_normal = _scaled("glorot_normal", lambda fan_in, fan_out: 2.0 / (fan_in + fan_out), uniform=False)
glorot_normal.__doc__ = "Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio, AISTATS 2010)."
he_uniform = _scaled("he_uniform", lambda fan_in, _: 2.0 / fan_in, uniform=True)
he_uniform.__doc__ = "Uniform with variance `2 / fan_in` (He et al., ICCV 2015, arXiv:1502.01852)."
he_normal = _scaled("he_normal", lambda fan_in, _: 2.0 / fan_in, uniform=False)
he_normal.__doc__ = "Normal with variance `2 / fan_in` (He et al., ICCV 2015, arXiv:1502.01852)."


def zeros() -> Initializer:
    """All zeros, the usual start of a bias."""

    def initializer(shape: Any, dtype: Any = tf.float32, batch_ndims: int = 0) -> tf.Tensor:
        return tf.zeros(shape, dtype)

    return initializer


def initial_value(initializer: Initializer, shape: Any, dtype: Any, batch_ndims: int, seed: Any) -> tf.Tensor:
    """Calls an initializer with what its signature takes: `(shape, dtype)` and perhaps `batch_ndims` and `seed`.

    Args:
      initializer: One of this module's, of Keras' or of the user's own.
      shape: Shape of the value.
      dtype: Floating-point type of the value.
      batch_ndims: Number of leading batch dimensions.
      seed: Used by initializers that accept one.

    Raises:
      ValueError: If the value has another shape.
    """
    accepted = inspect.signature(initializer).parameters
    optional = {"batch_ndims": batch_ndims, "seed": seed}
    chosen = {key: value for key, value in optional.items() if key in accepted}
    value = tf.convert_to_tensor(initializer(shape, dtype=dtype, **chosen))
    if tuple(value.shape) != tuple(shape):
        raise ValueError(
            f"An initializer must return the shape it is asked for. Received shape {tuple(value.shape)} from "
            f"{initializer!r} instead of {tuple(shape)}."
        )
    return tf.cast(value, dtype)

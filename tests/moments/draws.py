"""Draws of a model's outputs with one set of weights for all inputs, as prediction makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


def draws_of(model: Any, x: Any, num: int, seed: int = 0) -> np.ndarray:
    """`[num, N, ..]` in float64."""
    x = tf.convert_to_tensor(x)

    def one(index: tf.Tensor) -> tf.Tensor:
        return model(x, seed=tf.stack([index, seed]), weights="coherent", is_training=False)

    many = tf.function(lambda: tf.map_fn(one, tf.range(num), fn_output_signature=x.dtype), autograph=False)
    return many().numpy().astype(np.float64)

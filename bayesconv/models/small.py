"""Small networks for small images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import Flatten, Layer, MaxPool, Sequential
from bayesconv.models.parts import parts, pooled, with_dropout
from bayesconv.models.registry import register


@register("small_cnn")
def small_cnn(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    dropout_rate: float = 0.0,
) -> Layer:
    """Two 5x5 convolutions of 16 and 32 filters, then dense 128 and K.

    The arguments are those of `lenet5`.
    """
    conv, dense = parts(make_kernel_bias_fn, dtype)
    height, width, channels = pooled(input_shape, 2)
    layers = [
        conv(channels, 16, 5, name="conv1"),
        MaxPool(2),
        conv(16, 32, 5, name="conv2"),
        MaxPool(2),
        Flatten(),
        dense(height * width * 32, 128, activation_fn=tf.nn.relu, name="dense1"),
        dense(128, output_size, name="head"),
    ]
    return Sequential(with_dropout(layers, dropout_rate), name="small_cnn")


@register("digits_cnn")
def digits_cnn(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    filters: Sequence[int] = (16, 32, 32),
    dropout_rate: float = 0.0,
) -> Layer:
    """3x3 convolutions for small images, by default 16, 32 and 32 filters, pooled once, then dense K.

    Args:
      input_shape: `[H, W, C]`, such as 8x8 digits.
      output_size: Number of outputs `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.
      filters: Number of filters of each convolution; the images are pooled after the second.
      dropout_rate: Probability that a number is dropped after each convolution, before pooling, in training and at
        prediction: with point weights, Monte Carlo dropout.

    Returns:
      A model from `[N, H, W, C]` to `[N, K]`.

    Raises:
      ValueError: If the images are too small to be pooled, or an option is out of range.
    """
    if not filters or not all(isinstance(size, int) and size > 0 for size in filters):
        raise ValueError(f"`filters` is a number of filters for each convolution. Received {filters!r}.")
    conv, dense = parts(make_kernel_bias_fn, dtype)
    height, width, channels = pooled(input_shape, 1)
    sizes = [channels, *filters]
    layers: list[Layer] = [conv(a, b, 3, name=f"conv{i + 1}") for i, (a, b) in enumerate(itertools.pairwise(sizes))]
    layers.insert(2, MaxPool(2))
    layers += [Flatten(), dense(height * width * sizes[-1], output_size, name="head")]
    return Sequential(with_dropout(layers, dropout_rate), name="digits_cnn")

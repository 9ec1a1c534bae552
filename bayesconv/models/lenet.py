"""LeNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import Flatten, Layer, MaxPool, Sequential
from bayesconv.models.parts import parts, pooled, with_dropout
from bayesconv.models.registry import register


@register("lenet5")
def lenet5(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    dropout_rate: float = 0.0,
) -> Layer:
    """LeNet-5 with ReLU: three 5x5 convolutions of 6, 16 and 120 filters, then dense 84 and K.

    Args:
      input_shape: `[H, W, C]`, any image at least 4 pixels high and wide.
      output_size: Number of outputs `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.
      dropout_rate: Probability that a number is dropped after each convolution, before pooling, and after the dense
        layer of 84, in training and at prediction: with point weights, Monte Carlo dropout.

    Returns:
      A model from `[N, H, W, C]` to `[N, K]`.

    Raises:
      ValueError: If the images are too small to be pooled twice, or the rate is not in [0, 1).

    References:
      LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 1998.
      Gal and Ghahramani, Bayesian Convolutional Neural Networks with Bernoulli Approximate Variational Inference, 2015.
        arXiv:1506.02158
    """
    conv, dense = parts(make_kernel_bias_fn, dtype)
    height, width, channels = pooled(input_shape, 2)
    layers = [
        conv(channels, 6, 5, name="conv1"),
        MaxPool(2),
        conv(6, 16, 5, name="conv2"),
        MaxPool(2),
        conv(16, 120, 5, name="conv3"),
        Flatten(),
        dense(height * width * 120, 84, activation_fn=tf.nn.relu, name="dense1"),
        dense(84, output_size, name="head"),
    ]
    return Sequential(with_dropout(layers, dropout_rate), name="lenet5")

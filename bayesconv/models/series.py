"""Networks for series: steps in time of one or several channels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import Affine, Convolution, GlobalAveragePool, Layer, MaxPool, Sequential
from bayesconv.models.parts import with_dropout
from bayesconv.models.registry import register


@register("cnn1d")
def cnn1d(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    filters: Sequence[int] = (32, 64, 64),
    kernel_size: int = 5,
    dropout_rate: float = 0.0,
) -> Layer:
    """Convolutions along time, by default of 32, 64 and 64 filters over 5 steps, averaged over time, then dense K.

    The length is halved after every convolution but the last, as long as two steps are left.

    Args:
      input_shape: `[T, C]`.
      output_size: Number of outputs `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.
      filters: Number of filters of each convolution.
      kernel_size: Steps that a convolution looks at.
      dropout_rate: Probability that a number is dropped after each convolution, before pooling, in training and at
        prediction: with point weights, Monte Carlo dropout.

    Returns:
      A model from `[N, T, C]` to `[N, K]`.

    Raises:
      ValueError: If the inputs are no series, or an option is out of range.

    References:
      Wang, Yan and Oates, Time Series Classification from Scratch with Deep Neural Networks, IJCNN 2017.
        arXiv:1611.06455. Their fully convolutional network, without its normalizations.
    """
    if len(input_shape) != 2 or min(input_shape) < 1:
        way_out = "; of an npz file data.series says that it holds such" if len(input_shape) == 3 else ""
        raise ValueError(f"This model takes series [T, C]. Received {list(input_shape)}{way_out}.")
    if not filters or not all(isinstance(size, int) and size > 0 for size in (*filters, kernel_size)):
        received = f"{filters!r} and kernel_size={kernel_size!r}"
        raise ValueError(f"`filters` and `kernel_size` are numbers of filters and of steps. Received {received}.")
    length, channels = input_shape
    common: dict[str, Any] = {"make_kernel_bias_fn": make_kernel_bias_fn, "dtype": dtype}
    layers: list[Layer] = []
    for i, (before, after) in enumerate(itertools.pairwise([channels, *filters])):
        if i and length >= 2:
            layers.append(MaxPool(2, rank=1))
            length //= 2
        conv: dict[str, Any] = {"rank": 1, "padding": "SAME", "activation_fn": tf.nn.relu, "name": f"conv{i + 1}"}
        layers.append(Convolution(before, after, kernel_size, **conv, **common))
    layers += [GlobalAveragePool(rank=1), Affine(filters[-1], output_size, name="head", **common)]
    return Sequential(with_dropout(layers, dropout_rate), name="cnn1d")

"""Networks of dense layers, for rows of numbers and for images without regard to where their pixels are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import Affine, Flatten, Layer, Sequential
from bayesconv.models.registry import register


@register("mlp")
def mlp(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    hidden: Sequence[int] = (64, 64),
) -> Layer:
    """Dense layers with ReLUs, by default 64 and 64 units, then dense K.

    Args:
      input_shape: Of an example, such as `[10]` for rows of ten numbers.
      output_size: Number of outputs `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.
      hidden: Number of units of each hidden layer; none makes it linear.

    Returns:
      A model from `[N, ..]` to `[N, K]`.

    Raises:
      ValueError: If a number of units is not a positive int.
    """
    if not all(isinstance(size, int) and size > 0 for size in hidden):
        raise ValueError(f"`hidden` is a number of units for each hidden layer. Received {hidden!r}.")
    sizes = [math.prod(input_shape), *hidden]
    common: dict[str, Any] = {"make_kernel_bias_fn": make_kernel_bias_fn, "dtype": dtype}
    layers: list[Layer] = [
        Affine(a, b, activation_fn=tf.nn.relu, name=f"dense{i + 1}", **common)
        for i, (a, b) in enumerate(itertools.pairwise(sizes))
    ]
    return Sequential([Flatten(), *layers, Affine(sizes[-1], output_size, name="head", **common)], name="mlp")

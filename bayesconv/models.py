"""Networks that a configuration file can name.

A registered model is `piece(input_shape, output_size, make_kernel_bias_fn, dtype, *, options) -> Layer`. Its layers
have names, so that they can be told apart in summaries and figures.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import (
    Affine,
    BatchNorm,
    Convolution,
    FilterResponseNorm,
    Flatten,
    GlobalAveragePool,
    GroupNorm,
    Layer,
    MaxPool,
    Residual,
    Sequential,
)
from bayesconv.registry import Registry, unknown_name_message

_REGISTRY = Registry("model")
register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options


@register("lenet5")
def lenet5(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
) -> Layer:
    """LeNet-5 with ReLU: three 5x5 convolutions of 6, 16 and 120 filters, then dense 84 and K.

    Args:
      input_shape: `[H, W, C]`, any image at least 4 pixels high and wide.
      output_size: Number of outputs `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.

    Returns:
      A model from `[N, H, W, C]` to `[N, K]`.

    Raises:
      ValueError: If the images are too small to be pooled twice.

    References:
      LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 1998.
    """
    conv, dense = _parts(make_kernel_bias_fn, dtype)
    height, width, channels = _pooled(input_shape, 2)
    return Sequential(
        [
            conv(channels, 6, 5, name="conv1"),
            MaxPool(2),
            conv(6, 16, 5, name="conv2"),
            MaxPool(2),
            conv(16, 120, 5, name="conv3"),
            Flatten(),
            dense(height * width * 120, 84, activation_fn=tf.nn.relu, name="dense1"),
            dense(84, output_size, name="head"),
        ],
        name="lenet5",
    )


@register("small_cnn")
def small_cnn(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
) -> Layer:
    """Two 5x5 convolutions of 16 and 32 filters, then dense 128 and K.

    The arguments are those of `lenet5`.
    """
    conv, dense = _parts(make_kernel_bias_fn, dtype)
    height, width, channels = _pooled(input_shape, 2)
    return Sequential(
        [
            conv(channels, 16, 5, name="conv1"),
            MaxPool(2),
            conv(16, 32, 5, name="conv2"),
            MaxPool(2),
            Flatten(),
            dense(height * width * 32, 128, activation_fn=tf.nn.relu, name="dense1"),
            dense(128, output_size, name="head"),
        ],
        name="small_cnn",
    )


@register("digits_cnn")
def digits_cnn(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    filters: Sequence[int] = (16, 32, 32),
) -> Layer:
    """3x3 convolutions for small images, by default 16, 32 and 32 filters, pooled once, then dense K.

    Args:
      input_shape: `[H, W, C]`, such as 8x8 digits.
      output_size: Number of outputs `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.
      filters: Number of filters of each convolution; the images are pooled after the second.

    Returns:
      A model from `[N, H, W, C]` to `[N, K]`.

    Raises:
      ValueError: If the images are too small to be pooled.
    """
    if not filters or not all(isinstance(size, int) and size > 0 for size in filters):
        raise ValueError(f"`filters` is a number of filters for each convolution. Received {filters!r}.")
    conv, dense = _parts(make_kernel_bias_fn, dtype)
    height, width, channels = _pooled(input_shape, 1)
    sizes = [channels, *filters]
    layers: list[Layer] = [conv(a, b, 3, name=f"conv{i + 1}") for i, (a, b) in enumerate(itertools.pairwise(sizes))]
    layers.insert(2, MaxPool(2))
    return Sequential(
        [*layers, Flatten(), dense(height * width * sizes[-1], output_size, name="head")], name="digits_cnn"
    )


@register("resnet20")
def resnet20(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    filters: int = 16,
    normalization: str = "filter_response",
) -> Layer:
    """ResNet-20 for small images: a 3x3 convolution and three stages of three basic blocks, then dense K.

    Args:
      input_shape: `[H, W, C]`, any image at least 4 pixels high and wide.
      output_size: Number of outputs `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.
      filters: Filters of the first stage; the next ones have twice and four times as many, at half and a quarter of the
        resolution.
      normalization: After each convolution: `"filter_response"`, which has no moments to go stale under drawn weights,
        `"group"` of 8 channels, `"batch"` with frozen moments, or `"batch_recalibrated"`.

    Returns:
      A model from `[N, H, W, C]` to `[N, K]`.

    Raises:
      ValueError: If the images are too small, or an option is unknown.

    References:
      He et al., Deep Residual Learning for Image Recognition, CVPR 2016. arXiv:1512.03385
    """
    _, _, channels = _pooled(input_shape, 2)
    normalize = _normalization(normalization, dtype)
    conv = functools.partial(
        Convolution, padding="SAME", use_bias=False, make_kernel_bias_fn=make_kernel_bias_fn, dtype=dtype
    )
    sizes = [filters * 2 ** (block // 3) for block in range(9)]
    blocks = [
        _basic_block(conv, normalize, before, size, f"block{i + 1}")
        for i, (before, size) in enumerate(itertools.pairwise([filters, *sizes]))
    ]
    stem: list[Callable[..., Any]] = [conv(channels, filters, 3, name="stem"), normalize(filters), tf.nn.relu]
    head = Affine(sizes[-1], output_size, make_kernel_bias_fn=make_kernel_bias_fn, dtype=dtype, name="head")
    return Sequential([*stem, *blocks, GlobalAveragePool(), head], name="resnet20")


def _basic_block(
    conv: Callable[..., Layer], normalize: Callable[[int], Layer], before: int, size: int, name: str
) -> Layer:
    strides = 1 if before == size else 2
    block: list[Callable[..., Any]] = [
        conv(before, size, 3, strides=strides, name=f"{name}_conv1"),
        normalize(size),
        tf.nn.relu,
        conv(size, size, 3, name=f"{name}_conv2"),
        normalize(size),
    ]
    projection = [conv(before, size, 1, strides=strides, name=f"{name}_projection"), normalize(size)]
    return Residual(Sequential(block), None if before == size else Sequential(projection), tf.nn.relu, name=name)


def _normalization(name: str, dtype: Any) -> Callable[[int], Layer]:
    kinds: dict[str, Callable[[int], Layer]] = {
        "batch": lambda size: BatchNorm(size, dtype=dtype),
        "batch_recalibrated": lambda size: BatchNorm(size, policy="recalibrated", dtype=dtype),
        "filter_response": lambda size: FilterResponseNorm(size, use_threshold=False, dtype=dtype),
        "group": lambda size: GroupNorm(math.gcd(size, max(size // 8, 1)), size, dtype=dtype),
    }
    if name not in kinds:
        raise ValueError(unknown_name_message("normalization", name, kinds))
    return kinds[name]


def _parts(make_kernel_bias_fn: Callable[..., Any], dtype: Any) -> tuple[Callable[..., Layer], Callable[..., Layer]]:
    common = {"make_kernel_bias_fn": make_kernel_bias_fn, "dtype": dtype}
    conv = functools.partial(Convolution, padding="SAME", activation_fn=tf.nn.relu, **common)
    return conv, functools.partial(Affine, **common)


def _pooled(input_shape: Sequence[int], times: int) -> tuple[int, int, int]:
    if len(input_shape) != 3 or min(input_shape) < 1 or min(input_shape[:2]) < 2**times:
        raise ValueError(
            f"This model takes images [H, W, C] at least {2**times} pixels high and wide. Received {list(input_shape)}."
        )
    height, width, channels = input_shape
    return height // 2**times, width // 2**times, channels

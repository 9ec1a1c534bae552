"""Residual networks."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import Affine, Convolution, GlobalAveragePool, Layer, Residual, Sequential
from bayesconv.models.parts import normalization_of, pooled
from bayesconv.models.registry import register


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
    _, _, channels = pooled(input_shape, 2)
    normalize = normalization_of(normalization, dtype)
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

"""A network that gives every pixel a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import (
    ChannelDropout,
    Convolution,
    ConvolutionTranspose,
    Layer,
    MaxPool,
    Parallel,
    Sequential,
)
from bayesconv.models.parts import normalization_of
from bayesconv.models.registry import register

Members = list[Callable[..., Any]]


@register("unet")
def unet(
    input_shape: Sequence[int],
    output_size: int,
    make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
    dtype: Any = tf.float32,
    *,
    filters: Sequence[int] = (16, 32, 64),
    normalization: str | None = None,
    dropout_rate: float = 0.0,
) -> Layer:
    """U-Net: two 3x3 convolutions at every resolution, on the way down and up again, and a 1x1 convolution to logits.

    What the way down found at a resolution stands beside what comes up from the next coarser one, so that edges stay
    where they are in the image.

    Args:
      input_shape: `[H, W, C]`; height and width are multiples of `2 ** (len(filters) - 1)`.
      output_size: Number of classes of a pixel, `K`.
      make_kernel_bias_fn: What the weights are.
      dtype: Floating-point type.
      filters: Filters at every resolution; each is half of the one before.
      normalization: After each 3x3 convolution: None, as in the paper, or one that `resnet20` has.
      dropout_rate: Probability that a channel is dropped after the convolutions of a resolution, in training and at
        prediction: with point weights, Monte Carlo dropout.

    Returns:
      A model from `[N, H, W, C]` to logits `[N, H, W, K]`. It takes images of other sizes, too, if they can be halved
      as often.

    Raises:
      ValueError: If the images cannot be halved that often, or an option is out of range or unknown.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> model = bc.models.unet([16, 16, 1], 3, bc.make_kernel_bias_flipout, filters=(4, 8))
      >>> model(tf.zeros([2, 16, 16, 1])).shape
      TensorShape([2, 16, 16, 3])

    References:
      Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015.
        arXiv:1505.04597
      Kendall et al., Bayesian SegNet, BMVC 2017. arXiv:1511.02680
    """
    _check(input_shape, filters)
    common: dict[str, Any] = {"make_kernel_bias_fn": make_kernel_bias_fn, "dtype": dtype}

    def block(before: int, size: int, name: str) -> Members:
        return _block(before, size, name, normalization, dropout_rate, common)

    def up(before: int, size: int, name: str) -> Layer:
        return ConvolutionTranspose(before, size, 2, strides=2, name=f"{name}_transpose", **common)

    def level(index: int, before: int) -> Members:
        """The way down from a resolution, and the way up to it."""
        size = filters[index]
        down = block(before, size, f"down{index + 1}")
        if index == len(filters) - 1:
            return down
        below: Members = [MaxPool(2), *level(index + 1, size), up(filters[index + 1], size, f"up{index + 1}")]
        branches: Members = [tf.identity, Sequential(below, name=f"below{index + 1}")]
        skip = Parallel(branches, name=f"skip{index + 1}")
        return [*down, skip, *block(2 * size, size, f"up{index + 1}")]

    head = Convolution(filters[0], output_size, 1, name="head", **common)
    members: Members = [*level(0, input_shape[-1]), head]
    return Sequential(members, name="unet")


def _block(
    before: int, size: int, name: str, normalization: str | None, dropout_rate: float, common: Mapping[str, Any]
) -> Members:
    use_bias = normalization is None  # a normalization has an offset of its own
    members: Members = []
    for index, inputs in enumerate([before, size]):
        conv_name = f"{name}_conv{index + 1}"
        members.append(Convolution(inputs, size, 3, padding="SAME", use_bias=use_bias, name=conv_name, **common))
        if normalization is not None:
            members.append(normalization_of(normalization, common["dtype"])(size))
        members.append(tf.nn.relu)
    return [*members, ChannelDropout(dropout_rate, mc=True)] if dropout_rate else members


def _check(input_shape: Sequence[int], filters: Sequence[int]) -> None:
    if len(filters) < 2 or not all(isinstance(size, int) and size > 0 for size in filters):
        raise ValueError(f"`filters` is a number of filters for each of two resolutions or more. Received {filters!r}.")
    factor = 2 ** (len(filters) - 1)
    if len(input_shape) != 3 or min(input_shape) < 1 or any(size % factor for size in input_shape[:2]):
        raise ValueError(
            f"A U-Net of {len(filters)} resolutions takes images [H, W, C] whose height and width are multiples of "
            f"{factor}. Received {list(input_shape)}; pad or crop the images, or give fewer `filters`."
        )

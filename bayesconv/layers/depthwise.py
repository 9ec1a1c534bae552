"""Depthwise convolution: filters that see one channel each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers.arguments import as_batch_shape, check_positive, check_rank, per_axis
from bayesconv.layers.convolution import ConvolutionOp
from bayesconv.layers.linear import Linear
from bayesconv.layers.padding import as_padding
from bayesconv.layers.shapes import join_last
from bayesconv.weights import Initializer, KernelBias


@dataclasses.dataclass(frozen=True, kw_only=True)
class DepthwiseConvolutionOp(ConvolutionOp):
    """`conv(inputs, kernel) + bias` with as many groups as input channels, and a kernel `[filter.., C_in, M]`."""

    name: str = "DepthwiseConvolution"

    def grouped(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel in the form `[B.., filter.., 1, C_in M]`."""
        return tf.expand_dims(join_last(kernel, kernel.shape.rank - 2), axis=-2)


class DepthwiseConvolution(Linear):
    """Depthwise convolution over one, two or three spatial axes: `depth_multiplier` filters for every input channel.

    Args:
      input_size: Number of input channels `C_in`.
      filter_shape: Size of the filters, an int or one per spatial axis.
      depth_multiplier: Number of filters `M` for each channel.
      rank: Number of spatial axes: 1, 2 or 3.
      strides: Int or one per axis.
      padding: As for `Convolution`.
      dilations: Int or one per axis.
      init_kernel_fn: Initial kernel, or location of its posterior: `init_kernel_fn(shape, dtype)`.
      init_bias_fn: The same for the bias.
      make_kernel_bias_fn: What the weights are; see `Convolution`.
      dtype: float32 or float64.
      batch_shape: Shape of a batch of kernels, each applied to its own slice of the inputs.
      activation_fn: Function of the result, such as `tf.nn.relu`.
      name: Name.
      use_bias: Whether there is a bias.

    Input shape:
      `[N, spatial.., C_in]`; with a `batch_shape` `B`, `[N, spatial.., B, C_in]`, where an axis of size 1 broadcasts.

    Output shape:
      `[N, spatial.., C_in M]`, or `[N, spatial.., B, C_in M]`; the outputs of a channel stand together.

    Raises:
      ValueError: If an argument is out of range, or the factory's weights do not fit.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.DepthwiseConvolution(8, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> layer(tf.ones([2, 7, 7, 8])).shape, layer.kernel_shape
      (TensorShape([2, 5, 5, 8]), (3, 3, 8, 1))

    References:
      Howard et al., MobileNets, 2017. arXiv:1704.04861
    """

    def __init__(
        self,
        input_size: int,
        filter_shape: int | Sequence[int],
        depth_multiplier: int = 1,
        rank: int = 2,
        strides: int | Sequence[int] = 1,
        padding: str | Sequence[tuple[int, int]] = "VALID",
        dilations: int | Sequence[int] = 1,
        init_kernel_fn: Initializer | None = None,
        init_bias_fn: Initializer | None = None,
        make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
        dtype: Any = tf.float32,
        batch_shape: int | Sequence[int] = (),
        activation_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        name: str | None = None,
        *,
        use_bias: bool = True,
    ) -> None:
        check_rank(rank)
        check_positive(input_size=input_size, depth_multiplier=depth_multiplier)
        filter_shape, batch_shape = per_axis("filter_shape", filter_shape, rank), as_batch_shape(batch_shape)
        op = DepthwiseConvolutionOp(
            batch_shape=batch_shape,
            filter_shape=filter_shape,
            strides=per_axis("strides", strides, rank),
            dilations=per_axis("dilations", dilations, rank),
            padding=as_padding(padding, rank),
            groups=input_size,
        )
        super().__init__(
            op,
            KernelBias(
                (*batch_shape, *filter_shape, input_size, depth_multiplier),
                (*batch_shape, input_size * depth_multiplier) if use_bias else None,
            ),
            fan_in=math.prod(filter_shape),
            input_size=input_size,
            init_fns=KernelBias(init_kernel_fn, init_bias_fn),
            make_kernel_bias_fn=make_kernel_bias_fn,
            dtype=dtype,
            activation_fn=activation_fn,
            name=name,
        )

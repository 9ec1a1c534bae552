"""Separable convolution: a depthwise one, then one over channels only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers.base import Layer
from bayesconv.layers.convolution import Convolution
from bayesconv.layers.depthwise import DepthwiseConvolution
from bayesconv.weights import Initializer


class SeparableConvolution(Layer):
    """Depthwise convolution and a pointwise one, over one, two or three spatial axes, both from the same factory.

    Its weights are two independent layers, `depthwise` and `pointwise`, each with its posterior and its penalty; the
    penalty of the whole is their sum. The bias belongs to the second.

    Args:
      input_size: Number of input channels `C_in`.
      output_size: Number of output channels `C_out`.
      filter_shape: Size of the depthwise filters, an int or one per spatial axis.
      depth_multiplier: Number of depthwise filters for each input channel.
      rank: Number of spatial axes: 1, 2 or 3.
      strides: Int or one per axis.
      padding: As for `Convolution`.
      dilations: Int or one per axis.
      init_kernel_fn: Initial kernels, or locations of their posteriors: `init_kernel_fn(shape, dtype)`.
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
      `[N, spatial.., C_out]`, or `[N, spatial.., B, C_out]`.

    Raises:
      ValueError: If an argument is out of range, or the factory's weights do not fit.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.SeparableConvolution(8, 16, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> layer(tf.ones([2, 7, 7, 8])).shape
      TensorShape([2, 5, 5, 16])
      >>> bool(layer.extra_loss == layer.depthwise.extra_loss + layer.pointwise.extra_loss)
      True

    References:
      Chollet, Xception, CVPR 2017. arXiv:1610.02357
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
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
        super().__init__(name=name)
        common: dict[str, Any] = {
            "init_kernel_fn": init_kernel_fn,
            "make_kernel_bias_fn": make_kernel_bias_fn,
            "dtype": dtype,
            "batch_shape": batch_shape,
        }
        self.depthwise = DepthwiseConvolution(
            input_size,
            filter_shape,
            depth_multiplier,
            rank,
            strides,
            padding,
            dilations,
            name=f"{self.name}_depthwise",
            use_bias=False,
            **common,
        )
        self.pointwise = Convolution(
            input_size * depth_multiplier,
            output_size,
            1,
            rank,
            init_bias_fn=init_bias_fn,
            activation_fn=activation_fn,
            name=f"{self.name}_pointwise",
            use_bias=use_bias,
            **common,
        )

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Applies the depthwise convolution, then the pointwise one."""
        for layer in (self.depthwise, self.pointwise):
            inputs = layer(inputs, is_training=is_training, seed=seed)
        return inputs

"""Convolution in one, two and three dimensions, point or Bayesian by its factory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import native
from bayesconv.layers.arguments import as_batch_shape, check_positive, check_rank, per_axis
from bayesconv.layers.linear import Linear
from bayesconv.layers.operator import SpatialOperator
from bayesconv.layers.padding import as_padding
from bayesconv.weights import Initializer, KernelBias


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionOp(SpatialOperator):
    """`conv(inputs, kernel) + bias` over the spatial axes, channels last."""

    name: str = "Convolution"

    def apply_to_images(self, inputs: tf.Tensor, kernel: tf.Tensor, groups: int) -> tf.Tensor:
        """Applies a kernel `[filter.., C_in / groups, C_out]` to `[N, spatial.., C_in]`."""
        is_native = self.padding.mode == "SAME" and native.takes_same(self.rank, kernel.dtype)
        if not is_native:
            inputs = self.padding.pad(inputs, self.reaches, self.strides)
        padding = "SAME" if is_native else "VALID"
        return native.convolve(inputs, kernel, self.strides, self.dilations, groups, padding)

    def check_inputs(self, name: str, inputs: tf.Tensor, input_size: int) -> None:
        """Raises a ValueError if a layer of that name cannot take inputs of this shape."""
        super().check_inputs(name, inputs, input_size)
        last = inputs.shape.rank - 1 - self.batch_ndims
        lengths = inputs.shape[last - self.rank : last].as_list()
        self.padding.check(name, inputs.shape, lengths, self.reaches, self.strides)


class Convolution(Linear):
    """Convolution over one, two or three spatial axes, channels last.

    Args:
      input_size: Number of input channels `C_in`.
      output_size: Number of filters `C_out`.
      filter_shape: Size of the filters, an int or one per spatial axis.
      rank: Number of spatial axes: 1, 2 or 3.
      strides: Int or one per axis.
      padding: `"VALID"`, `"SAME"`, `"CAUSAL"` (rank 1), `"FULL"`, `"REFLECT"` or `"SYMMETRIC"`, in any case, or
        pairs of numbers of zeros before and after, one for each axis, such as `[(1, 1), (0, 2)]`.
      dilations: Int or one per axis.
      init_kernel_fn: Initial kernel, or location of its posterior: `init_kernel_fn(shape, dtype)`.
      init_bias_fn: The same for the bias.
      make_kernel_bias_fn: What the weights are: `make_kernel_bias` for point weights, `make_kernel_bias_flipout` or
        another variational factory for a Bayesian layer.
      dtype: float32 or float64.
      batch_shape: Shape of a batch of kernels, each applied to its own slice of the inputs.
      activation_fn: Function of the result, such as `tf.nn.relu`.
      name: Name.
      groups: Number of groups of channels that do not meet; divides both sizes.
      use_bias: Whether there is a bias.

    Input shape:
      `[N, spatial.., C_in]`; with a `batch_shape` `B`, `[N, spatial.., B, C_in]`, where an axis of size 1 broadcasts.
      More batch axes may stand in front, or none. The first axis tells the examples apart.

    Output shape:
      `[N, spatial.., C_out]`, or `[N, spatial.., B, C_out]`, with the batch axes of the inputs.

    Raises:
      ValueError: If an argument is out of range, or the factory's weights do not fit.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Convolution(1, 16, 3, padding="SAME", make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> layer(tf.ones([4, 8, 8, 1])).shape
      TensorShape([4, 8, 8, 16])
      >>> layer.extra_result.kernel.shape
      TensorShape([3, 3, 1, 16])

    References:
      Blundell et al., Weight Uncertainty in Neural Networks, ICML 2015. arXiv:1505.05424
      Wen et al., Flipout, ICLR 2018. arXiv:1803.04386
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        filter_shape: int | Sequence[int],
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
        groups: int = 1,
        use_bias: bool = True,
    ) -> None:
        check_rank(rank)
        check_groups(input_size, output_size, groups)
        filter_shape = per_axis("filter_shape", filter_shape, rank)
        batch_shape = as_batch_shape(batch_shape)
        op = ConvolutionOp(
            batch_shape=batch_shape,
            filter_shape=filter_shape,
            strides=per_axis("strides", strides, rank),
            dilations=per_axis("dilations", dilations, rank),
            padding=as_padding(padding, rank),
            groups=groups,
        )
        inputs_per_group = input_size // groups
        super().__init__(
            op,
            KernelBias(
                (*batch_shape, *filter_shape, inputs_per_group, output_size),
                (*batch_shape, output_size) if use_bias else None,
            ),
            fan_in=math.prod(filter_shape) * inputs_per_group,
            input_size=input_size,
            init_fns=KernelBias(init_kernel_fn, init_bias_fn),
            make_kernel_bias_fn=make_kernel_bias_fn,
            dtype=dtype,
            activation_fn=activation_fn,
            name=name,
        )


def check_groups(input_size: int, output_size: int, groups: int) -> None:
    """Raises a ValueError unless the sizes are positive and `groups` divides both."""
    check_positive(input_size=input_size, output_size=output_size, groups=groups)
    if input_size % groups or output_size % groups:
        raise ValueError(
            "`groups` must divide `input_size` and `output_size`. "
            f"Received groups={groups}, input_size={input_size}, output_size={output_size}."
        )

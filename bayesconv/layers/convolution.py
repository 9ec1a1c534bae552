"""Convolution in one, two and three dimensions, point or Bayesian by its factory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers.arguments import as_batch_shape, check_positive, check_rank, per_axis
from bayesconv.layers.linear import Linear
from bayesconv.weights import Initializer, KernelBias

PADDINGS = ("VALID", "SAME")


@dataclasses.dataclass(frozen=True)
class ConvolutionOp:
    """`conv(inputs, kernel) + bias` over the spatial axes, channels last.

    Attributes:
      strides: One per spatial axis.
      dilations: One per spatial axis.
      padding: VALID or SAME.
      groups: Number of groups of channels.
      batch_ndims: Number of batch dimensions of the kernel.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str
    groups: int = 1
    batch_ndims: int = 0
    name: str = "Convolution"
    shares_weights: bool = True

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.strides)

    def __call__(self, inputs: tf.Tensor, weights: KernelBias) -> tf.Tensor:
        """Applies it to inputs `[N, spatial.., (B..,) C_in]`."""
        convolve = self._convolve_batched if self.batch_ndims else self._convolve
        outputs = convolve(inputs, weights.kernel)
        return outputs if weights.bias is None else outputs + weights.bias

    def check_inputs(self, name: str, inputs: tf.Tensor, input_size: int) -> None:
        """Raises a ValueError if a layer cannot take inputs of this shape."""
        rank = 2 + self.rank + self.batch_ndims
        if inputs.shape.rank != rank or inputs.shape[-1] not in (input_size, None):
            axes = ["N", *"DHW"[3 - self.rank :], *["B"] * self.batch_ndims, str(input_size)]
            raise ValueError(
                f"`{name}` takes inputs of shape [{', '.join(axes)}], channels last. Received shape {inputs.shape}. "
                "A single example needs a batch axis, and grey images a channel axis: x[..., tf.newaxis]."
            )

    def _convolve(self, inputs: tf.Tensor, kernel: tf.Tensor, groups: int | None = None) -> tf.Tensor:
        groups = self.groups if groups is None else groups
        if self.rank == 1:  # TensorFlow takes stride and dilation together in two dimensions only
            plane = self._convolve_native(
                inputs[:, tf.newaxis], kernel[tf.newaxis], (1, *self.strides), (1, *self.dilations)
            )
            return tf.squeeze(plane, axis=1)
        if self.rank == 3 and groups > 1:  # no kernel for grouped 3-D convolution on CPU
            parts = zip(tf.split(inputs, groups, axis=-1), tf.split(kernel, groups, axis=-1), strict=True)
            return tf.concat([self._convolve_native(x, k, self.strides, self.dilations) for x, k in parts], axis=-1)
        return self._convolve_native(inputs, kernel, self.strides, self.dilations)

    def _convolve_native(
        self, inputs: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, ...], dilations: tuple[int, ...]
    ) -> tf.Tensor:
        if len(strides) == 3 and max(dilations) > 1 and kernel.dtype != tf.float32:
            kernel, dilations = _with_gaps(kernel, dilations), (1, 1, 1)  # conv3d dilates in float32 only on CPU
        convolve: Any = tf.nn.conv2d if len(strides) == 2 else tf.nn.conv3d
        options = ((1, *strides, 1), self.padding)
        if inputs.shape[0] == 0:  # TensorFlow gives an empty batch the shape of its inputs
            one = tf.zeros([1, *inputs.shape[1:]], inputs.dtype)
            return convolve(one, kernel, *options, dilations=(1, *dilations, 1))[:0]
        return convolve(inputs, kernel, *options, dilations=(1, *dilations, 1))

    def _convolve_batched(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        # A batch of kernels is a grouped convolution over the channels of all of them.
        shape: list[Any] = kernel.shape.as_list()
        batch_shape, filter_shape = shape[: self.batch_ndims], shape[self.batch_ndims :]
        count, last = math.prod(batch_shape), self.rank + 1
        channels: Any = inputs.shape[-1]
        outer = tf.shape(inputs)[:last]
        inputs = tf.broadcast_to(inputs, tf.concat([outer, batch_shape, [channels]], axis=0))
        inputs = tf.reshape(inputs, tf.concat([outer, [count * channels]], axis=0))
        stacked = tf.reshape(kernel, [count, *filter_shape])
        stacked = tf.transpose(stacked, [*range(1, last + 1), 0, last + 1])
        stacked = tf.reshape(stacked, [*filter_shape[:-1], count * filter_shape[-1]])
        outputs = self._convolve(inputs, stacked, groups=self.groups * count)
        return tf.reshape(outputs, tf.concat([tf.shape(outputs)[:last], batch_shape, [filter_shape[-1]]], axis=0))


def _with_gaps(kernel: tf.Tensor, dilations: tuple[int, ...]) -> tf.Tensor:
    """The kernel of a dilated convolution written out, with zeros between its taps."""
    for axis, dilation in enumerate(dilations):
        shape: list[Any] = kernel.shape.as_list()
        padding = [[0, 0]] * (len(shape) + 1)
        padding[axis + 1] = [0, dilation - 1]
        spread = tf.pad(tf.expand_dims(kernel, axis + 1), padding)
        reach = (shape[axis] - 1) * dilation + 1
        spread = tf.reshape(spread, [*shape[:axis], shape[axis] * dilation, *shape[axis + 1 :]])
        kernel = tf.gather(spread, tf.range(reach), axis=axis)
    return kernel


class Convolution(Linear):
    """Convolution over one, two or three spatial axes, channels last.

    Args:
      input_size: Number of input channels `C_in`.
      output_size: Number of filters `C_out`.
      filter_shape: Size of the filters, an int or one per spatial axis.
      rank: Number of spatial axes: 1, 2 or 3.
      strides: Int or one per axis.
      padding: `"VALID"` or `"SAME"`, in any case.
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

    Output shape:
      `[N, spatial.., C_out]`, or `[N, spatial.., B, C_out]`.

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
        padding: str = "VALID",
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
        _check_sizes(input_size, output_size, rank, groups)
        filter_shape = per_axis("filter_shape", filter_shape, rank)
        batch_shape = as_batch_shape(batch_shape)
        op = ConvolutionOp(
            per_axis("strides", strides, rank),
            per_axis("dilations", dilations, rank),
            validated_padding(padding),
            groups,
            len(batch_shape),
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


def validated_padding(padding: str) -> str:
    """The padding in capitals; a ValueError if it is none."""
    if not isinstance(padding, str) or padding.upper() not in PADDINGS:
        raise ValueError(f"`padding` must be one of {list(PADDINGS)}, in any case. Received {padding!r}.")
    return padding.upper()


def _check_sizes(input_size: int, output_size: int, rank: int, groups: int) -> None:
    check_rank(rank)
    check_positive(input_size=input_size, output_size=output_size, groups=groups)
    if input_size % groups or output_size % groups:
        raise ValueError(
            "`groups` must divide `input_size` and `output_size`. "
            f"Received groups={groups}, input_size={input_size}, output_size={output_size}."
        )

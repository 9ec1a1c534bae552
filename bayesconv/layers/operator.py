"""What the operators of linear layers have in common: types, leading batch axes, batches of kernels, the bias."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import ClassVar

import tensorflow as tf

from bayesconv.examples import at_least
from bayesconv.layers.padding import Padding
from bayesconv.layers.shapes import join_last, sizes, split_last, static_sizes
from bayesconv.weights import KernelBias

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operator:
    """Base of the linear operators `(inputs, weights) -> outputs`; a subclass overrides `apply`.

    Attributes:
      name: What messages call it.
      batch_shape: Shape of the batch of kernels, whose axes stand before the channels of inputs and outputs.
      shares_weights: Whether one weight meets several positions of an example.
      takes_batches: Whether it heeds `batch_shape`.
    """

    name: str
    batch_shape: Shape = ()
    shares_weights: bool = False
    takes_batches: ClassVar[bool] = False

    @property
    def batch_ndims(self) -> int:
        """Number of batch dimensions of the kernel."""
        return len(self.batch_shape)

    @property
    def axes(self) -> list[str]:
        """Names of the axes of an example, for messages, without the channels."""
        return ["B"] * self.batch_ndims

    @property
    def event_ndims(self) -> int:
        """Number of axes of an example."""
        return len(self.axes) + 1

    def __call__(self, inputs: tf.Tensor, weights: KernelBias) -> tf.Tensor:
        """Applies the kernel, in the type of the inputs, to `[N.., example.., C_in]`, and adds the bias."""
        outputs = self.apply(inputs, tf.cast(weights.kernel, inputs.dtype))
        return outputs if weights.bias is None else _with_bias(outputs, tf.cast(weights.bias, inputs.dtype))

    def apply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Applies a kernel to inputs with one batch axis or more."""
        raise TypeError(f"{type(self).__name__} must override apply(inputs, kernel).")

    def check_inputs(self, name: str, inputs: tf.Tensor, input_size: int) -> None:
        """Raises a ValueError if a layer of that name cannot take inputs of this shape."""
        shape = inputs.shape
        if shape.rank is None or shape.rank < self.event_ndims or shape[-1] not in (input_size, None):
            axes = ", ".join(["N", *self.axes, str(input_size)])
            remark, way_out = self.hint
            raise ValueError(f"`{name}` takes inputs of shape [{axes}]{remark}. Received shape {shape}. {way_out}")
        batch = shape[shape.rank - 1 - self.batch_ndims : -1]
        if not all(size in (1, own, None) for size, own in zip(batch, self.batch_shape, strict=True)):
            raise ValueError(
                f"`{name}` has a batch of kernels of shape {list(self.batch_shape)}, and its inputs have that shape "
                f"before the channels, or 1. Received shape {shape}."
            )

    @property
    def hint(self) -> tuple[str, str]:
        """For messages: what else to say of the inputs' shape, and the way out."""
        return "", ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpatialOperator(Operator):
    """Base of the operators over spatial axes; a subclass overrides `apply_to_images`.

    Attributes:
      filter_shape: Size of the filters, by spatial axis.
      strides: One per spatial axis.
      dilations: One per spatial axis.
      padding: What happens at the borders.
      groups: Number of groups of channels.
    """

    filter_shape: Shape
    strides: Shape
    dilations: Shape
    padding: Padding
    groups: int = 1
    shares_weights: bool = True
    takes_batches: ClassVar[bool] = True

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.strides)

    @property
    def reaches(self) -> Shape:
        """Number of positions from the first tap of a filter to the last, by spatial axis."""
        return tuple((size - 1) * d + 1 for size, d in zip(self.filter_shape, self.dilations, strict=True))

    @property
    def axes(self) -> list[str]:
        """Names of the axes of an example, for messages, without the channels."""
        return [*"DHW"[3 - self.rank :], *super().axes]

    @property
    def hint(self) -> tuple[str, str]:
        """For messages: what else to say of the inputs' shape, and the way out."""
        return ", channels last", (
            "Grey images need a channel axis, x[..., tf.newaxis]; images with channels first need tf.transpose."
        )

    def apply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Applies a kernel to inputs with one batch axis or more, a batch of kernels as groups of channels."""
        kernel = self.grouped(kernel)
        if self.batch_ndims:
            return self._apply_batch(inputs, kernel)
        return with_one_batch_axis(inputs, self.event_ndims, lambda x: self.apply_to_images(x, kernel, self.groups))

    def grouped(self, kernel: tf.Tensor) -> tf.Tensor:
        """The layer's kernel in the form `[B.., filter.., C_in / groups, C_out]`."""
        return kernel

    def apply_to_images(self, inputs: tf.Tensor, kernel: tf.Tensor, groups: int) -> tf.Tensor:
        """Applies a kernel `[filter.., C_in / groups, C_out]` to `[N, spatial.., C_in]` that is not empty."""
        raise TypeError(f"{type(self).__name__} must override apply_to_images(inputs, kernel, groups).")

    def _apply_batch(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        # A batch of kernels is a grouped convolution over the channels of all of them.
        count, batch_axis = math.prod(self.batch_shape), inputs.shape.rank - 1 - self.batch_ndims
        kernels = tf.reshape(kernel, [count, *static_sizes(kernel)[self.batch_ndims :]])
        is_shared = self.groups == 1 and inputs.shape[batch_axis:-1].num_elements() == 1
        groups = 1 if is_shared else self.groups * count  # kernels that meet the same inputs are more filters
        if not is_shared:
            *outer, channels = sizes(inputs)[:batch_axis] + sizes(inputs)[-1:]
            inputs = tf.broadcast_to(inputs, [*outer, *self.batch_shape, channels])
        images = join_last(inputs, batch_axis)
        stacked = join_last(tf.transpose(kernels, [*range(1, self.rank + 2), 0, self.rank + 2]), self.rank + 1)
        outputs = with_one_batch_axis(images, self.rank + 1, lambda x: self.apply_to_images(x, stacked, groups))
        return split_last(outputs, [*self.batch_shape, static_sizes(kernel)[-1]])


@dataclasses.dataclass(frozen=True, kw_only=True)
class FunctionOperator(Operator):
    """An operator from a function `(inputs [N, axes.., C_in], kernel) -> outputs`, linear in both.

    Attributes:
      function: The function.
      example_axes: Names of the axes of an example before the channels, such as `("H", "W")`, for messages.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> op = FunctionOperator(name="Scaling", function=tf.multiply)
      >>> op(tf.constant([[2.0, 3.0]]), bc.KernelBias(tf.constant([10.0, 100.0]))).numpy().tolist()
      [[20.0, 300.0]]
    """

    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    example_axes: tuple[str, ...] = ()

    @property
    def axes(self) -> list[str]:
        """Names of the axes of an example, for messages, without the channels."""
        return [*self.example_axes, *super().axes]

    def apply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Applies the function to inputs with one batch axis or more."""
        return with_one_batch_axis(inputs, self.event_ndims, lambda x: self.function(x, kernel))


def with_one_batch_axis(inputs: tf.Tensor, event_ndims: int, apply: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Applies a function of `[N, event..]` to inputs with any number of batch axes."""
    if inputs.shape.rank == event_ndims + 1:
        return apply(inputs)
    batch, event = sizes(inputs)[:-event_ndims], sizes(inputs)[-event_ndims:]
    examples, restored = at_least(tf.reshape(inputs, [-1, *event]), 1)
    outputs = restored(apply(examples))
    return tf.reshape(outputs, [*batch, *sizes(outputs)[1:]])


def _with_bias(outputs: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    # TensorFlow computes the gradient of this operation along with the kernel's; of a broadcast sum, in a pass more.
    return tf.nn.bias_add(outputs, bias) if bias.shape.rank == 1 else outputs + bias

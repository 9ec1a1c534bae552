"""The dense layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers.arguments import as_batch_shape, check_positive
from bayesconv.layers.linear import Linear
from bayesconv.layers.operator import Operator, with_one_batch_axis
from bayesconv.layers.shapes import sizes
from bayesconv.weights import Initializer, KernelBias


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffineOp(Operator):
    """`inputs @ kernel + bias` over the last axis."""

    name: str = "Affine"
    takes_batches: ClassVar[bool] = True

    def apply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Multiplies `[N.., (B..,) C_in]` with `[(B..,) C_in, C_out]`."""
        if not self.batch_ndims:
            return _multiply(inputs, kernel)
        num_batch_axes = inputs.shape.rank - 1 - self.batch_ndims
        if num_batch_axes != 1:
            return with_one_batch_axis(inputs, self.event_ndims, lambda x: self.apply(x, kernel))
        last = self.batch_ndims + 1
        rows = tf.transpose(inputs, [*range(1, last), 0, last])  # one matrix of examples for each kernel
        return tf.transpose(tf.matmul(rows, kernel), [last - 1, *range(last - 1), last])

    @property
    def hint(self) -> tuple[str, str]:
        """For messages: what else to say of the inputs' shape, and the way out."""
        return "", "bayesconv.Flatten() joins the axes of images; build the layer with the size that results."


def _multiply(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    # As one matrix: where an axis of 1 stands before the last two, oneDNN's broadcast product writes out of bounds.
    if inputs.shape.rank == 2:
        return tf.linalg.matmul(inputs, kernel)
    *outer, channels = sizes(inputs)
    return tf.reshape(tf.linalg.matmul(tf.reshape(inputs, [-1, channels]), kernel), [*outer, kernel.shape[-1]])


class Affine(Linear):
    """Dense layer, point or Bayesian by its factory.

    Args:
      input_size: Size of the last axis of the inputs, `C_in`.
      output_size: Number of outputs, `C_out`.
      init_kernel_fn: Initial kernel, or location of its posterior: `init_kernel_fn(shape, dtype)`.
      init_bias_fn: The same for the bias.
      make_kernel_bias_fn: What the weights are; see `Convolution`.
      dtype: float32 or float64.
      batch_shape: Shape of a batch of kernels, each applied to its own slice of the inputs.
      activation_fn: Function of the result.
      name: Name.
      use_bias: Whether there is a bias.

    Input shape:
      `[N, .., C_in]`; with a `batch_shape` `B`, `[N, .., B, C_in]`, where an axis of size 1 broadcasts. Axes between
      the first and the last are positions of an example, which share its weights.

    Output shape:
      `[N, .., C_out]`, or `[N, .., B, C_out]`.

    Raises:
      ValueError: If a size is not a positive int, or the factory's weights do not fit.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Affine(5, 3, make_kernel_bias_fn=bc.make_kernel_bias_local_reparameterization)
      >>> layer(tf.ones([4, 5])).shape
      TensorShape([4, 3])
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
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
        check_positive(input_size=input_size, output_size=output_size)
        batch_shape = as_batch_shape(batch_shape)
        super().__init__(
            AffineOp(batch_shape=batch_shape),
            KernelBias((*batch_shape, input_size, output_size), (*batch_shape, output_size) if use_bias else None),
            fan_in=input_size,
            input_size=input_size,
            init_fns=KernelBias(init_kernel_fn, init_bias_fn),
            make_kernel_bias_fn=make_kernel_bias_fn,
            dtype=dtype,
            activation_fn=activation_fn,
            name=name,
        )

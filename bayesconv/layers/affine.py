"""The dense layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers.arguments import as_batch_shape
from bayesconv.layers.linear import Linear
from bayesconv.weights import Initializer, KernelBias


@dataclasses.dataclass(frozen=True)
class AffineOp:
    """`inputs @ kernel + bias` over the last axis."""

    batch_ndims: int = 0
    name: str = "Affine"
    shares_weights: bool = False

    def __call__(self, inputs: tf.Tensor, weights: KernelBias) -> tf.Tensor:
        """Applies it to inputs `[N, .., (B..,) C_in]`."""
        if self.batch_ndims:
            rows = tf.expand_dims(inputs, axis=-2)
            outputs = tf.squeeze(tf.matmul(rows, weights.kernel), axis=-2)
        else:
            outputs = tf.linalg.matmul(inputs, weights.kernel)
        return outputs if weights.bias is None else outputs + weights.bias

    def check_inputs(self, name: str, inputs: tf.Tensor, input_size: int) -> None:
        """Raises a ValueError if a layer cannot take inputs of this shape."""
        rank = 2 + self.batch_ndims
        if inputs.shape.rank is None or inputs.shape.rank < rank or inputs.shape[-1] not in (input_size, None):
            axes = ["N", "..", *["B"] * self.batch_ndims, str(input_size)]
            raise ValueError(
                f"`{name}` takes inputs of shape [{', '.join(axes)}]. Received shape {inputs.shape}. "
                "bayesconv.Flatten() joins the axes of images; build the layer with the size that results."
            )


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
      `[N, .., C_in]`; with a `batch_shape` `B`, `[N, .., B, C_in]`, where an axis of size 1 broadcasts.

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
        if not all(isinstance(size, int) and size > 0 for size in (input_size, output_size)):
            raise ValueError(
                "`input_size` and `output_size` must be positive ints. "
                f"Received input_size={input_size!r}, output_size={output_size!r}."
            )
        batch_shape = as_batch_shape(batch_shape)
        super().__init__(
            AffineOp(len(batch_shape)),
            KernelBias((*batch_shape, input_size, output_size), (*batch_shape, output_size) if use_bias else None),
            fan_in=input_size,
            input_size=input_size,
            init_fns=KernelBias(init_kernel_fn, init_bias_fn),
            make_kernel_bias_fn=make_kernel_bias_fn,
            dtype=dtype,
            activation_fn=activation_fn,
            name=name,
        )

"""Transposed convolution, which enlarges, in one, two and three dimensions."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.kernel_bias import make_kernel_bias
from bayesconv.layers import native
from bayesconv.layers.arguments import as_batch_shape, check_rank, per_axis
from bayesconv.layers.convolution import check_groups
from bayesconv.layers.linear import Linear
from bayesconv.layers.operator import SpatialOperator
from bayesconv.layers.padding import MIRRORS, Padding, as_padding
from bayesconv.layers.shapes import at_least_zero, sizes
from bayesconv.weights import Initializer, KernelBias


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionTransposeOp(SpatialOperator):
    """The transpose of a convolution over the spatial axes, plus a bias, channels last.

    Attributes:
      output_padding: Positions added after each axis of the shortest output; None for `n s` positions, or as many as
        the filters reach.
    """

    name: str = "ConvolutionTranspose"
    output_padding: tuple[int, ...] | None = None

    def apply_to_images(self, inputs: tf.Tensor, kernel: tf.Tensor, groups: int) -> tf.Tensor:
        """Applies a kernel `[filter.., C_in / groups, C_out]` to `[N, spatial.., C_in]`."""
        convolve = functools.partial(native.convolve_transpose, inputs, kernel, self.strides, self.dilations, groups)
        starts = [(n - 1) * stride for n, stride in zip(sizes(inputs)[1:-1], self.strides, strict=True)]
        if self.padding.mode == "SAME" and self.output_padding is None and native.takes_same(self.rank, kernel.dtype):
            return convolve([start + stride for start, stride in zip(starts, self.strides, strict=True)], "SAME")
        crops = self.padding.crops(self.reaches, self.strides, self.output_padding)
        ends = [s + r - min(after, 0) for s, r, (_, after) in zip(starts, self.reaches, crops, strict=True)]
        lengths = [at_least_zero(e - before - max(after, 0)) for e, (before, after) in zip(ends, crops, strict=True)]
        return _kept(convolve(ends), [before for before, _ in crops], lengths, is_all=all(max(c) <= 0 for c in crops))

    def check_inputs(self, name: str, inputs: tf.Tensor, input_size: int) -> None:
        """Raises a ValueError if a layer of that name cannot take inputs of this shape."""
        super().check_inputs(name, inputs, input_size)
        last = inputs.shape.rank - 1 - self.batch_ndims
        crops = self.padding.crops(self.reaches, self.strides, self.output_padding)
        axes = zip(inputs.shape[last - self.rank : last], self.strides, self.reaches, crops, strict=True)
        for size, stride, reach, crop in axes:
            if size and (size - 1) * stride + reach <= sum(crop):
                raise ValueError(
                    f"`{name}` reaches {(size - 1) * stride + reach} positions from an axis of {size}, and its padding "
                    f"cuts off {sum(crop)} of them, so that none is left. Received inputs of shape {inputs.shape}: use "
                    "less padding or larger inputs."
                )


def _kept(outputs: tf.Tensor, befores: list[int], lengths: list[Any], *, is_all: bool) -> tf.Tensor:
    # Not outputs[..], since the gradient of a strided slice costs more than the convolution.
    return outputs if is_all else tf.slice(outputs, [0, *befores, 0], [-1, *lengths, -1])


class ConvolutionTranspose(Linear):
    """Transposed convolution over one, two or three spatial axes, channels last: every input spreads out its filter.

    Args:
      input_size: Number of input channels `C_in`.
      output_size: Number of output channels `C_out`.
      filter_shape: Size of the filters, an int or one per spatial axis.
      rank: Number of spatial axes: 1, 2 or 3.
      strides: How far apart the filters of neighbouring inputs lie; int or one per axis.
      padding: Of the convolution that this one transposes: `"VALID"`, `"SAME"` or `"FULL"`, in any case, or pairs of
        numbers of positions cut off before and after, one for each axis; or `"CAUSAL"` (rank 1), which cuts off the
        end, so that no output depends on a later input.
      dilations: Int or one per axis.
      output_padding: Positions, fewer than the stride, added after each axis, as Keras counts them: on top of
        `(n - 1) s + r` less what the padding cuts off, which for SAME is `2 (r // 2)`. None is `n s` positions for SAME
        and CAUSAL, and every position that a filter or a stride covers otherwise.
      init_kernel_fn: Initial kernel, or location of its posterior: `init_kernel_fn(shape, dtype)`.
      init_bias_fn: The same for the bias.
      make_kernel_bias_fn: What the weights are; see `Convolution`.
      dtype: float32 or float64.
      batch_shape: Shape of a batch of kernels, each applied to its own slice of the inputs.
      activation_fn: Function of the result, such as `tf.nn.relu`.
      name: Name.
      groups: Number of groups of channels that do not meet; divides both sizes.
      use_bias: Whether there is a bias.

    Input shape:
      `[N, spatial.., C_in]`; with a `batch_shape` `B`, `[N, spatial.., B, C_in]`, where an axis of size 1 broadcasts.

    Output shape:
      `[N, spatial.., C_out]`, or `[N, spatial.., B, C_out]`. With filters that reach over `r` positions, an axis of `n`
      has `(n - 1) s + max(r, s)` for VALID and `n s` for SAME.

    Raises:
      ValueError: If an argument is out of range, or the factory's weights do not fit.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.ConvolutionTranspose(8, 4, 3, strides=2, padding="SAME")
      >>> layer(tf.ones([2, 7, 7, 8])).shape
      TensorShape([2, 14, 14, 4])

    References:
      Dumoulin and Visin, A Guide to Convolution Arithmetic for Deep Learning, 2016. arXiv:1603.07285
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
        output_padding: int | Sequence[int] | None = None,
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
        filter_shape, batch_shape = per_axis("filter_shape", filter_shape, rank), as_batch_shape(batch_shape)
        strides = per_axis("strides", strides, rank)
        op = ConvolutionTransposeOp(
            batch_shape=batch_shape,
            filter_shape=filter_shape,
            strides=strides,
            dilations=per_axis("dilations", dilations, rank),
            padding=_as_transposable(padding, rank),
            groups=groups,
            output_padding=_as_output_padding(output_padding, strides),
        )
        taps, inputs_per_group = math.prod(filter_shape), input_size // groups
        super().__init__(
            op,
            KernelBias(
                (*batch_shape, *filter_shape, inputs_per_group, output_size),
                (*batch_shape, output_size) if use_bias else None,
            ),
            fan_in=max(taps * inputs_per_group // math.prod(strides), 1),  # one tap in `strides` meets an output
            input_size=input_size,
            init_fns=KernelBias(init_kernel_fn, init_bias_fn),
            make_kernel_bias_fn=make_kernel_bias_fn,
            dtype=dtype,
            activation_fn=activation_fn,
            name=name,
        )


def _as_transposable(padding: Any, rank: int) -> Padding:
    parsed = as_padding(padding, rank)
    if parsed.mode in MIRRORS:
        raise ValueError(
            f"A transposed convolution has no {parsed.mode} padding: what it would mirror is its output. Use 'SAME', "
            "or an Upsample and a Convolution with that padding."
        )
    return parsed


def _as_output_padding(value: int | Sequence[int] | None, strides: tuple[int, ...]) -> tuple[int, ...] | None:
    if value is None:
        return None
    values = tuple(value) if isinstance(value, Iterable) else (value,) * len(strides)
    is_valid = len(values) == len(strides) and all(isinstance(v, numbers.Integral) for v in values)
    if not (is_valid and all(0 <= int(v) < s for v, s in zip(values, strides, strict=True))):
        raise ValueError(
            "`output_padding` is a number of positions smaller than the stride, or one for each axis. "
            f"Received output_padding={value!r}, strides={strides}."
        )
    return tuple(int(v) for v in values)

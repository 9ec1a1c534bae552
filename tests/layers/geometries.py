"""Settings of the operators over spatial axes, drawn by hypothesis, and the oracle of each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import reference
import tensorflow as tf
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import bayesconv as bc

MODES = ("VALID", "SAME", "CAUSAL", "FULL", "REFLECT", "SYMMETRIC", "EXPLICIT")
TRANSPOSABLE = ("VALID", "SAME", "CAUSAL", "FULL", "EXPLICIT")


class Geometry(NamedTuple):
    """A layer and its inputs.

    Attributes:
      layer_type: Its class.
      sizes: Its first arguments, up to the shape of the filters.
      options: Its other arguments.
      input_shape: Leading axes and all.
    """

    layer_type: type
    sizes: tuple[Any, ...]
    options: dict[str, Any]
    input_shape: tuple[int, ...]

    def make(self, dtype: Any = tf.float64, factory: Any = bc.make_kernel_bias, **options: Any) -> Any:
        """The layer, with weights away from zero if they are points."""
        layer = self.layer_type(*self.sizes, **self.options, dtype=dtype, make_kernel_bias_fn=factory, **options)
        rng = np.random.default_rng(1)
        if factory is bc.make_kernel_bias:
            for variable in layer.variables:
                variable.assign(rng.normal(size=variable.shape))
        return layer

    def inputs(self, num: int | None = None) -> np.ndarray:
        """Fixed inputs, with another first axis if asked."""
        shape = self.input_shape if num is None else (num, *self.input_shape[1:])
        return np.random.default_rng(0).normal(size=shape)

    def expected(self, x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | float = 0.0) -> np.ndarray:
        """What the definition gives, without the package."""
        batch_shape = self.options.get("batch_shape", ())
        return reference.each_kernel(self._apply, x, kernel, len(batch_shape)) + bias

    @property
    def _apply(self) -> Callable[..., np.ndarray]:
        names = ("strides", "padding", "dilations", "groups", "output_padding")
        options = {name: self.options[name] for name in names if name in self.options}
        apply = {
            bc.Convolution: reference.convolution,
            bc.ConvolutionTranspose: reference.transposed_convolution,
            bc.DepthwiseConvolution: reference.depthwise_convolution,
        }[self.layer_type]
        return functools.partial(apply, **options)


def searched(num: int, phases: tuple[Phase, ...] = tuple(Phase)) -> settings:
    """How hypothesis looks through geometries: the same `num` of them every time, however long it takes."""
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(
        deadline=None, derandomize=True, database=None, max_examples=num, phases=phases, suppress_health_check=slow
    )


@st.composite
def geometries(draw: Any, kind: str, modes: tuple[str, ...] | None = None) -> Geometry:
    """Any admissible setting of `Convolution`, `ConvolutionTranspose` or `DepthwiseConvolution`."""
    rank = draw(st.integers(1, 3), label="rank")
    largest = {1: 4, 2: 4, 3: 3}[rank]
    strides, dilations = (tuple(draw(st.integers(1, 3)) for _ in range(rank)) for _ in range(2))
    filters = tuple(draw(st.integers(1, largest)) for _ in range(rank))
    reaches = [(size - 1) * d + 1 for size, d in zip(filters, dilations, strict=True)]
    modes = modes or (TRANSPOSABLE if kind == "ConvolutionTranspose" else MODES)
    mode = draw(st.sampled_from([mode for mode in modes if rank == 1 or mode != "CAUSAL"]), label="mode")
    pairs = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(rank))
    padding = pairs if mode == "EXPLICIT" else mode
    per_axis = padding if mode == "EXPLICIT" else (mode,) * rank
    options = {"rank": rank, "strides": strides, "dilations": dilations, "padding": padding}
    if kind == "ConvolutionTranspose" and draw(st.booleans()):
        options["output_padding"] = tuple(draw(st.integers(0, s - 1)) for s in strides)
    takes = _takes_transposed if kind == "ConvolutionTranspose" else _takes
    extras = options.get("output_padding", (None,) * rank)
    space = tuple(
        draw(st.sampled_from([n for n in range(1, 16) if takes(n, *axis)][:4]))
        for axis in zip(reaches, strides, per_axis, extras, strict=True)
    )
    return _with_channels(draw, kind, filters, options, space)


def _with_channels(draw: Any, kind: str, filters: Any, options: dict[str, Any], space: tuple[int, ...]) -> Geometry:
    batch_shape = draw(st.sampled_from([(), (), (2,), (2, 3)]), label="batch_shape")
    options |= {"batch_shape": batch_shape, "use_bias": draw(st.booleans())}
    inner = tuple(draw(st.sampled_from([1, size])) for size in batch_shape)
    leading = draw(st.sampled_from([(2,), (2,), (), (2, 1), (1, 2)]), label="leading")
    if kind == "DepthwiseConvolution":
        channels = draw(st.integers(1, 3))
        sizes = (channels, filters, draw(st.integers(1, 2)))
    else:
        groups = options["groups"] = draw(st.sampled_from([1, 1, 2, 3]), label="groups")
        channels = groups * draw(st.integers(1, 2))
        sizes = (channels, groups * draw(st.integers(1, 2)), filters)
    return Geometry(getattr(bc, kind), sizes, options, (*leading, *space, *inner, channels))


def _takes(size: int, reach: int, stride: int, padding: Any, _: Any) -> bool:
    amounts = reference.border(size, reach, stride, padding)
    most = {"REFLECT": size - 1, "SYMMETRIC": size}.get(padding, math.inf) if isinstance(padding, str) else math.inf
    return max(amounts) <= most and size + sum(amounts) >= reach


def _takes_transposed(*axis: Any) -> bool:
    return reference.transposed_length(*axis)[1] >= 1

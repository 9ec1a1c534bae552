"""Normalizations by means and variances of each example: the same in training and at prediction. Channels are last."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import random
from bayesconv.layers.arguments import check_positive, check_rank
from bayesconv.layers.base import Layer
from bayesconv.layers.pooling import check_axes
from bayesconv.layers.shapes import sizes
from bayesconv.rows import along_rows
from bayesconv.tracing import as_one_operation


class Normalization(Layer):
    """Base: `scale * normalized(x) + offset` with a point scale and offset per channel.

    Half precision is normalized in float32 and given back in its own type.

    Args:
      size: Number of channels, the last axis.
      epsilon: What is added to a variance or a mean square, so that none is zero.
      use_scale: Whether there is a scale, at first 1.
      use_offset: Whether there is an offset, at first 0.
      dtype: float32 or float64.
      name: Name.

    Raises:
      ValueError: If an argument is out of range.
    """

    def __init__(
        self, size: int, *, epsilon: float, use_scale: bool, use_offset: bool, dtype: Any, name: str | None
    ) -> None:
        check_positive(size=size)
        if not epsilon > 0:
            raise ValueError(f"`epsilon` keeps variances from being zero, so it is positive. Received {epsilon!r}.")
        if tf.as_dtype(dtype) not in (tf.float32, tf.float64):
            raise ValueError(f"`dtype` is float32 or float64. Received {tf.as_dtype(dtype).name}.")
        super().__init__(name=name)
        self._size, self._epsilon, self._dtype = size, float(epsilon), tf.as_dtype(dtype)
        self._scale = self._variable(1.0, "scale") if use_scale else None
        self._offset = self._variable(0.0, "offset") if use_offset else None

    def _variable(self, value: float, name: str, **options: Any) -> tf.Variable:
        return tf.Variable(tf.fill([self._size], tf.cast(value, self._dtype)), name=name, **options)

    @property
    def scale(self) -> tf.Variable | None:
        """The scale of each channel."""
        return self._scale

    @property
    def offset(self) -> tf.Variable | None:
        """The offset of each channel."""
        return self._offset

    @property
    def epsilon(self) -> float:
        """What is added to a variance or a mean square."""
        return self._epsilon

    @property
    def dtype(self) -> tf.DType:
        """Type of the variables."""
        return self._dtype

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Normalizes, scales and shifts."""
        inputs = self._checked(inputs)
        outputs = tf.cast(inputs, self._dtype)
        mean, factor = self._statistics(outputs)
        parts = {"mean": mean, "factor": factor, "scale": self._scale, "offset": self._offset, "least": self._least()}
        known = {name: tf.convert_to_tensor(part) for name, part in parts.items() if part is not None}
        outputs = _standardized(tuple(known), self._has_few_factors)(outputs, *known.values())
        return tf.cast(outputs, inputs.dtype)

    _has_few_factors = False  # where there is one for each example and channel, it takes the scale along

    def _least(self) -> tf.Variable | None:
        """The smallest output of each channel, if there is one."""
        return None

    def _statistics(self, inputs: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
        """What is taken away, if anything is, and what the rest is multiplied with; both broadcast to the inputs."""
        raise TypeError(f"{type(self).__name__} must override _statistics(inputs).")

    def _standardizing(self, mean: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.convert_to_tensor(mean), tf.math.rsqrt(variance + self._epsilon)

    def _checked(self, inputs: Any) -> tf.Tensor:
        if not tf.is_tensor(inputs):
            inputs = tf.cast(tf.convert_to_tensor(np.asarray(inputs), dtype_hint=self._dtype), self._dtype)
        narrow = (tf.bfloat16, tf.float16) if self._dtype == tf.float32 else ()
        if inputs.dtype not in (self._dtype, *narrow):
            raise TypeError(
                f"`{self.name}` computes in {self._dtype.name}. Received inputs of {inputs.dtype.name}: cast them, or "
                f"build the layer with dtype=tf.{inputs.dtype.name}."
            )
        if inputs.shape.rank is None or inputs.shape.rank < 2 or inputs.shape[-1] not in (self._size, None):
            raise ValueError(
                f"`{self.name}` takes inputs of shape [N, .., {self._size}], channels last. Received shape "
                f"{inputs.shape}."
            )
        return inputs


@functools.cache
def _standardized(names: tuple[str, ...], has_few_factors: bool) -> Callable[..., tf.Tensor]:
    """Inputs less a mean, times a factor and a scale, plus an offset, not below the least: what of these is named."""

    def of(outputs: tf.Tensor, *parts: tf.Tensor) -> tf.Tensor:
        given = dict(zip(names, parts, strict=True))
        factors = [given["factor"], *([given["scale"]] if "scale" in given else [])]
        if "mean" in given:
            outputs = outputs - along_rows(given["mean"], outputs)
        for factor in [functools.reduce(operator.mul, factors)] if has_few_factors else factors:
            outputs = outputs * along_rows(factor, outputs)
        if "offset" in given:
            outputs = outputs + along_rows(given["offset"], outputs)
        return tf.maximum(outputs, given["least"]) if "least" in given else outputs

    return as_one_operation(of)


class LayerNorm(Normalization):
    """Each position by the mean and the variance of its channels. For those of all positions use `GroupNorm(1, size)`.

    Args:
      size: Number of channels `C`.
      epsilon: Added to variances.
      use_scale: Whether there is a scale per channel, at first 1.
      use_offset: Whether there is an offset per channel, at first 0.
      dtype: float32 or float64.
      name: Name.

    Input shape:
      `[N.., C]`.

    Output shape:
      That of the inputs.

    Raises:
      ValueError: If an argument is out of range, or the inputs have other channels.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.LayerNorm(2, epsilon=1e-12)(tf.constant([[1.0, 3.0]])).numpy().tolist()
      [[-1.0, 1.0]]

    References:
      Ba et al., Layer Normalization, 2016. arXiv:1607.06450
    """

    def __init__(
        self,
        size: int,
        *,
        epsilon: float = 1e-3,
        use_scale: bool = True,
        use_offset: bool = True,
        dtype: Any = tf.float32,
        name: str | None = None,
    ) -> None:
        super().__init__(size, epsilon=epsilon, use_scale=use_scale, use_offset=use_offset, dtype=dtype, name=name)

    def _statistics(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._standardizing(*tf.nn.moments(inputs, [-1], keepdims=True))


class GroupNorm(Normalization):
    """Each example by the mean and the variance of a group of channels, over all positions.

    Args:
      groups: Number of groups; divides `size`.
      size: Number of channels `C`.
      rank: Number of spatial axes: 1, 2 or 3.
      epsilon: Added to variances.
      use_scale: Whether there is a scale per channel, at first 1.
      use_offset: Whether there is an offset per channel, at first 0.
      dtype: float32 or float64.
      name: Name.

    Input shape:
      `[N.., spatial.., C]`, with one batch axis or more.

    Output shape:
      That of the inputs.

    Raises:
      ValueError: If an argument is out of range, or the inputs do not fit.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.GroupNorm(2, 4, rank=1, epsilon=1e-12)
      >>> layer(tf.constant([[[1.0, 3.0, 10.0, 30.0]]])).numpy().tolist()
      [[[-1.0, 1.0, -1.0, 1.0]]]

    References:
      Wu and He, Group Normalization, ECCV 2018. arXiv:1803.08494
    """

    def __init__(
        self,
        groups: int,
        size: int,
        rank: int = 2,
        *,
        epsilon: float = 1e-3,
        use_scale: bool = True,
        use_offset: bool = True,
        dtype: Any = tf.float32,
        name: str | None = None,
    ) -> None:
        check_rank(rank)
        check_positive(groups=groups, size=size)
        if size % groups:
            raise ValueError(f"`groups` must divide `size`. Received groups={groups}, size={size}.")
        super().__init__(size, epsilon=epsilon, use_scale=use_scale, use_offset=use_offset, dtype=dtype, name=name)
        self._groups, self._rank = groups, rank

    @property
    def groups(self) -> int:
        """Number of groups of channels."""
        return self._groups

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return self._rank

    _has_few_factors = True

    def _statistics(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        check_axes(self.name, inputs, self._rank)
        members = self._size // self._groups
        grouped = tf.reshape(inputs, [*sizes(inputs)[:-1], self._groups, members])
        axes = [*range(-self._rank - 2, -2), -1]
        moments = [tf.squeeze(of_group, -1) for of_group in tf.nn.moments(grouped, axes, keepdims=True)]
        return self._standardizing(*(tf.repeat(of_group, members, axis=-1) for of_group in moments))


class InstanceNorm(GroupNorm):
    """Each channel of each example by its mean and its variance over all positions: a `GroupNorm` of single channels.

    The arguments are those of `GroupNorm` without `groups`.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.InstanceNorm(1, rank=1, epsilon=1e-12)
      >>> layer(tf.constant([[[1.0], [3.0]]])).numpy().ravel().tolist()
      [-1.0, 1.0]

    References:
      Ulyanov et al., Instance Normalization, 2016. arXiv:1607.08022
    """

    def __init__(
        self,
        size: int,
        rank: int = 2,
        *,
        epsilon: float = 1e-3,
        use_scale: bool = True,
        use_offset: bool = True,
        dtype: Any = tf.float32,
        name: str | None = None,
    ) -> None:
        super().__init__(
            size, size, rank, epsilon=epsilon, use_scale=use_scale, use_offset=use_offset, dtype=dtype, name=name
        )

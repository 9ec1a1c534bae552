"""Weights without noise, and the prior that asks nothing of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv.distributions.joint import Joint


class PointMass(Joint):
    """A weight that is known: `w = loc`. It has no density, and no finite divergence from one that has."""

    def __init__(self, loc: Any, name: str = "PointMass") -> None:
        super().__init__(loc.shape, 0, loc.dtype, name, {"loc": loc})
        self.loc = loc

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        return tf.broadcast_to(self.rows_of(self.loc), [n, self.num_kernels, self.size])

    def _mean(self) -> tf.Tensor:
        return tf.identity(self.loc)

    def _variance(self) -> tf.Tensor:
        return tf.zeros_like(self.loc)


class Flat(Joint):
    """No preference: the improper prior of a weight whose distribution has nothing to learn but its place.

    The divergence of a point mass from it, or of fixed multiplicative noise, is a constant, which is left out.

    Args:
      shape: Shape of the weight.
      dtype: Floating-point type.
      name: Name of the family.
    """

    def __init__(self, shape: Sequence[int], dtype: tf.DType, name: str = "Flat") -> None:
        super().__init__(shape, 0, dtype, name, {"shape": shape})

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        raise NotImplementedError("A flat prior is improper: nothing can be drawn from it.")

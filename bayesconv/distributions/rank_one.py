"""Kernels that are known but for a factor of every row and column of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from bayesconv import random
from bayesconv.distributions.joint import Joint
from bayesconv.distributions.mixture_of_means import one_of


class Factor(NamedTuple):
    """Independent normals that multiply the channels of one axis, in each of K components.

    Attributes:
      loc: `[K, *batch_shape, C]`.
      scale: The same shape, positive.
    """

    loc: Any
    scale: Any

    def draw(self, chosen: tf.Tensor, seed: Any) -> tf.Tensor:
        """`[n, B, C]`: a draw from the components that `chosen`, `[n, B, K]`, picks."""
        loc, scale = (self._flat(part) for part in self)
        at = [tf.einsum("nbk,kbc->nbc", chosen, part) for part in (loc, scale)]
        return at[0] + at[1] * random.normal(tf.shape(at[0]), seed, loc.dtype)

    def moments(self) -> tuple[tf.Tensor, tf.Tensor]:
        """`E f` and `E f^2` in every component, `[K, B, C]` each."""
        loc, scale = (self._flat(part) for part in self)
        return loc, tf.square(loc) + tf.square(scale)

    @staticmethod
    def _flat(part: Any) -> tf.Tensor:
        part = tf.convert_to_tensor(part)
        return tf.reshape(part, [part.shape[0], -1, part.shape[-1]])


class RankOneKernel(Joint):
    """`w = loc o (r s^T)`: a kernel times a random factor of every input channel and of every output channel.

    The axes of a kernel are its taps, input channels and output channels. All its randomness is in `C_in + C_out`
    numbers, so it has no density in the space of weights. With K components `(r, s)` is a mixture of equal parts.

    Args:
      loc: The kernel that is multiplied.
      inputs: Distribution of `r`.
      outputs: Distribution of `s`.
      batch_ndims: How many leading dimensions of the shape count independent kernels.
      name: Name of the family.

    References:
      Dusenberry et al., Efficient and Scalable Bayesian Neural Nets with Rank-1 Factors, ICML 2020. arXiv:2005.07186
    """

    def __init__(
        self, loc: Any, inputs: Factor, outputs: Factor, batch_ndims: int = 0, name: str = "RankOneKernel"
    ) -> None:
        super().__init__(loc.shape, batch_ndims, loc.dtype, name, {"loc": loc, "inputs": inputs, "outputs": outputs})
        self.loc, self.inputs, self.outputs = loc, inputs, outputs

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        seed_component, seed_inputs, seed_outputs = random.split(seed, 3)
        chosen = one_of(self.inputs.loc.shape[0], [n, self.num_kernels], seed_component, self.dtype)
        r, s = self.inputs.draw(chosen, seed_inputs), self.outputs.draw(chosen, seed_outputs)
        return self.rows_of(self.loc) * at_every_tap(tf.einsum("nbi,nbo->nbio", r, s), self.size)

    def _mean(self) -> tf.Tensor:
        return self.loc * self._mean_of_product(0)

    def _variance(self) -> tf.Tensor:
        return tf.square(self.loc) * (self._mean_of_product(1) - tf.square(self._mean_of_product(0)))

    def _mean_of_product(self, moment: int) -> tf.Tensor:
        r, s = self.inputs.moments()[moment], self.outputs.moments()[moment]
        product = tf.einsum("kbi,kbo->bio", r, s) / r.shape[0]
        return self.weights_of(at_every_tap(product[tf.newaxis], self.size)[0])


def at_every_tap(product: tf.Tensor, size: int) -> tf.Tensor:
    """`[n, B, C_in, C_out]` to `[n, B, D]`, the elements of kernels that are the same at every tap."""
    sizes: Any = product.shape.as_list()
    _, num_kernels, *channels = sizes
    num_taps = size // (channels[0] * channels[1])
    everywhere = tf.tile(product[:, :, tf.newaxis], [1, 1, num_taps, 1, 1])
    return tf.reshape(everywhere, [-1, num_kernels, size])


class RankOneFactors(Joint):
    """Prior of the factors of a `RankOneKernel`: `r` and `s` are `N(loc, scale^2)`; the kernel they multiply is free.

    Args:
      shape: Shape of the kernel.
      dtype: Floating-point type.
      loc: Mean of every factor.
      scale: Standard deviation of every factor.
      name: Name of the family.
    """

    def __init__(
        self, shape: Sequence[int], dtype: tf.DType, loc: Any, scale: Any, name: str = "RankOneFactors"
    ) -> None:
        super().__init__(shape, 0, dtype, name, {"loc": loc, "scale": scale})
        self.loc, self.scale = loc, scale

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        raise NotImplementedError("A prior of rank-1 factors says nothing of the kernel that they multiply.")

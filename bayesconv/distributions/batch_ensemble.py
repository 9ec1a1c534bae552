"""Kernels that are one of a few, which share all but a factor of every channel."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv.distributions.joint import Joint
from bayesconv.distributions.mixture_of_means import one_of
from bayesconv.distributions.rank_one import at_every_tap


class BatchEnsembleKernel(Joint):
    """`w = loc o (r_k s_k^T)` with k uniform over K members: a kernel times factors of its input and output channels.

    The axes of a kernel are its taps, input channels and output channels. It has no density. A draw moves with the
    parameters of the member that it picked, and the probabilities are fixed, so it counts as reparameterized.

    Args:
      loc: The kernel that all members share.
      inputs: `[K, *batch_shape, C_in]`, the factors r.
      outputs: `[K, *batch_shape, C_out]`, the factors s.
      batch_ndims: How many leading dimensions of the shape count independent kernels; each picks a member.
      name: Name of the family.

    References:
      Wen et al., BatchEnsemble, ICLR 2020. arXiv:2002.06715
    """

    def __init__(
        self, loc: Any, inputs: Any, outputs: Any, batch_ndims: int = 0, name: str = "BatchEnsembleKernel"
    ) -> None:
        super().__init__(loc.shape, batch_ndims, loc.dtype, name, {"loc": loc, "inputs": inputs, "outputs": outputs})
        self.loc, self.inputs, self.outputs = loc, inputs, outputs

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        chosen = one_of(self.inputs.shape[0], [n, self.num_kernels], seed, self.dtype)
        r, s = (tf.einsum("nbk,kbc->nbc", chosen, factors) for factors in self._factors())
        return self.rows_of(self.loc) * at_every_tap(tf.einsum("nbi,nbo->nbio", r, s), self.size)

    def _mean(self) -> tf.Tensor:
        return self.weights_of(tf.reduce_mean(self._members(), axis=0))

    def _variance(self) -> tf.Tensor:
        return self.weights_of(tf.math.reduce_variance(self._members(), axis=0))

    def _members(self) -> tf.Tensor:
        """All kernels, `[K, B, D]`."""
        product = tf.einsum("kbi,kbo->kbio", *self._factors())
        return self.rows_of(self.loc) * at_every_tap(product, self.size)

    def _factors(self) -> list[tf.Tensor]:
        parts: Any = (self.inputs, self.outputs)
        return [tf.reshape(part, [part.shape[0], -1, part.shape[-1]]) for part in parts]

"""Dropout of numbers and of channels, in training and as Monte Carlo dropout."""

from __future__ import annotations

import numbers
from typing import Any

import tensorflow as tf

from bayesconv import calls, random
from bayesconv.layers.base import Layer
from bayesconv.layers.shapes import check_floating, sizes
from bayesconv.weights import KernelBias


class Dropout(Layer):
    """Sets numbers to zero at random and scales the others by `1 / (1 - rate)`, so that means stay.

    Active in training, and with `mc` at prediction too, where every draw of masks is then a draw of a function; never
    with `weights="mean"`. Every example has a mask of its own, but for `weights="coherent"`, as in `predict`: one mask
    for all examples. A layer used twice in a call has two masks.

    Args:
      rate: Probability of a zero, in [0, 1).
      mc: Whether to drop at prediction too.
      name: Name.

    Input shape:
      `[N, ..]`.

    Output shape:
      That of the inputs.

    Raises:
      ValueError: If the rate is out of range.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Sequential([bc.Affine(4, 8), bc.Dropout(0.5, mc=True), bc.Affine(8, 3)])
      >>> bc.predict(model, np.ones([2, 4], np.float32), num_samples=8).logits.shape
      (8, 2, 3)

    References:
      Srivastava et al., Dropout, JMLR 2014.
      Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016. arXiv:1506.02142
    """

    def __init__(self, rate: float, *, mc: bool = False, name: str | None = None) -> None:
        if not (isinstance(rate, numbers.Real) and 0 <= rate < 1):
            raise ValueError(f"`rate` is the probability of a zero, 0 <= rate < 1. Received {rate!r}.")
        super().__init__(name=name)
        self._rate: float = float(rate)
        self._mc: bool = mc

    @property
    def rate(self) -> float:
        """The probability of a zero."""
        return self._rate

    @property
    def mc(self) -> bool:
        """Whether it drops at prediction too."""
        return self._mc

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Applies a mask as the call in progress says."""
        inputs, call = tf.convert_to_tensor(inputs), calls.current()
        if self._rate == 0 or call.weights == "mean" or not (is_training or self._mc):
            return inputs
        check_floating(self.name, inputs)
        kept = self._kept(inputs, call)
        return tf.where(kept, inputs * (1.0 / (1.0 - self._rate)), tf.zeros([], inputs.dtype))

    def _kept(self, inputs: tf.Tensor, call: calls.Call) -> tf.Tensor:
        num, *shape = self._mask_shape(sizes(inputs))
        if call.weights != "coherent":
            return self._mask([num, *shape], call.use_seed(self))
        return call.draw_for_use(self, lambda seed: KernelBias(self._mask([1, *shape], seed))).kernel

    def _mask(self, shape: list[Any], seed: tf.Tensor) -> tf.Tensor:
        return random.uniform(shape, seed) < 1.0 - 2.0 * self._rate  # uniform in (-1, 1)

    def _mask_shape(self, shape: list[Any]) -> list[Any]:
        return shape


class ChannelDropout(Dropout):
    """Dropout of whole channels, at all positions of an example; also called spatial dropout.

    Neighbouring positions of a feature map say much the same, so that dropping them one by one removes little.
    The arguments are those of `Dropout`.

    Input shape:
      `[N, .., C]`.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> y = bc.ChannelDropout(0.5)(tf.ones([2, 4, 4, 3]), seed=0)
      >>> bool(tf.reduce_all(y == y[:, :1, :1]))
      True

    References:
      Tompson et al., Efficient Object Localization Using Convolutional Networks, CVPR 2015. arXiv:1411.4280
    """

    def _mask_shape(self, shape: list[Any]) -> list[Any]:
        return [shape[0], *[1] * (len(shape) - 2), *shape[1:][-1:]]

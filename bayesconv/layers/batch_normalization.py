"""Batch normalization, and what its moments mean when weights are drawn."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import tensorflow as tf

from bayesconv import calls
from bayesconv.layers.normalization import Normalization
from bayesconv.registry import unknown_name_message
from bayesconv.weights import KernelBias

POLICIES = ("frozen", "recalibrated")


class BatchNorm(Normalization):
    """Each channel by its mean and its variance over all examples and positions.

    With `is_training` these are the moments of the batch, and every use adds them to moving averages:
    `moving = momentum * moving + (1 - momentum) * batch`. Moments that are not finite, such as those of an empty batch,
    are left out. Under weights that are drawn the moving moments average over all draws seen in training, and no
    single draw at prediction has just these. The policy says what prediction uses:

    ```
    frozen        the moving moments, for every draw
    recalibrated  in `predict` each draw's own: those of a batch, `predict(.., calibration=x)`, that passes through the
                  net with the draw's weights. Elsewhere, without `is_training`, the moving moments.
    ```

    Args:
      size: Number of channels `C`.
      momentum: Share of the old in the moving moments, in [0, 1).
      epsilon: Added to variances.
      policy: `"frozen"` or `"recalibrated"`.
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
      >>> import bayesconv as bc, numpy as np
      >>> convolution = bc.Convolution(1, 2, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> model = bc.Sequential([convolution, bc.BatchNorm(2, policy="recalibrated"), bc.Flatten()])
      >>> x = np.random.default_rng(0).normal(size=[16, 4, 4, 1]).astype(np.float32)
      >>> bc.predict(model, x[:3], num_samples=4, calibration=x).logits.shape
      (4, 3, 8)

    References:
      Ioffe and Szegedy, Batch Normalization, ICML 2015. arXiv:1502.03167
      Maddox et al., A Simple Baseline for Bayesian Uncertainty in Deep Learning, NeurIPS 2019. arXiv:1902.02476
    """

    def __init__(
        self,
        size: int,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        policy: str = "frozen",
        *,
        use_scale: bool = True,
        use_offset: bool = True,
        dtype: Any = tf.float32,
        name: str | None = None,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` is the share of the old moments, 0 <= momentum < 1. Received {momentum!r}.")
        if policy not in POLICIES:
            raise ValueError(unknown_name_message("value of `policy`", policy, POLICIES))
        super().__init__(size, epsilon=epsilon, use_scale=use_scale, use_offset=use_offset, dtype=dtype, name=name)
        self._momentum, self._policy = float(momentum), policy
        # Replicas see batches of their own: what they write is averaged.
        options: dict[str, Any] = {"trainable": False, "aggregation": tf.VariableAggregation.MEAN}
        self._moving_mean = self._variable(0.0, "moving_mean", **options)
        self._moving_variance = self._variable(1.0, "moving_variance", **options)

    @property
    def policy(self) -> str:
        """What prediction uses."""
        return self._policy

    @property
    def moving_mean(self) -> tf.Variable:
        """The moving average of the batches' means."""
        return self._moving_mean

    @property
    def moving_variance(self) -> tf.Variable:
        """The moving average of the batches' variances."""
        return self._moving_variance

    def _statistics(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._standardizing(*self._moments(inputs, calls.current()))

    def _moments(self, inputs: tf.Tensor, call: calls.Call) -> KernelBias:
        if call.is_training:
            moments = _moments_of(inputs)
            self._accumulate(moments)
            return moments
        own = call.measure(self, lambda: _moments_of(inputs)) if self._policy == "recalibrated" else None
        return KernelBias(self._moving_mean, self._moving_variance) if own is None else own

    def _accumulate(self, moments: KernelBias) -> None:
        for moving, batch in zip((self._moving_mean, self._moving_variance), moments, strict=True):
            new = self._momentum * moving + (1.0 - self._momentum) * tf.stop_gradient(batch)
            moving.assign(tf.where(tf.math.is_finite(new), new, moving))


def _moments_of(inputs: tf.Tensor) -> KernelBias:
    # A pair of tensors like any other draw, so that it is kept among a call's draws: the mean and the variance.
    return KernelBias(*tf.nn.moments(inputs, list(range(inputs.shape.rank - 1))))


def is_recalibrated(model: tf.Module) -> bool:
    """Whether a batch normalization of the model takes moments of its own for every draw."""
    if model not in _RECALIBRATED:  # to walk over a model takes as long as a pass of a small one
        parts = (model, *model.submodules)
        _RECALIBRATED[model] = any(isinstance(m, BatchNorm) and m.policy == "recalibrated" for m in parts)
    return _RECALIBRATED[model]


_RECALIBRATED: WeakKeyDictionary[tf.Module, bool] = WeakKeyDictionary()

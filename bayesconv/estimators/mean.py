"""Mean: no noise at all."""

from __future__ import annotations

import tensorflow as tf

from bayesconv.estimators.base import Draw, Estimate, LinearOp, StochasticPass, register, without_mean
from bayesconv.weights import KernelBias, map_kernel_bias


@register("mean")
def mean(linear_op: LinearOp, posterior: KernelBias) -> StochasticPass:
    """The posterior mean, without a draw: a plain net with the KL as its regularizer.

    `y = f(x, mean)`. The data say nothing of the scales, which only the KL moves. For ablations, and for training the
    locations before the noise comes in.

    Raises:
      ValueError: If the posterior has no finite mean.

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> factory = functools.partial(bc.make_kernel_bias_variational, estimator="mean")
      >>> layer = bc.Affine(2, 3, make_kernel_bias_fn=factory)
      >>> bool(tf.reduce_all(layer(tf.ones([1, 2])) == layer(tf.ones([1, 2]), weights="mean")))
      True
    """
    if missing := without_mean(posterior):
        raise ValueError(
            f"mean needs a posterior with a finite mean. Received {', '.join(missing)}, without: use "
            "estimator='reparameterization'."
        )

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        return Estimate(linear_op(inputs, map_kernel_bias(lambda d: d.mean(), posterior)), None)

    return stochastic_pass

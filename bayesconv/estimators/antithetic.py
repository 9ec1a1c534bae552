"""Antithetic: a draw and its mirror image."""

from __future__ import annotations

import tensorflow as tf

from bayesconv import distributions
from bayesconv.estimators.base import (
    Draw,
    Estimate,
    LinearOp,
    StochasticPass,
    register,
    require_reparameterized,
    require_trait,
)
from bayesconv.estimators.slices import apply_by_slice
from bayesconv.weights import KernelBias, map_kernel_bias


@register("antithetic")
def antithetic(linear_op: LinearOp, posterior: KernelBias) -> StochasticPass:
    """One draw for the first half of the batch, and its mirror image in the mean for the second half.

    `y_n = f(x_n, w)` or `f(x_n, 2 mean - w)`. What is odd in the deviation cancels as far as the halves agree, and
    each example is applied to the operator once.

    Raises:
      ValueError: If the posterior is not symmetric about its mean.

    References:
      Hammersley and Morton, A New Monte Carlo Technique: Antithetic Variates, Proc. Cambridge Phil. Soc. 1956.

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> factory = functools.partial(bc.make_kernel_bias_variational, estimator="antithetic")
      >>> layer = bc.Affine(2, 1, make_kernel_bias_fn=factory)
      >>> first, second = layer(tf.ones([2, 2]))
      >>> bool(abs((first + second) / 2 - layer(tf.ones([2, 2]), weights="mean")[0]) < 1e-5)
      True
    """
    require_reparameterized(posterior, "antithetic")
    require_trait(
        posterior, distributions.SIGN_SYMMETRIC, "antithetic", "independent weights, each symmetric about its mean"
    )

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        weights = draw()
        mirrored = map_kernel_bias(lambda d, w: 2.0 * d.mean() - w, posterior, weights)
        return Estimate(apply_by_slice(linear_op, inputs, [weights, mirrored]), weights)

    return stochastic_pass

"""One draw for all."""

from __future__ import annotations

import tensorflow as tf

from bayesconv.estimators.base import Draw, Estimate, LinearOp, StochasticPass, register, require_reparameterized
from bayesconv.weights import KernelBias


@register("reparameterization")
def reparameterization(linear_op: LinearOp, posterior: KernelBias) -> StochasticPass:
    """One draw of the weights, shared by all examples of the batch.

    `y = f(x, w)` with `w = g(noise)` differentiable in the posterior's parameters. One application of the operator;
    the examples' gradients share their noise, so averaging over a larger batch does not lower its variance.

    References:
      Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014. arXiv:1312.6114
    """
    require_reparameterized(posterior, "reparameterization")

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        weights = draw()
        return Estimate(linear_op(inputs, weights), weights)

    return stochastic_pass

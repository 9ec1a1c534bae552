"""Automatic: for each layer what was measured to be best."""

from __future__ import annotations

import tensorflow as tf

from bayesconv import distributions
from bayesconv.estimators.base import Draw, Estimate, LinearOp, StochasticPass, register
from bayesconv.estimators.local_reparameterization import local_reparameterization
from bayesconv.estimators.sliced import sliced
from bayesconv.weights import KernelBias


@register("automatic")
def automatic(linear_op: LinearOp, posterior: KernelBias, *, num_slices: int = 8) -> StochasticPass:
    """Local reparameterization in dense layers of a normal posterior, slices everywhere else.

    Where a weight meets an example once and is normal, noise on the outputs is exact, has the least variance and
    costs no draw of the weights; `extra_result` is None there. Elsewhere the batch is sliced, with balanced signs if
    the posterior is symmetric, else with independent draws.

    Args:
      linear_op: The layer's operator.
      posterior: The distributions of kernel and bias.
      num_slices: Number of slices of the batch, a power of 2.

    Raises:
      ValueError: If `num_slices` is not a power of 2 above 1, or the posterior is not reparameterized.

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> factory = functools.partial(bc.make_kernel_bias_variational, estimator="automatic")
      >>> head = bc.Affine(16, 10, make_kernel_bias_fn=factory)
      >>> head(tf.ones([64, 16])).shape
      TensorShape([64, 10])
    """
    slices = sliced(linear_op, posterior, num_slices=num_slices, draws=_draws_for(posterior))
    if linear_op.shares_weights or not _have_trait(posterior, distributions.INDEPENDENT_NORMAL):
        return slices
    local = local_reparameterization(linear_op, posterior)

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        has_positions = inputs.shape.rank > 2 + linear_op.batch_ndims
        return (slices if has_positions else local)(inputs, draw, seed)

    return stochastic_pass


def _draws_for(posterior: KernelBias) -> str:
    return "balanced" if _have_trait(posterior, distributions.SIGN_SYMMETRIC) else "independent"


def _have_trait(posterior: KernelBias, trait: str) -> bool:
    members = [distribution for distribution in posterior if distribution is not None]
    return all(trait in distributions.traits(member) for member in members)

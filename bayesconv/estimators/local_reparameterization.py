"""Local reparameterization: noise on the outputs instead of the weights."""

from __future__ import annotations

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.estimators.base import Draw, Estimate, LinearOp, StochasticPass, register, require_trait
from bayesconv.weights import KernelBias, map_kernel_bias

_TINY = 1e-30  # of a variance; its square root is far below any that matters


@register("local_reparameterization")
def local_reparameterization(
    linear_op: LinearOp, posterior: KernelBias, *, approximate: bool = False
) -> StochasticPass:
    """Draws each output instead of the weights: `y ~ N(f(x, mean), f(x^2, stddev^2))`.

    Exact where every weight meets an example once, as in a dense layer. Where weights are shared over positions it
    treats positions as independent, which they are not: marginal variances stay right, covariances between
    positions become zero, and a later pooling averages the uncertainty away.

    Args:
      linear_op: The layer's operator.
      posterior: The distributions of kernel and bias; must be independent normals.
      approximate: Allow it where weights are shared, bias and all.

    Raises:
      ValueError: If the posterior is not normal, or weights are shared and `approximate` is False.

    References:
      Kingma et al., Variational Dropout and the Local Reparameterization Trick, NeurIPS 2015. arXiv:1506.02557
    """
    require_trait(posterior, distributions.INDEPENDENT_NORMAL, "local_reparameterization", "independent normals")
    if linear_op.shares_weights and not approximate:
        raise ValueError(
            f"local_reparameterization is exact only where weights are not shared over positions, and {linear_op.name} "
            "shares them: covariances between positions would be lost. Use flipout or reparameterization, or accept "
            "the bias with estimator={'name': 'local_reparameterization', 'approximate': True}."
        )

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        mean = linear_op(inputs, map_kernel_bias(lambda d: d.mean(), posterior))
        variance = linear_op(tf.square(inputs), map_kernel_bias(lambda d: d.variance(), posterior))
        _require_unshared(linear_op, inputs, approximate)
        # A dead input row has variance 0, where the square root has no finite slope.
        stddev = tf.sqrt(tf.maximum(variance, _TINY))
        return Estimate(mean + stddev * random.normal(tf.shape(mean), seed, mean.dtype), None)

    return stochastic_pass


def _require_unshared(linear_op: LinearOp, inputs: tf.Tensor, approximate: bool) -> None:
    if inputs.shape.rank > 2 + linear_op.batch_ndims and not approximate:
        raise ValueError(
            f"local_reparameterization in {linear_op.name} needs inputs of {2 + linear_op.batch_ndims} dimensions: "
            f"with more, weights are shared over positions. Received shape {inputs.shape}. Flatten the inputs, use "
            "flipout, or set approximate=True."
        )

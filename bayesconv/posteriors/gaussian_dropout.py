"""Independent normal weights whose noise is relative to their size."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from bayesconv import distributions
from bayesconv.posteriors.mean_field import shape_of_scales
from bayesconv.posteriors.registry import check_rate, filled, noisy_location, register
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

_FLOOR = 1e-4  # of sqrt(2 / fan_in): a weight of zero has noise too, or its density would not exist


@register("gaussian_dropout")
def gaussian_dropout(specs: KernelBias, *, rate: float = 0.1) -> KernelBias:
    """Gaussian dropout: `w = loc (1 + sqrt(alpha) eps)` with `alpha = rate / (1 - rate)` and `eps ~ N(0, 1)`.

    The noise has the mean and variance of dropout at that rate, of weights instead of units. With the prior
    `"log_uniform"` the penalty is a constant, as in plain dropout; with any other it shrinks the weights. A weight
    near zero has the noise of one of `1e-4 sqrt(2 / fan_in)`.

    Args:
      specs: What is known of the kernel and the bias.
      rate: Rate of the dropout it stands for.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the rate is not inside of (0, 1).

    References:
      Kingma et al., Variational Dropout and the Local Reparameterization Trick, NeurIPS 2015. arXiv:1506.02557

    Example:
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((2, 1), tf.float32, 2, initializer=tf.ones, seed=0)
      >>> gaussian_dropout(KernelBias(spec), rate=0.2).kernel.stddev().numpy().ravel().tolist()
      [0.5, 0.5]
    """
    check_rate("gaussian_dropout", rate)
    alpha = rate / (1.0 - rate)

    def one(spec: WeightSpec) -> Any:
        loc = tf.Variable(noisy_location(spec, alpha), name=f"{spec.name}/loc")
        scale = distributions.derived(lambda m: math.sqrt(alpha) * _magnitude(m, spec), loc, shape=spec.shape)
        return distributions.independent(distributions.Normal(loc, scale))

    return map_kernel_bias(one, specs)


@register("variational_dropout")
def variational_dropout(specs: KernelBias, *, initial_rate: float = 0.1, share_scale: str | None = None) -> KernelBias:
    """Variational dropout: `w = loc (1 + sqrt(alpha) eps)` with `alpha` learned, per weight or shared.

    Its prior is `"log_uniform"`, under which the KL depends on `alpha` alone and grows as it falls: weights that the
    data do not need become noise, and may be pruned. With one `alpha` per weight, a mean-field normal with that prior
    is the same family with less noisy gradients.

    Args:
      specs: What is known of the kernel and the bias.
      initial_rate: Initial rate of the dropout it stands for, `alpha = rate / (1 - rate)`.
      share_scale: `"filter"` for one `alpha` per index of the last axis, `"layer"` for one per kernel and per bias.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the rate is not inside of (0, 1), or it is not known what shares an `alpha`.

    References:
      Molchanov et al., Variational Dropout Sparsifies Deep Neural Networks, ICML 2017. arXiv:1701.05369

    Example:
      >>> import bayesconv as bc
      >>> factory = bc.kernel_bias.factory(posterior="variational_dropout", prior="log_uniform")
      >>> bc.Affine(3, 2, make_kernel_bias_fn=factory).divergence.name
      'exact'
    """
    check_rate("variational_dropout", initial_rate)
    alpha = initial_rate / (1.0 - initial_rate)

    def one(spec: WeightSpec) -> Any:
        loc = tf.Variable(noisy_location(spec, alpha), name=f"{spec.name}/loc")
        initial = filled(shape_of_scales(spec, share_scale), 0.5 * math.log(alpha), spec)
        noise = tf.Variable(initial, name=f"{spec.name}/untransformed_noise_scale")
        scale = distributions.derived(lambda m, u: tf.exp(u) * _magnitude(m, spec), loc, noise, shape=spec.shape)
        return distributions.independent(distributions.Normal(loc, scale))

    return map_kernel_bias(one, specs)


def _magnitude(loc: tf.Tensor, spec: WeightSpec) -> tf.Tensor:
    return tf.sqrt(tf.square(loc) + (_FLOOR * spec.he_stddev) ** 2)

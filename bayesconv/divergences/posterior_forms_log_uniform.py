"""The KL of a normal from the log-uniform prior."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions

tfd = tfp.distributions

_K = (0.63576, 1.87320, 1.48695)
_TINY = 1e-30  # of a squared mean


@tfd.RegisterKL(tfd.Normal, distributions.LogUniform)
def _kl_normal_log_uniform(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    """`KL = k1 - k1 sigmoid(k2 + k3 log alpha) + 1/2 log(1 + 1 / alpha)` with `alpha = scale^2 / loc^2`.

    Right up to a constant, chosen so that it vanishes as alpha grows, and within 0.01 nat a weight of the integral.

    References:
      Molchanov et al., Variational Dropout Sparsifies Deep Neural Networks, ICML 2017. arXiv:1701.05369
    """
    log_alpha = 2.0 * tf.math.log(q.scale) - tf.math.log(tf.square(q.loc) + _TINY)
    k1, k2, k3 = _K
    return k1 * tf.sigmoid(-k2 - k3 * log_alpha) + 0.5 * tf.nn.softplus(-log_alpha)

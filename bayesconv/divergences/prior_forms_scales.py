"""Closed forms for log-normal posteriors of positive scales, as hierarchical priors of your own have them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


@tfd.RegisterKL(tfd.LogNormal, tfd.Gamma)
def _kl_log_normal_gamma(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    """`KL = b exp(m + s^2 / 2) - a m - a log b + log Gamma(a) - 1/2 log(2 pi e s^2)`, with the rate `b`.

    References:
      Louizos, Ullrich and Welling, Bayesian Compression for Deep Learning, NeurIPS 2017. arXiv:1705.08665
    """
    a, b = p.concentration, tf.convert_to_tensor(p.rate)
    return b * tf.exp(q.loc + 0.5 * q.scale**2) - a * q.loc - a * tf.math.log(b) + tf.math.lgamma(a) - _log_entropy(q)


@tfd.RegisterKL(tfd.LogNormal, tfd.InverseGamma)
def _kl_log_normal_inverse_gamma(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    """`KL = b exp(-m + s^2 / 2) + a m - a log b + log Gamma(a) - 1/2 log(2 pi e s^2)`, with the scale `b`.

    References:
      Louizos, Ullrich and Welling, Bayesian Compression for Deep Learning, NeurIPS 2017. arXiv:1705.08665
    """
    a, b = p.concentration, tf.convert_to_tensor(p.scale)
    return b * tf.exp(0.5 * q.scale**2 - q.loc) + a * q.loc - a * tf.math.log(b) + tf.math.lgamma(a) - _log_entropy(q)


def _log_entropy(q: Any) -> tf.Tensor:
    return tfd.Normal(q.loc, q.scale).entropy()  # of log w

"""Bounds of the log evidence, from the log weights of draws of the weights.

A registered bound is `piece(log_weights, *, options) -> scalar`. `log_weights[k]` is, for the draw `w_k` of the
posterior,

    log v_k = (N / B) sum_n log p(y_n | x_n, w_k) + log p(w_k) - log q(w_k)        nats per data set

with a sum over the batch of B out of N examples. All examples share the weights of a draw, so a log weight is that of
the whole data set. If the batch is the data set, `mean_k v_k` is an unbiased estimate of the evidence `p(y)`, and the
bounds are those of the papers. If it is a part of it, they are Li and Turner's approximation by minibatches: the batch
stands for the rest by its mean log likelihood. The evidence lower bound is linear in the log weights, hence unbiased
under minibatches; the others are convex in them for `alpha < 1`, so what they report is too high on average, by more
the smaller the batch, and no bound on the evidence. Nothing but the whole data set repairs that.
"""

from __future__ import annotations

import math

import tensorflow as tf

from bayesconv.registry import Registry

_REGISTRY = Registry("bound", num_positional=1)
register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options


@register("elbo")
def elbo(log_weights: tf.Tensor) -> tf.Tensor:
    """The evidence lower bound, `mean_k log v_k`: the objective takes its KL in closed form where there is one.

    Args:
      log_weights: `[K]`.

    Returns:
      A scalar, nats per data set.
    """
    return tf.reduce_mean(log_weights)


@register("renyi")
def renyi(log_weights: tf.Tensor, *, alpha: float = 0.5) -> tf.Tensor:
    """Renyi's bound, `log mean_k v_k^(1 - alpha) / (1 - alpha)`: below 1, the smaller alpha, the wider the posterior.

    It estimates `log p(y) - D_alpha(q || p(w | y))`, from below for `alpha < 1` and more closely with more draws. It
    tends to the evidence lower bound as alpha tends to 1; `alpha = 0` is the importance-weighted bound. Below 0 its
    limit is above the evidence, while few draws may give less. Above 1 the posterior concentrates on a mode even more
    than under the evidence lower bound.

    Args:
      log_weights: `[K]`.
      alpha: Order of the divergence, any finite number.

    Returns:
      A scalar, nats per data set.

    Raises:
      ValueError: If `alpha` is not finite.

    References:
      Li and Turner, Renyi Divergence Variational Inference, NeurIPS 2016. arXiv:1602.02311

    Example:
      >>> import numpy as np
      >>> float(renyi(np.log([1.0, 3.0]), alpha=0.0)) == float(importance_weighted(np.log([1.0, 3.0])))
      True
    """
    if not math.isfinite(alpha):
        raise ValueError(f"The order `alpha` of Renyi's bound is a finite number, such as 0.5. Received {alpha!r}.")
    log_weights = tf.convert_to_tensor(log_weights)
    order = 1.0 - alpha
    if order == 0.0:
        return elbo(log_weights)
    # Relative to the draw that dominates, and by expm1 and log1p: exact for large orders and for those next to zero.
    top = tf.reduce_max(log_weights) if order > 0 else tf.reduce_min(log_weights)
    top = tf.stop_gradient(top)
    return top + tf.math.log1p(tf.reduce_mean(tf.math.expm1(order * (log_weights - top)))) / order


@register("importance_weighted")
def importance_weighted(log_weights: tf.Tensor) -> tf.Tensor:
    """The importance-weighted bound, `log mean_k v_k`: it rises to the log evidence as draws are added.

    Args:
      log_weights: `[K]`.

    Returns:
      A scalar, nats per data set.

    References:
      Burda et al., Importance Weighted Autoencoders, ICLR 2016. arXiv:1509.00519
    """
    return renyi(log_weights, alpha=0.0)

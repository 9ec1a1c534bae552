"""Closed forms of KL(q || p) for priors of whole weights: they ask of q its moments and its entropy."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.divergences.closed_forms import kl_of_normals

tfd = tfp.distributions


@tfd.RegisterKL(tfd.Distribution, distributions.TiedMeanNormal)
def _kl_tied_mean(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    # KL = sum s^2 / 2t^2 + W log(t sqrt(2 pi)) - H[q]: the mean drops out.
    elements = distributions.elementwise(q)
    if isinstance(elements, tfd.Normal):
        scale, shape = tf.convert_to_tensor(elements.scale), q.batch_shape + q.event_shape
        return kl_of_normals(scale, tf.constant(p.scale, p.dtype), tf.zeros([], p.dtype), shape)
    return p.cross_entropy(_moments(q)[1]) - _entropy(q)


@tfd.RegisterKL(tfd.Distribution, distributions.InverseGammaNormal)
def _kl_empirical_bayes(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    # With S = sum(m^2 + s^2) and v = (S + 2b) / (W + 2a + 2):  KL(q || N(0, v I)) - log InverseGamma(v; a, b)
    mean, variance = _moments(q)
    square = tf.reduce_sum(tf.square(mean) + variance)
    best = p.best_variance(square)
    cross_entropy = 0.5 * (square / best + p.size * tf.math.log(2.0 * math.pi * best))
    return cross_entropy - _entropy(q) - p.of_variance().log_prob(best)


@tfd.RegisterKL(tfd.Distribution, distributions.CorrelatedNormal)
def _kl_correlated(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    # Over columns of taps:  KL = 1/2 sum [tr(P diag s^2) + m' P m] + log |2 pi C|^(1/2) - H[q]
    if distributions.elementwise(q) is None:
        raise NotImplementedError("The covariances of the posterior are not known.")
    return p.cross_entropy(*_moments(q)) - _entropy(q)


def _moments(q: Any) -> tuple[tf.Tensor, tf.Tensor]:
    shape = q.batch_shape + q.event_shape
    return tf.broadcast_to(q.mean(), shape), tf.broadcast_to(q.variance(), shape)


def _entropy(q: Any) -> tf.Tensor:
    if not distributions.has_differential_entropy(q):
        raise NotImplementedError("The entropy of this posterior is not that of a density.")
    return q.entropy()

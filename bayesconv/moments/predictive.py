"""What moments of a model's outputs say of the targets."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy import special
from scipy.stats import qmc

from bayesconv.likelihoods import Likelihood
from bayesconv.moments.rules import Moments

NUM_DRAWS = 128  # quasi-random outputs that a mean over several outputs at once is taken over
NUM_NODES = 32  # of the quadrature for outputs that count one by one


class Prediction(NamedTuple):
    """What is predicted for N inputs, in float64.

    Attributes:
      mean: `[N, K]` expected target; class probabilities for the discrete likelihoods.
      std: `[N, K]` standard deviation over the weights of what `mean` averages.
      predictive_entropy: `[N]` nats; total uncertainty of the target. NaN for a likelihood of your own whose mixture
        has no closed form.
      expected_entropy: `[N]` nats; what would remain if the weights were known.
      variance: `[N, T]` expected variance of a real target if the weights were known; None without one.
    """

    mean: tf.Tensor
    std: tf.Tensor
    predictive_entropy: tf.Tensor
    expected_entropy: tf.Tensor
    variance: tf.Tensor | None = None


def predictive(moments: Moments, likelihood: Likelihood) -> Prediction:
    """Expectations over outputs that are normal with these moments.

    Exact for the normal likelihood. For the Bernoulli likelihood every output is integrated by Gauss-Hermite quadrature
    with 32 nodes, for all others the outputs together by 128 fixed quasi-random draws: probabilities of ten classes
    are then right to about 0.002.

    Args:
      moments: Of the outputs `[N, K]`, from `propagate`.
      likelihood: What the outputs mean.

    Returns:
      A `Prediction`, the same at every call.

    Raises:
      ValueError: If the outputs are not `[N, K]`.

    Example:
      >>> import bayesconv as bc
      >>> moments = Moments(tf.constant([[1.0, 0.0]]), tf.constant([[4.0, 4.0]]))
      >>> predictive(moments, bc.likelihoods.categorical()).mean.numpy().round(1).tolist()
      [[0.6, 0.4]]
    """
    if moments.mean.shape.rank != 2 or moments.mean.shape[1] is None:
        raise ValueError(f"Predictions are made of outputs [N, K]. Received moments of shape {moments.mean.shape}.")
    prediction = _RULES.get(likelihood.name, _by_draws)(moments, likelihood)
    parts: list[Any] = [None if part is None else tf.cast(part, tf.float64) for part in prediction]
    return Prediction(*parts)


def _by_draws(moments: Moments, likelihood: Likelihood) -> Prediction:
    uniform = qmc.Sobol(moments.mean.shape[1], scramble=True, seed=0).random(NUM_DRAWS)
    z = tf.constant(special.ndtri(uniform), moments.mean.dtype)  # [M, K]
    if moments.covariance is None:
        deviations = z[:, tf.newaxis] * tf.sqrt(moments.variance)
    else:
        deviations = tf.einsum("mk,njk->mnj", z, _root(moments.covariance))
    outputs = moments.mean + deviations
    return _averaged(outputs, np.full(NUM_DRAWS, 1.0 / NUM_DRAWS), likelihood)


def _by_quadrature(moments: Moments, likelihood: Likelihood) -> Prediction:
    nodes, weights = np.polynomial.hermite_e.hermegauss(NUM_NODES)
    z = tf.constant(nodes, moments.mean.dtype)[:, tf.newaxis, tf.newaxis]
    outputs = moments.mean + z * tf.sqrt(moments.variance)
    return _averaged(outputs, weights / weights.sum(), likelihood)


def _averaged(outputs: tf.Tensor, weights: Any, likelihood: Likelihood) -> Prediction:
    """From outputs `[M, N, K]` and the weight of each."""

    def average(values: tf.Tensor) -> tf.Tensor:
        return tf.tensordot(tf.constant(weights, values.dtype), values, axes=1)

    targets = likelihood.mean(outputs)
    mean = average(targets)
    std = tf.sqrt(average(tf.square(targets - mean)))
    missing = tf.fill(tf.shape(mean)[:1], tf.constant(math.nan, mean.dtype))
    entropy = missing if likelihood.entropy_of_mean is None else likelihood.entropy_of_mean(mean)
    variance = None if likelihood.variance is None else average(likelihood.variance(outputs))
    return Prediction(mean, std, entropy, average(likelihood.entropy(outputs)), variance)


def _normal(moments: Moments, likelihood: Likelihood) -> Prediction:
    # With noise of variance u the target is N(m, C + u I), and its entropy that of the noise and 1/2 log|I + C / u|.
    expected, num = likelihood.entropy(moments.mean), moments.mean.shape[1]
    noise = tf.exp(2.0 * expected / num) / (2.0 * math.pi * math.e)
    std = tf.sqrt(moments.variance)
    if moments.covariance is None:
        gained = 0.5 * tf.reduce_sum(tf.math.log1p(moments.variance / noise[:, tf.newaxis]), axis=-1)
    else:
        relative = moments.covariance / noise[:, tf.newaxis, tf.newaxis]
        gained = 0.5 * tf.linalg.logdet(tf.eye(num, dtype=relative.dtype) + relative)
    return Prediction(moments.mean, std, expected + gained, expected, noise[:, tf.newaxis] * tf.ones_like(std))


def _root(covariance: tf.Tensor) -> tf.Tensor:
    # A sum of rounded products may have an eigenvalue just below zero.
    variance = tf.linalg.diag_part(covariance)
    floor = 1e-5 * tf.reduce_max(variance, axis=-1, keepdims=True) + 1e-30
    wide = tf.cast(tf.linalg.set_diag(covariance, variance + floor), tf.float64)
    return tf.cast(tf.linalg.cholesky(wide), covariance.dtype)


_RULES = {"bernoulli": _by_quadrature, "normal": _normal}

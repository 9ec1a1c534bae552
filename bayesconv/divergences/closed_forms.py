"""Closed forms of KL(q || p): one for whole weights, or one for elements that is summed.

A new pair is one function with `tfp.distributions.RegisterKL`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.tracing import with_own_gradient

tfd = tfp.distributions


def closed_form(q: Any, p: Any) -> tf.Tensor | None:
    """KL(q || p) summed over all elements, or None where no closed form is registered or it is infinite."""
    if distributions.is_point(q):
        return None  # for which TFP registers -log p(w)
    q_elements, p_elements = distributions.elementwise(q), distributions.elementwise(p)
    if isinstance(q_elements, tfd.Normal) and isinstance(p_elements, tfd.Normal):
        return _kl_of_normals(q_elements, p_elements, q.batch_shape + q.event_shape)
    try:
        if q_elements is None or p_elements is None:
            return tfd.kl_divergence(q, p)
        per_element = tfd.kl_divergence(q_elements, p_elements)
    except NotImplementedError:  # how TFP answers for a pair it does not know
        return None
    return tf.reduce_sum(_spread(per_element, q.batch_shape + q.event_shape))


def _kl_of_normals(q: Any, p: Any, shape: tf.TensorShape) -> tf.Tensor:
    loc, scale, prior_loc, prior_scale = map(tf.convert_to_tensor, (q.loc, q.scale, p.loc, p.scale))
    is_plain = loc.shape == scale.shape == shape and all(part.shape in ([], shape) for part in (prior_loc, prior_scale))
    if is_plain and shape.is_fully_defined():
        return _kl_of_whole_weights(loc, scale, prior_loc, prior_scale)
    return kl_of_normals(scale, prior_scale, (loc - prior_loc) / prior_scale, shape)


@functools.partial(with_own_gradient, any_shape=(0, 1))
def _kl_of_whole_weights(
    loc: tf.Tensor, scale: tf.Tensor, prior_loc: tf.Tensor, prior_scale: tf.Tensor
) -> tuple[tf.Tensor, Callable[..., Any]]:
    # The common case: one operation instead of fifty, traced once for all weights, in as few passes as can be: what all
    # weights share multiplies sums and other shared numbers, not weights.
    ratio, moved = scale / prior_scale, loc - prior_loc
    excess, precision = ratio - 1.0, 1.0 / tf.square(prior_scale)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        by_loc, by_scale = (upstream * precision) * moved, (upstream / prior_scale) * (excess + excess / ratio)
        by_prior_scale = -_summed_to(prior_scale, by_scale * scale + by_loc * moved) / prior_scale
        return by_loc, by_scale, _summed_to(prior_loc, -by_loc), by_prior_scale

    is_shared = prior_scale.shape.rank == 0
    squares = precision * tf.nn.l2_loss(moved) if is_shared else tf.nn.l2_loss(moved / prior_scale)
    return tf.nn.l2_loss(excess) + squares + tf.reduce_sum(excess - tf.math.log(ratio)), gradient


def _summed_to(parameter: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(slope) if parameter.shape.rank == 0 else slope


def kl_of_normals(scale_q: tf.Tensor, scale_p: tf.Tensor, deviation: tf.Tensor, shape: Any) -> tf.Tensor:
    """KL of independent normals, `sum d^2 / 2 + (r - 1)^2 / 2 + (r - 1 - log r)` with `r = scale_q / scale_p`.

    No term is negative, so that none cancels another, and the last one hardly feels how `r` was rounded: where
    posterior and prior nearly agree, a weight's error is below 2e-7 |r - 1| nats in float32.

    Args:
      scale_q: Scales of the one.
      scale_p: Scales of the other.
      deviation: `d = (loc_q - loc_p) / scale_p`.
      shape: Shape of all elements, to which the others broadcast.
    """
    return _kl_of_ratios(_spread(scale_q / scale_p, shape), _spread(deviation, shape))


@with_own_gradient
def _kl_of_ratios(ratio: tf.Tensor, deviation: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    # The common case, where every pass over the weights counts.
    excess = ratio - 1.0

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return upstream * (excess + excess / ratio), upstream * deviation

    squares = tf.nn.l2_loss(excess) + tf.nn.l2_loss(deviation)
    return squares + tf.reduce_sum(excess - tf.math.log(ratio)), gradient


def _spread(tensor: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    return tensor if tensor.shape == shape else tf.broadcast_to(tensor, shape)


@tfd.RegisterKL(tfd.Normal, tfd.Laplace)
def _kl_normal_laplace(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    # With m = loc_q - loc_p:  KL = log 2b + E|w - loc_p| / b - 1/2 log(2 pi e s^2),
    # E|w - loc_p| = s sqrt(2/pi) exp(-m^2 / 2s^2) + m erf(m / (s sqrt 2))
    s, b, m = tf.convert_to_tensor(q.scale), tf.convert_to_tensor(p.scale), q.loc - p.loc
    z = m / (s * tf.sqrt(tf.constant(2.0, s.dtype)))
    mean_deviation = s * _SQRT_2_OVER_PI * tf.exp(-tf.square(z)) + m * tf.math.erf(z)
    return tf.math.log(2.0 * b) + mean_deviation / b - _HALF_LOG_2_PI_E - tf.math.log(s)


_SQRT_2_OVER_PI = 0.79788456080286535588
_HALF_LOG_2_PI_E = 1.41893853320467274178

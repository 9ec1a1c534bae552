"""Closed forms of KL(q || p): one for whole weights, or one for elements that is summed.

A new pair is one function with `tfp.distributions.RegisterKL`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions

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
    scale = tf.convert_to_tensor(p.scale)
    return kl_of_normals(tf.convert_to_tensor(q.scale), scale, (q.loc - p.loc) / scale, shape)


def kl_of_normals(scale_q: tf.Tensor, scale_p: tf.Tensor, deviation: tf.Tensor, shape: Any) -> tf.Tensor:
    """KL of independent normals, `sum d^2 / 2 + u^2 / 2 + (u - log(1 + u))` with `u = scale_q / scale_p - 1`.

    No term is negative, so that none cancels another.

    Args:
      scale_q: Scales of the one.
      scale_p: Scales of the other.
      deviation: `d = (loc_q - loc_p) / scale_p`.
      shape: Shape of all elements, to which the others broadcast.
    """
    # The difference of the scales loses nothing where they nearly agree, their ratio nothing where they differ.
    parts = scale_q / scale_p, (scale_q - scale_p) / scale_p, deviation
    return _kl_of_ratios(*(_spread(tensor, shape) for tensor in parts))


@tf.custom_gradient
def _kl_of_ratios(ratio: tf.Tensor, u: tf.Tensor, d: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    # The common case, where every pass over the weights counts.
    def gradient(upstream: tf.Tensor) -> tuple[None, tf.Tensor, tf.Tensor]:
        return None, upstream * (u + u / ratio), upstream * d  # all that is due to the ratio is in u

    squares = tf.nn.l2_loss(u) + tf.nn.l2_loss(d)
    if u.dtype == tf.float64:
        return squares + _rest_in_double(ratio, u), gradient
    # A logarithm in float32 is off by 1e-7. That matters where posterior and prior agree so closely that the sum is
    # small too; elsewhere it is not worth the time.
    value = squares + tf.reduce_sum(u - tf.math.log(ratio))
    is_accurate = value > _ENOUGH * tf.cast(tf.size(u), u.dtype)
    return tf.cond(is_accurate, lambda: value, lambda: squares + _rest_in_double(ratio, u)), gradient


def _rest_in_double(ratio: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    wide = tf.cast(u, tf.float64)
    logarithm = tf.math.log(tf.where(wide > -0.5, 1.0 + wide, tf.cast(ratio, tf.float64)))
    return tf.cast(tf.reduce_sum(wide - logarithm), u.dtype)


_ENOUGH = 0.02  # nats for every element


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

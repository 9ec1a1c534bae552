"""Divergences: what `extra_loss` is, KL(posterior || prior) summed over all weights of a layer, in nats.

A registered divergence is `piece(posterior, prior, *, options) -> Divergence`, bound when the layer is built, so that
a pair without a closed form is refused there and `summary()` can say which way is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions, random
from bayesconv.registry import Registry
from bayesconv.weights import KernelBias, map_kernel_bias

tfd = tfp.distributions

_REGISTRY = Registry("divergence")
register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options


class Divergence(NamedTuple):
    """A divergence bound to a posterior and a prior.

    Attributes:
      name: How it is computed, for `summary()`.
      penalty: `penalty(draw, seed)`, a scalar in nats; `draw()` gives the weights that the layer used.
    """

    name: str
    penalty: Callable[[Callable[[], KernelBias], tf.Tensor], tf.Tensor]


@register("exact")
def exact(posterior: KernelBias, prior: KernelBias) -> Divergence:
    """Closed form; it adds no noise to the gradient.

    Raises:
      ValueError: If no closed form is registered for the pair of distributions.

    Example:
      >>> import tensorflow_probability as tfp
      >>> n = tfp.distributions.Normal
      >>> kl = exact(KernelBias(n(0.0, 1.0)), KernelBias(n(1.0, 1.0)))
      >>> float(kl.penalty(None, None))
      0.5
    """
    for q, p in _pairs(posterior, prior):
        if closed_form(q, p) is None:
            raise ValueError(
                f"There is no closed form of KL({_family(q)} || {_family(p)}). Use divergence='monte_carlo' or "
                "'best_effort', or register one with tfp.distributions.RegisterKL."
            )
    return Divergence("exact", lambda draw, seed: _total(closed_form(q, p) for q, p in _pairs(posterior, prior)))


@register("monte_carlo")
def monte_carlo(posterior: KernelBias, prior: KernelBias, *, num_samples: int = 1) -> Divergence:
    """Unbiased estimate: the mean of `log q(w) - log p(w)` over draws of the posterior.

    The first draw is the one the layer used; its noise then partly cancels that of the data term.

    Args:
      posterior: The distributions of kernel and bias.
      prior: Theirs under the prior.
      num_samples: Number of draws.

    Raises:
      ValueError: If `num_samples` is not a positive integer.
    """
    if not (isinstance(num_samples, int) and num_samples > 0):
        raise ValueError(f"A Monte Carlo divergence needs num_samples >= 1. Received {num_samples!r}.")

    def penalty(draw: Callable[[], KernelBias], seed: tf.Tensor) -> tf.Tensor:
        seeds = random.split(seed, num_samples)[1:]
        draws = [draw()] + [sample(posterior, s) for s in seeds]
        return _total(_log_ratio(posterior, prior, weights) for weights in draws) / num_samples

    return Divergence(f"monte_carlo(num_samples={num_samples})", penalty)


@register("best_effort")
def best_effort(posterior: KernelBias, prior: KernelBias, *, num_samples: int = 1) -> Divergence:
    """Exact where a closed form is known, else Monte Carlo; `summary()` says which.

    Args:
      posterior: The distributions of kernel and bias.
      prior: Theirs under the prior.
      num_samples: Number of draws if it comes to Monte Carlo.
    """
    if all(closed_form(q, p) is not None for q, p in _pairs(posterior, prior)):
        return exact(posterior, prior)
    return monte_carlo(posterior, prior, num_samples=num_samples)


def sample(posterior: KernelBias, seed: tf.Tensor) -> KernelBias:
    """One draw of the kernel and the bias; the same for the same seed."""
    seeds = KernelBias(*random.split(seed))
    return map_kernel_bias(lambda distribution, s: distribution.sample(seed=s), posterior, seeds)


def closed_form(q: Any, p: Any) -> tf.Tensor | None:
    """KL(q || p) summed over all elements, or None where no closed form is registered."""
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
    # The common case, where every pass over the weights counts. With r = scale_q / scale_p and
    # d = (loc_q - loc_p) / scale_p:  KL = sum (r^2 + d^2) / 2 - log r - 1/2
    ratio, deviation = (_spread(t, shape) for t in (q.scale / p.scale, (q.loc - p.loc) / p.scale))
    half_size = tf.constant(0.5 * shape.num_elements(), ratio.dtype)
    return tf.nn.l2_loss(ratio) + tf.nn.l2_loss(deviation) - tf.reduce_sum(tf.math.log(ratio)) - half_size


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


def _pairs(posterior: KernelBias, prior: KernelBias) -> list[tuple[Any, Any]]:
    return [(q, p) for q, p in zip(posterior, prior, strict=True) if q is not None]


def _log_ratio(posterior: KernelBias, prior: KernelBias, weights: KernelBias) -> tf.Tensor:
    triples = zip(posterior, prior, weights, strict=True)
    return _total(q.log_prob(w) - p.log_prob(w) for q, p, w in triples if q is not None)


def _total(terms: Any) -> tf.Tensor:
    return tf.add_n(list(terms))


def _family(distribution: Any) -> str:
    elements = distributions.elementwise(distribution)
    return type(distribution if elements is None else elements).__name__

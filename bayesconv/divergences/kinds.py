"""The divergences: exact, Monte Carlo, and the better of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions, random
from bayesconv.divergences.closed_forms import closed_form
from bayesconv.registry import Registry
from bayesconv.weights import KernelBias, map_kernel_bias

tfd = tfp.distributions

REGISTRY = Registry("divergence")
register = REGISTRY.register


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


def sample(posterior: KernelBias, seed: tf.Tensor, num: Any = None) -> KernelBias:
    """One draw of the kernel and the bias, or `num` along a first axis; the same for the same seed."""
    seeds, shape = KernelBias(*random.split(seed)), () if num is None else num
    return map_kernel_bias(lambda distribution, s: distribution.sample(shape, seed=s), posterior, seeds)


def _pairs(posterior: KernelBias, prior: KernelBias) -> list[tuple[Any, Any]]:
    return [(q, p) for q, p in zip(posterior, prior, strict=True) if q is not None]


def _log_ratio(posterior: KernelBias, prior: KernelBias, weights: KernelBias) -> tf.Tensor:
    # Where an estimator drew several kernels, along a first axis, the mean over them.
    triples = zip(posterior, prior, weights, strict=True)
    return _total(tf.reduce_mean(q.log_prob(w) - p.log_prob(w)) for q, p, w in triples if q is not None)


def _total(terms: Any) -> tf.Tensor:
    return tf.add_n(list(terms))


def _family(distribution: Any) -> str:
    elements = distributions.elementwise(distribution)
    return type(distribution if elements is None else elements).__name__

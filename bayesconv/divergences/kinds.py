"""The divergences: exact, Monte Carlo, and the better of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.divergences.closed_forms import closed_form
from bayesconv.divergences.requirements import (
    check_num_samples,
    has_closed_form,
    pairs,
    require_closed_form,
    require_sampled_form,
    require_support,
)
from bayesconv.registry import Identifier, Registry
from bayesconv.weights import KernelBias, map_kernel_bias

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
      ValueError: If no closed form is registered for the pair of distributions; the message says what to use.

    Example:
      >>> import tensorflow_probability as tfp
      >>> n = tfp.distributions.Normal
      >>> kl = exact(KernelBias(n(0.0, 1.0)), KernelBias(n(1.0, 1.0)))
      >>> float(kl.penalty(None, None))
      0.5
    """
    for q, p in pairs(posterior, prior):
        require_closed_form(q, p)
    return _exact(posterior, prior)


@register("monte_carlo")
def monte_carlo(
    posterior: KernelBias, prior: KernelBias, *, num_samples: int = 1, stick_the_landing: bool = False
) -> Divergence:
    """Unbiased estimate: the mean of `log q(w) - log p(w)` over draws of the posterior.

    The first draw is the one the layer used; its noise then partly cancels that of the data term.

    Args:
      posterior: The distributions of kernel and bias.
      prior: Theirs under the prior; only their `log_prob` is used, so they may be improper, and the KL is then right
        up to a constant.
      num_samples: Number of draws.
      stick_the_landing: Leave out the score, the gradient of `log q` in the posterior's parameters at a fixed `w`. Its
        expectation is zero, so the gradient stays unbiased; near the optimum, where what is left vanishes, it has
        less variance, and far from it perhaps more.

    Raises:
      ValueError: If `num_samples` is not a positive integer, a distribution has no density, or the posterior is not
        reparameterized.

    References:
      Roeder et al., Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational Inference,
      NeurIPS 2017. arXiv:1703.09194
    """
    check_num_samples(num_samples)
    for q, p in pairs(posterior, prior):
        require_sampled_form(q, p)

    def penalty(draw: Callable[[], KernelBias], seed: tf.Tensor) -> tf.Tensor:
        seeds = random.split(seed, num_samples)[1:]
        draws = [draw()] + [sample(posterior, s) for s in seeds]
        return _total(log_ratio(posterior, prior, w, stick_the_landing=stick_the_landing) for w in draws) / num_samples

    landing = ", stick_the_landing=True" if stick_the_landing else ""
    return Divergence(f"monte_carlo(num_samples={num_samples}{landing})", penalty)


@register("best_effort")
def best_effort(
    posterior: KernelBias, prior: KernelBias, *, num_samples: int = 1, stick_the_landing: bool = False
) -> Divergence:
    """Exact where a closed form is known, else Monte Carlo; `summary()` says which.

    Args:
      posterior: The distributions of kernel and bias.
      prior: Theirs under the prior.
      num_samples: Number of draws if it comes to Monte Carlo.
      stick_the_landing: See `monte_carlo`, if it comes to it.

    Raises:
      ValueError: If there is neither a closed form nor what Monte Carlo needs.
    """
    if all(has_closed_form(q, p) for q, p in pairs(posterior, prior)):
        return _exact(posterior, prior)
    return monte_carlo(posterior, prior, num_samples=num_samples, stick_the_landing=stick_the_landing)


def _exact(posterior: KernelBias, prior: KernelBias) -> Divergence:
    return Divergence("exact", lambda draw, seed: _total(closed_form(q, p) for q, p in pairs(posterior, prior)))


def bind(divergence: Identifier, posterior: KernelBias, prior: KernelBias) -> Divergence:
    """The divergence that an identifier chooses, of these distributions.

    Raises:
      ValueError: If the name or an option is unknown, the prior does not cover the posterior, or the divergence does
        not suit them.
    """
    require_support(posterior, prior)
    return REGISTRY.resolve(divergence)(posterior, prior)


def sample(posterior: KernelBias, seed: tf.Tensor, num: Any = None) -> KernelBias:
    """One draw of the kernel and the bias, or `num` along a first axis; the same for the same seed."""
    seeds = KernelBias(*random.split(seed))
    return map_kernel_bias(lambda distribution, s: distributions.draw(distribution, s, num), posterior, seeds)


def log_ratio(
    posterior: KernelBias, prior: KernelBias, weights: KernelBias, *, stick_the_landing: bool = False
) -> tf.Tensor:
    """`log q(w) - log p(w)` of a draw, in nats; of several along a first axis, the mean over them.

    Args:
      posterior: The distributions of kernel and bias.
      prior: Theirs under the prior.
      weights: The draw.
      stick_the_landing: Let the gradient of `log q` flow through the draw alone.
    """
    log_q = _log_prob_through_the_draw if stick_the_landing else lambda q, w: tf.reduce_mean(q.log_prob(w))
    triples = zip(posterior, prior, weights, strict=True)
    return _total(log_q(q, w) - tf.reduce_mean(p.log_prob(w)) for q, p, w in triples if q is not None)


def _log_prob_through_the_draw(q: Any, w: tf.Tensor) -> tf.Tensor:
    # Works for any q: the value, plus a term that is zero and has the gradient d log q / dw.
    fixed = tf.stop_gradient(w)
    with tf.GradientTape() as tape:
        tape.watch(fixed)
        log_q = tf.reduce_mean(q.log_prob(fixed))
    slope = tape.gradient(log_q, fixed, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tf.stop_gradient(log_q) + tf.reduce_sum(tf.stop_gradient(slope) * (w - fixed))


def _total(terms: Any) -> tf.Tensor:
    return tf.add_n(list(terms))

"""TFP's losses: divergences of joint distributions, and the penalty of a whole model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import divergences
from bayesconv.compat.joint import as_joint
from bayesconv.extras import total
from bayesconv.layers import Layer
from bayesconv.registry import name_of
from bayesconv.weights import KernelBias, as_kernel_bias

tfd = tfp.distributions

PenaltyFn = Callable[[Any, Any, Any], Any]


def kl_divergence_monte_carlo(q: Any, r: Any, w: Any) -> tf.Tensor:
    """One draw's estimate of KL(q || r): `log q(w) - log r(w)`, in nats.

    Args:
      q: The posterior, a joint distribution or a pair.
      r: The prior.
      w: A draw of the posterior.

    Example:
      >>> q, r = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 1.0)
      >>> float(kl_divergence_monte_carlo(q, r, tf.constant(0.0)))
      0.5
    """
    q, r = as_joint(q), as_joint(r)
    types = tf.nest.flatten(q.reparameterization_type)
    return tfp.monte_carlo.expectation(
        lambda weights: q.log_prob(weights) - r.log_prob(weights),
        samples=list(w) if isinstance(w, KernelBias) else w,
        log_prob=q.log_prob,
        use_reparameterization=all(kind == tfd.FULLY_REPARAMETERIZED for kind in types),
        axis=(),
    )


def kl_divergence_exact(q: Any, r: Any, w: Any = None) -> tf.Tensor:
    """KL(q || r) in closed form, in nats; the draw plays no part.

    Args:
      q: The posterior, a joint distribution or a pair.
      r: The prior.
      w: Ignored.

    Raises:
      ValueError: If no closed form is known for the kernel's or the bias' distributions.
      NotImplementedError: The same for distributions that are no kernel and bias.
    """
    if _is_pair(q) and _is_pair(r):
        return divergences.exact(as_kernel_bias(q), as_kernel_bias(r)).penalty(lambda: KernelBias(w), w)
    return tfd.kl_divergence(q, r)


def negloglik(x: Any, y: Any, model_fn: Callable[[Any], Any], axis: Any = -1) -> tf.Tensor:
    """Mean negative log-likelihood, in nats.

    Args:
      x: Inputs of the model.
      y: Targets.
      model_fn: Gives the distribution of the targets.
      axis: The axes to average over.

    Example:
      >>> float(negloglik(tf.zeros([4]), tf.ones([4]), lambda x: tfd.Bernoulli(logits=x)))
      0.6931471824645996
    """
    return -tf.reduce_mean(model_fn(x).log_prob(y), axis=axis)


def compute_extra_loss(layer: Layer, loss_fn: PenaltyFn = kl_divergence_monte_carlo) -> tf.Tensor:
    """Sum of `loss_fn(posterior, prior, draw)` over the layers of a model, each once.

    Args:
      layer: A layer; those inside of it count, however deep.
      loss_fn: Called with every Bayesian layer's posterior and prior and the draw of its last call. A layer whose
        last call drew no weights gets a new draw.

    Example:
      >>> import bayesconv as bc
      >>> model = bc.Sequential([bc.Affine(2, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)])
      >>> y = model(tf.ones([1, 2]))
      >>> bool(abs(compute_extra_loss(model, kl_divergence_exact) - model.extra_loss) < 1e-4)
      True
    """
    found = [m for m in (layer, *layer.submodules) if isinstance(m, Layer) and m.posterior is not None]
    return total([tf.convert_to_tensor(loss_fn(*_three(member))) for member in found])


def divergence_of(posterior_penalty_fn: PenaltyFn) -> Any:
    """The divergence that a `posterior_penalty_fn` is: a registered one's name, or a function that makes one."""
    if posterior_penalty_fn is kl_divergence_monte_carlo:
        return "monte_carlo"
    if posterior_penalty_fn is kl_divergence_exact:
        return "exact"
    if not callable(posterior_penalty_fn):
        raise TypeError(
            "`posterior_penalty_fn` is a function (posterior, prior, weights) that gives a penalty in nats. "
            f"Received {posterior_penalty_fn!r}; losses.kl_divergence_monte_carlo is the default."
        )

    def divergence(posterior: KernelBias, prior: KernelBias) -> divergences.Divergence:
        q, r = as_joint(posterior), as_joint(prior)

        def penalty(draw: Callable[[], KernelBias], seed: tf.Tensor) -> tf.Tensor:
            value = posterior_penalty_fn(q, r, [part for part in draw() if part is not None])
            return tf.zeros([], q.kernel.dtype) if value is None else value

        return divergences.Divergence(name_of(posterior_penalty_fn), penalty)

    return divergence


def _three(layer: Layer) -> tuple[Any, Any, Any]:
    posterior, draw = as_joint(layer.posterior), layer.extra_result
    if draw is None:
        draw = posterior.sample()
    return posterior, as_joint(layer.prior), [p for p in draw if p is not None] if isinstance(draw, tuple) else draw


def _is_pair(value: Any) -> bool:
    try:
        parts = as_kernel_bias(value)
    except TypeError:
        return False
    return all(part is None or isinstance(part, tfd.Distribution) for part in parts)

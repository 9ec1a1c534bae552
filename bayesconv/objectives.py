"""The evidence lower bound and its relatives: the one place where a KL is scaled.

loss = mean_n[-log p(y_n | x_n, w)] + kl_weight * temperature * KL / num_data        nats per example

With another bound of `bayesconv.bounds` it is `-bound(log weights) / num_data`, where in the log weight of a draw
`kl_weight * temperature` multiplies `log q(w) - log p(w)`.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import tensorflow as tf

from bayesconv import bounds, distributions, divergences, estimators, likelihoods, random, weighting
from bayesconv.extras import Extra, Extras, collect_extras, total
from bayesconv.inputs import check_positive_int
from bayesconv.likelihoods import Likelihood
from bayesconv.precision import widened
from bayesconv.registry import Identifier, Registry, innermost, name_of

SMALLEST_PENALTY_WEIGHT = 0.1
_ONE_DRAW_FOR_THE_BATCH = (estimators.reparameterization,)

schedules = Registry("kl schedule")


class Elbo(NamedTuple):
    """The terms of the objective.

    Attributes:
      loss: What is minimized, nats per example.
      negative_log_likelihood: Of the targets, nats per example, without any weights: the data term of the loss, unless
        weights were given or the likelihood trains by another one.
      kl: KL of posterior and prior, nats per data set, neither weighted nor divided.
    """

    loss: tf.Tensor
    negative_log_likelihood: tf.Tensor
    kl: tf.Tensor


def elbo(
    model: Any,
    inputs: tf.Tensor,
    targets: tf.Tensor,
    *,
    num_data: float,
    likelihood: Likelihood | Identifier = "categorical",
    kl_weight: Any = 1.0,
    temperature: float = 1.0,
    num_samples: int = 1,
    seed: random.Seed = None,
    bound: Identifier = "elbo",
    sample_weights: Any = None,
    class_weights: Any = None,
) -> Elbo:
    """Estimates the negative evidence lower bound per example from a batch, or another bound.

    Args:
      model: A layer from `[N, ..]` to `[N, K]`, or to what the likelihood takes.
      inputs: `[N, ..]`.
      targets: `[N]` labels, or whatever else the likelihood takes.
      num_data: Number of examples in the whole data set, by which the KL is divided, once.
      likelihood: A `Likelihood`, or what resolves to one.
      kl_weight: Multiplier of the KL at this step, as a schedule gives it.
      temperature: Multiplier of the KL for the whole run. Below 1 the posterior is colder, and the loss is no bound
        on the evidence any more: report it with every result.
      num_samples: Draws of the weights over which the terms are averaged.
      seed: Int or pair of ints.
      bound: `"elbo"`, or another of `bayesconv.bounds` over the `num_samples` draws. The others weight whole draws, so
        they need the one draw that `estimator="reparameterization"` uses for the whole batch. With a batch that is a
        part of the data they are approximations and no bounds; that module says which.
      sample_weights: `[N]` factors of the examples' log probabilities in the loss, not divided by their sum; see
        `bayesconv.weighting`.
      class_weights: `[K]` such factors of the classes, of examples or of pixels.

    Returns:
      The loss and its two terms, these as under the evidence lower bound and without weights.

    Raises:
      ValueError: If `num_data` or `num_samples` is not positive, or `kl_weight` or `temperature` is a number that is
        negative or not finite; tensors are not looked into. If a layer's `penalty_weight` is below 0.1: code written
        for TFP divides by the number of data there, which would divide twice. If the bound weights draws, and a layer
        perturbs every example differently or has a distribution without a density.

    References:
      Blundell et al., Weight Uncertainty in Neural Networks, ICML 2015. arXiv:1505.05424
      Wenzel et al., How Good is the Bayes Posterior in Deep Neural Networks Really?, ICML 2020. arXiv:2002.02405

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> terms = bc.elbo(layer, tf.ones([8, 4]), tf.zeros([8], tf.int32), num_data=800, seed=0)
      >>> bool(abs(terms.loss - terms.negative_log_likelihood - terms.kl / 800) < 1e-5)
      True
    """
    check_multiplier("temperature", temperature)
    check_multiplier("kl_weight", kl_weight)
    check_positive_int("num_samples", num_samples)
    if isinstance(num_data, str) or not 0 < num_data < math.inf:
        raise ValueError(f"`num_data` is the number of training examples. Received {num_data!r}.")
    likelihood, combine = as_likelihood(likelihood), bounds.resolve(bound)
    penalty_of = _penalty if combine is bounds.elbo else _log_ratio
    seeds = random.split(random.as_seed(seed), num_samples)
    weighted = functools.partial(weighting.data_term, likelihood, sample_weights, class_weights)
    draws = [_one_draw(model, inputs, targets, likelihood, weighted, s, penalty_of) for s in seeds]
    data_terms, nlls, penalties, kls = (list(terms) for terms in zip(*draws, strict=True))
    nll, kl = (tf.add_n(terms) / num_samples for terms in (nlls, kls))
    kl_weight = tf.cast(tf.convert_to_tensor(kl_weight, dtype_hint=nll.dtype), nll.dtype)  # a cast alone rounds a float
    scale = kl_weight * (temperature / num_data)
    losses = [one + scale * tf.cast(part, nll.dtype) for one, part in zip(data_terms, penalties, strict=True)]
    if combine is bounds.elbo:
        return Elbo(tf.add_n(losses) / num_samples, nll, kl)
    return Elbo(-combine(-num_data * tf.stack(losses)) / num_data, nll, kl)


def check_multiplier(name: str, value: Any) -> None:
    """Raises a ValueError if a number that multiplies the KL is negative or not finite; a tensor is not looked into."""
    if isinstance(value, numbers.Real) and not 0 <= float(value) < math.inf:
        raise ValueError(
            f"`{name}` multiplies the KL: a finite number, not negative; 1 is Bayes' rule, 0 leaves the KL out. "
            f"Received {value!r}."
        )


def as_likelihood(likelihood: Likelihood | Identifier) -> Likelihood:
    """A `Likelihood` from itself, a name, a mapping or a function that makes one."""
    if isinstance(likelihood, Likelihood):
        return likelihood
    if callable(likelihood):
        return likelihood()
    options = {"name": likelihood} if isinstance(likelihood, str) else dict(likelihood)
    likelihoods.resolve(options)  # refuses what is unknown
    name = options.pop("name")
    if not all(isinstance(value, Hashable) for value in options.values()):
        return likelihoods.get(name)(**options)
    return _named(name, tuple(sorted(options.items())))


@functools.cache
def _named(name: str, options: tuple[tuple[str, Any], ...]) -> Likelihood:
    # The same object every time: compiled functions are kept by it.
    return likelihoods.get(name)(**dict(options))


def _one_draw(
    model: Any,
    inputs: tf.Tensor,
    targets: tf.Tensor,
    likelihood: Likelihood,
    data_term: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
    seed: tf.Tensor,
    penalty_of: Callable[[Extras], tf.Tensor],
) -> tuple:
    with collect_extras() as extras:
        outputs = widened(model(inputs, is_training=True, seed=seed))
    nll = -weighting.mean(likelihood.log_prob(outputs, targets))
    return data_term(outputs, targets, nll), nll, penalty_of(extras), _unweighted(extras)


def _penalty(extras: Extras) -> tf.Tensor:
    return extras.loss


def _log_ratio(extras: Extras) -> tf.Tensor:
    """`log q(w) - log p(w)` of the weights that were used; the penalty of a layer without a posterior as it is."""
    return total([_log_ratio_of(layer, extra) for layer, extra in extras.items() if extra.loss is not None])


def _log_ratio_of(layer: Any, extra: Extra) -> Any:
    if getattr(layer, "posterior", None) is None:
        return extra.loss
    _require_one_draw(layer)
    return penalty_weight_of(layer) * divergences.log_ratio(layer.posterior, layer.prior, extra.result)


def check_bound(model: Any, bound: Identifier, num_samples: int) -> None:
    """Raises a ValueError where a bound cannot be computed for a model, or would be the evidence lower bound.

    Args:
      model: A layer.
      bound: What `elbo` takes.
      num_samples: Draws of the weights.
    """
    if bounds.resolve(bound) is bounds.elbo:
        return
    for layer in (model, *model.submodules):
        if getattr(layer, "posterior", None) is not None:
            _require_one_draw(layer)
    if num_samples < 2:
        raise ValueError(
            f"With a single draw every bound is the evidence lower bound, so {name_of(bounds.resolve(bound))} needs "
            f"num_samples >= 2. Received {num_samples}."
        )


def _require_one_draw(layer: Any) -> None:
    if innermost(layer.estimator) not in _ONE_DRAW_FOR_THE_BATCH:
        raise ValueError(
            "A bound other than 'elbo' weights whole draws of the weights, so all examples of a batch must share one. "
            f"`{layer.name}` gives every example a perturbation of its own. Received the estimator "
            f"{name_of(layer.estimator)}; use estimator='reparameterization', or bound='elbo'."
        )
    for distribution in (*layer.posterior, *layer.prior):
        if distribution is not None and not distributions.has_density(distribution):
            raise ValueError(
                "A bound other than 'elbo' weights draws by log q(w) - log p(w), so both need densities. "
                f"Received {type(distribution).__name__} in `{layer.name}`, which has none; use bound='elbo'."
            )


def _unweighted(extras: Extras) -> tf.Tensor:
    return total([extra.loss / penalty_weight_of(layer) for layer, extra in extras.items() if extra.loss is not None])


def penalty_weight_of(layer: Any) -> float:
    """A layer's penalty weight; a ValueError if it is so small that it must have been divided by the number of data."""
    weight = float(getattr(layer, "penalty_weight", 1.0))
    if weight < SMALLEST_PENALTY_WEIGHT:
        raise ValueError(
            f"The objective divides the KL by `num_data`, and `{layer.name}` already scales it by "
            f"penalty_weight={weight:g}. Leave penalty_weight at 1; to weaken the prior use `temperature`."
        )
    return weight


@schedules.register("constant")
def constant(progress: tf.Tensor) -> tf.Tensor:
    """The full KL from the first step."""
    return tf.ones_like(progress)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` is a share, from 0 to 1. Received {value!r}.")


@schedules.register("linear")
def linear(progress: tf.Tensor, *, warm_up: float = 0.8) -> tf.Tensor:
    """From 0 to 1 over the first part of training, then 1.

    Args:
      progress: Share of the run that is done, in [0, 1].
      warm_up: Share of the run over which the KL grows, in [0, 1].
    """
    _check_share("warm_up", warm_up)
    return tf.minimum(progress / warm_up, 1.0) if warm_up > 0 else tf.ones_like(progress)


@schedules.register("sigmoid")
def sigmoid(progress: tf.Tensor, *, warm_up: float = 0.8, steepness: float = 10.0) -> tf.Tensor:
    """A smooth rise from near 0 to 1, half-way at half the warm-up.

    Args:
      progress: Share of the run that is done, in [0, 1].
      warm_up: Share of the run over which the KL grows, in [0, 1].
      steepness: How sudden the rise is, above 0.
    """
    _check_share("warm_up", warm_up)
    if not 0 < steepness < math.inf:
        raise ValueError(f"`steepness` must be positive and finite. Received {steepness!r}.")
    return tf.where(progress < warm_up, tf.sigmoid(steepness * (progress / max(warm_up, 1e-9) - 0.5)), 1.0)


@schedules.register("cyclical")
def cyclical(progress: tf.Tensor, *, cycles: int = 4, rise: float = 0.5) -> tf.Tensor:
    """Several rises from 0 to 1, each followed by a time at 1.

    Args:
      progress: Share of the run that is done, in [0, 1].
      cycles: Number of cycles.
      rise: Share of a cycle over which the KL grows, in [0, 1].

    References:
      Fu et al., Cyclical Annealing Schedule, NAACL 2019. arXiv:1903.10145
    """
    if cycles < 1:
        raise ValueError(f"A cyclical schedule has at least one cycle. Received cycles={cycles!r}.")
    _check_share("rise", rise)
    phase = tf.math.floormod(progress * cycles, 1.0)
    return tf.where(progress < 1.0, tf.minimum(phase / max(rise, 1e-9), 1.0), 1.0)

"""What is likely to be wrong with a Bayesian model and its objective, in plain words and with the remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bayesconv.objectives import SMALLEST_PENALTY_WEIGHT

DWARFS = 10.0  # a KL that many times the data term leaves the data little to say
MOST = 0.5  # of a layer's weights
_CLOSE = 0.02  # relative error up to which a factor is recognized


class Finding(NamedTuple):
    """One thing that is likely to be wrong.

    Attributes:
      name: What kind of thing, for programs.
      message: What it is, by which numbers, and what to do.
      layer: Name of the layer, or None where it concerns the objective.
    """

    name: str
    message: str
    layer: str | None = None


class Setting(NamedTuple):
    """What is known of the training that a diagnosis is for.

    Attributes:
      num_data: Number of training examples, or None.
      batch_size: Examples a step, or None without data.
      num_examples: Examples that were given, or None.
      temperature: Multiplier of the KL.
    """

    num_data: int | None
    batch_size: int | None
    num_examples: int | None
    temperature: float


def of_numbers(setting: Setting) -> Iterator[Finding]:
    """What the numbers of examples tell by themselves."""
    num_data, batch_size = setting.num_data, setting.batch_size
    if setting.num_examples is not None and num_data is None:
        yield Finding(
            "num_data_missing",
            "num_data is missing: without the number of training examples the KL has no weight that could be right, "
            "and nothing can be compared with it. Pass num_data, the size of the whole training set.",
        )
    elif num_data is not None and batch_size is not None and num_data == batch_size:
        yield Finding(
            "num_data_is_batch_size",
            f"num_data {num_data} equals the batch size: the KL is divided by the number of examples of the whole "
            "training set, else it counts too much by the number of batches. Pass the size of the training set; if a "
            "batch is all of it, this is right.",
        )
    elif num_data is not None and batch_size is not None and num_data < batch_size:
        yield Finding(
            "num_data_too_small",
            f"num_data {num_data} is less than a batch of {batch_size}: the KL counts too much. Pass the number of "
            "examples of the whole training set.",
        )


def of_terms(kl: float, data_term: float | None, setting: Setting) -> Iterator[Finding]:
    """How KL and data term compare.

    Args:
      kl: KL of all layers, nats.
      data_term: Negative log-likelihood of all training examples, nats; None if it is not known.
      setting: Numbers of examples, and the temperature.
    """
    if data_term is None:
        return
    weighted = setting.temperature * kl
    if weighted > DWARFS * max(data_term, 0.0) and weighted > 0:
        share = f"{weighted / data_term:.3g}x the data term" if data_term > 0 else "all of the loss"
        at = "" if setting.temperature == 1 else f" at temperature {setting.temperature:g}"
        yield Finding(
            "kl_dwarfs_data",
            f"KL is {share}: {weighted:,.0f} nats{at} against {data_term:,.0f} of all {setting.num_data:,} examples. "
            "The cheapest way down is then to forget the data. Check num_data, lower the temperature (and report it), "
            "let the KL warm up, choose a prior nearer to the weights, or a smaller network.",
        )


def of_layer(layer: Any, is_loss_known: bool) -> Iterator[Finding]:
    """What a layer's posterior tells.

    Args:
      layer: A `LayerDiagnosis`.
      is_loss_known: Whether the weight of the KL in the loss is measured, which says more than `penalty_weight`.
    """
    if not is_loss_known:
        yield from _of_penalty_weight(layer)
    if layer.share_at_prior is not None and layer.share_at_prior > MOST:
        yield Finding(
            "collapsed_to_prior",
            f"posterior of {layer.name} has collapsed to its prior: {layer.share_at_prior:.0%} of its weights have its "
            "scale and mean. They say nothing about the data. Lower the temperature, let the KL warm up, start with a "
            "smaller initial_scale_ratio, or make the layer smaller.",
            layer.name,
        )
    if layer.share_at_point is not None and layer.share_at_point > MOST:
        yield Finding(
            "collapsed_to_point",
            f"posterior of {layer.name} has collapsed to a point: the scale of {layer.share_at_point:.0%} of its "
            "weights is below 1 % of the prior's. They carry no uncertainty. Start with a larger initial_scale_ratio, "
            "train longer or with scale_learning_rate_factor 5 to 10; with a very wide prior, narrow it.",
            layer.name,
        )
    if layer.is_untrained:
        yield Finding(
            "no_gradient",
            f"no gradient reaches the posterior of {layer.name}: the model's call does not use it, or tf.stop_gradient "
            "stands behind it.",
            layer.name,
        )


def _of_penalty_weight(layer: Any) -> Iterator[Finding]:
    weight = layer.penalty_weight
    if weight < SMALLEST_PENALTY_WEIGHT:
        yield Finding(
            "penalty_weight_divides",
            f"penalty_weight of {layer.name} is {weight:g}, as if it divided by the number of data: bc.elbo and bc.fit "
            "divide by num_data already and refuse it. Leave it at 1; to weaken the prior use temperature.",
            layer.name,
        )
    elif weight > 1:
        yield Finding(
            "penalty_weight_above_1",
            f"penalty_weight of {layer.name} is {weight:g}: its KL counts more than once. Leave it at 1.",
            layer.name,
        )


def of_loss(weights: Sequence[tuple[str, float]], num_weights: int, setting: Setting) -> Iterator[Finding]:
    """What the weight of the KL in a loss is, against the temperature / num_data that it should be.

    Args:
      weights: Names of layers, and by how much the loss grows for a nat of their KL.
      num_weights: Number of weights of all layers.
      setting: Numbers of examples, and the temperature.
    """
    if setting.num_data is None or not setting.temperature > 0:
        return
    right = setting.temperature / setting.num_data
    groups: dict[str, list[str]] = {}
    for name, weight in weights:
        if not math.isclose(weight, right, rel_tol=_CLOSE):
            groups.setdefault(_what_is(weight, right, num_weights, setting), []).append(name)
    for text, names in groups.items():
        who = "" if len(names) == len(weights) else f" of {', '.join(names)}"
        yield Finding("kl_weight", f"the KL{who} {text}", names[0] if who and len(names) == 1 else None)


def _what_is(weight: float, right: float, num_weights: int, setting: Setting) -> str:
    batch_size = setting.batch_size or 0
    once = "It must be divided by num_data, once, and be added once: bc.elbo(...).loss has it already."
    if abs(weight) < 1e-9 * right:
        return "is not in the loss, or is computed past the layers. Add model.extra_loss / num_data, or use bc.elbo."
    known = (
        (2 * right, "counts twice"),
        (1 + right, "counts twice, once divided by num_data and once whole"),
        (1.0, "is not divided by num_data"),
        (right + right / setting.temperature, "counts twice, once with the temperature and once without"),
        (right / max(batch_size, 1), "is divided by num_data and by the batch size"),
        (setting.temperature / max(batch_size, 1), "is divided by the batch size in place of num_data"),
        (right / num_weights, "is a mean over the weights in place of a sum"),
        (right**2 / setting.temperature, "is divided by num_data twice"),
    )
    value, text = min(known, key=lambda entry: abs(entry[0] - weight) / entry[0])
    if not math.isclose(weight, value, rel_tol=_CLOSE):
        text = "has another weight, if no warm-up is meant"
    return f"{text}: it has {weight / right:.3g}x the weight that the evidence lower bound gives it. {once}"

"""What is likely to be wrong with a Bayesian model and its objective, in plain words and with the remedy."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bayesconv.inputs import check_positive_int
from bayesconv.measurements import LossOfKl
from bayesconv.objectives import SMALLEST_PENALTY_WEIGHT, check_multiplier

DWARFS = 10.0  # a KL that many times the data term leaves the data little to say
MOST = 0.5  # of a layer's weights
NOT_FINITE = "not_finite"
_CLOSE = 0.02  # relative error up to which a factor is recognized
_WHAT_IS_NOT_FINITE = {
    "weights": "the posterior of {name} has variables that are not finite, so nothing can be learned any more. Load "
    "weights from before they diverged, or train again with a lower learning rate.",
    "KL": "the KL of {name} is {kl:g}, though its posterior is finite: its prior has parameters that are not, or no "
    "density at weights that the posterior draws. Give the prior finite parameters, or choose one over all real "
    "numbers, such as prior='normal'.",
    "gradient": "the gradient of the posterior of {name} is not finite, though its KL and the data term are: a scale "
    "has come next to zero, or an activation has no derivative there. Start with a larger initial_scale_ratio, train "
    "with a lower learning rate, or replace the activation.",
}


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


def setting_of(num_data: Any, batch_size: Any, num_examples: int | None, temperature: Any) -> Setting:
    """A `Setting` of numbers that make sense; a ValueError that says which does not."""
    is_whole = isinstance(num_data, numbers.Real) and not isinstance(num_data, bool) and float(num_data).is_integer()
    if num_data is not None and not (is_whole and num_data > 0):
        raise ValueError(
            "`num_data` is the number of examples of the whole training set, a positive int. "
            f"Received {num_data!r}; pass len(x_train)."
        )
    if batch_size is not None:
        check_positive_int("batch_size", batch_size)
    if not isinstance(temperature, numbers.Real):
        raise ValueError(f"`temperature` is a number. Received {temperature!r}; 1 is Bayes' rule.")
    check_multiplier("temperature", temperature)
    return Setting(
        None if num_data is None else int(num_data), batch_size or num_examples, num_examples, float(temperature)
    )


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


def of_data_term(negative_log_likelihood: float | None, culprit: str | None) -> Iterator[Finding]:
    """Whether a pass over the batch is finite.

    Args:
      negative_log_likelihood: Per example, or None without data.
      culprit: What is not finite first, in the order of computation.
    """
    if culprit is not None:
        yield Finding(
            NOT_FINITE,
            "the pass over the batch is not finite, with a negative log-likelihood of "
            f"{negative_log_likelihood:g}. What is not finite first is {culprit}. Mend that: see that the data are "
            "finite and of order 1, load weights from before they diverged, or train again with a lower learning rate.",
        )


def of_terms(kl: float, data_term: float | None, setting: Setting) -> Iterator[Finding]:
    """How KL and data term compare.

    Args:
      kl: KL of all layers, nats.
      data_term: Negative log-likelihood of all training examples, nats; None if it is not known.
      setting: Numbers of examples, and the temperature.
    """
    if data_term is None or not math.isfinite(kl + data_term):
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
    if layer.not_finite is not None:
        what = _WHAT_IS_NOT_FINITE[layer.not_finite].format(name=layer.name, kl=layer.kl)
        yield Finding(NOT_FINITE, what, layer.name)
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


def of_loss(measured: LossOfKl, num_weights: int, setting: Setting) -> Iterator[Finding]:
    """What the weight of the KL in a loss is, against the temperature / num_data that it should be.

    Args:
      measured: The loss, and by how much it grows for a nat of each layer's KL.
      num_weights: Number of weights of all layers.
      setting: Numbers of examples, and the temperature.
    """
    if not math.isfinite(measured.value):
        yield Finding(NOT_FINITE, f"your loss is {measured.value:g}, so the weight of the KL in it cannot be measured.")
    elif not measured.is_reached:
        yield Finding(
            "kl_not_measured",
            "your loss calls no layer of this model as plain Python in training mode, so the weight of the KL in it "
            "cannot be measured. Pass the function before get_concrete_function or a SavedModel traced it, let it use "
            "this very model, and leave out is_training=False, under which there is no KL.",
        )
    elif setting.num_data is not None and setting.temperature > 0:
        yield from _of_weights(measured.weights, num_weights, setting.num_data, setting)


def _of_weights(
    weights: Sequence[tuple[str, float]], num_weights: int, num_data: int, setting: Setting
) -> Iterator[Finding]:
    groups: dict[str, list[str]] = {}
    for name, weight in weights:
        if not math.isclose(weight, setting.temperature / num_data, rel_tol=_CLOSE):
            groups.setdefault(_what_is(weight, num_weights, num_data, setting), []).append(name)
    for text, names in groups.items():
        who = "" if len(names) == len(weights) else f" of {', '.join(names)}"
        yield Finding("kl_weight", f"the KL{who} {text}", names[0] if who and len(names) == 1 else None)


def _what_is(weight: float, num_weights: int, num_data: int, setting: Setting) -> str:
    right = setting.temperature / num_data
    if abs(weight) < 1e-9 * right:
        return "is not in the loss, or is computed past the layers. Add model.extra_loss / num_data, or use bc.elbo."
    known = _known_weights(num_weights, num_data, setting)
    value, text = min(known, key=lambda entry: abs(entry[0] - weight) / entry[0])
    if not math.isclose(weight, value, rel_tol=_CLOSE):
        text = "has another weight, if no warm-up is meant"
    cold = setting.temperature != 1
    at = f" at temperature {setting.temperature:g}" if cold else ""
    factors = "multiplied by the temperature, divided by num_data" if cold else "divided by num_data"
    way_out = f"bc.elbo(..., temperature={setting.temperature:g}).loss" if cold else "bc.elbo(...).loss"
    return (
        f"{text}: it has {weight / right:.3g}x the weight that the evidence lower bound gives it{at}. It must be "
        f"{factors} and added, each once: {way_out} has it already."
    )


def _known_weights(num_weights: int, num_data: int, setting: Setting) -> Iterator[tuple[float, str]]:
    """Pairs of a weight that a usual mistake gives the KL, and what it is."""
    temperature, right = setting.temperature, setting.temperature / num_data
    yield 1 + right, "counts twice, once divided by num_data and once whole"
    for factor, also in ((temperature, ""), (1.0, ", and is not multiplied by the temperature")):
        batch_size = max(setting.batch_size or 0, 1)
        yield 2 * factor / num_data, f"counts twice{also}"
        yield factor, f"is not divided by num_data{also}"
        yield factor + factor / num_data, f"counts twice, once divided by num_data and once whole{also}"
        yield factor / num_data / batch_size, f"is divided by num_data and by the batch size{also}"
        yield factor / batch_size, f"is divided by the batch size in place of num_data{also}"
        yield factor / num_data / num_weights, f"is a mean over the weights in place of a sum{also}"
        yield factor / num_data**2, f"is divided by num_data twice{also}"
    if temperature != 1:
        yield 1 / num_data, "is not multiplied by the temperature"
        yield temperature * right, "is multiplied by the temperature twice"
        yield right + 1 / num_data, "counts twice, once with the temperature and once without"

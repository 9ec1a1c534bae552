"""A diagnosis of a Bayesian model: a table of what its posteriors do, and findings with their remedies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bayesconv import findings, random
from bayesconv.findings import Finding, Setting
from bayesconv.inputs import check_model
from bayesconv.layers import Layer, Linear
from bayesconv.likelihoods import Likelihood
from bayesconv.measurements import Gradients, kl_of, measure, moments_of, weights_of_kl
from bayesconv.objectives import as_likelihood
from bayesconv.registry import Identifier

AT_PRIOR_SCALE, AT_PRIOR_LOC, AT_POINT_SCALE = 0.9, 0.1, 0.01  # in units of the prior's scale
QUANTILES = (0.05, 0.5, 0.95)


class LayerDiagnosis(NamedTuple):
    """The posterior of one layer; a number is None where the distributions do not have what it is made of.

    Attributes:
      name: The layer's name.
      kind: Its class.
      num_weights: Number of its weights.
      kl: KL from its prior, nats, unweighted.
      penalty_weight: Factor of the KL in `extra_loss`.
      scale_ratio: Median of posterior scale / prior scale.
      signal_to_noise: Quantiles 5, 50 and 95 % of |loc| / scale.
      share_at_prior: Share of weights whose scale is above 0.9 of the prior's and whose mean is within 0.1 of its mean.
      share_at_point: Share of weights whose scale is below 0.01 of the prior's.
      loc_gradient: Median over the locations of |mean| / standard deviation of the gradient over draws.
      scale_gradient: The same over the scales.
      is_untrained: Whether its gradients were zero in all draws.
      scale_ratios: Posterior scale / prior scale of every weight.
    """

    name: str
    kind: str
    num_weights: int
    kl: float
    penalty_weight: float
    scale_ratio: float | None
    signal_to_noise: tuple[float, ...] | None
    share_at_prior: float | None
    share_at_point: float | None
    loc_gradient: float | None
    scale_gradient: float | None
    is_untrained: bool
    scale_ratios: np.ndarray | None


class Diagnosis(NamedTuple):
    """What `diagnose` found; `str()` is a table and the findings.

    Attributes:
      layers: One `LayerDiagnosis` for each layer with a posterior.
      findings: What is likely to be wrong, with the remedy.
      kl: KL of all layers, nats.
      data_term: Negative log-likelihood of all training examples, nats; None without data or `num_data`.
      num_data: Number of training examples, or None.
      temperature: Multiplier of the KL.
    """

    layers: tuple[LayerDiagnosis, ...]
    findings: tuple[Finding, ...]
    kl: float
    data_term: float | None
    num_data: int | None
    temperature: float

    def __str__(self) -> str:
        return _text(self)

    def as_json(self) -> dict[str, Any]:
        """All of it but the arrays, ready for JSON."""
        kept = [{k: v for k, v in layer._asdict().items() if k != "scale_ratios"} for layer in self.layers]
        return {**self._asdict(), "layers": kept, "findings": [finding._asdict() for finding in self.findings]}


def diagnose(
    model: Layer,
    x: Any = None,
    y: Any = None,
    *,
    num_data: int | None = None,
    batch_size: int | None = None,
    likelihood: Likelihood | Identifier = "categorical",
    temperature: float = 1.0,
    loss: Callable[[Any, Any], Any] | None = None,
    num_draws: int = 16,
    seed: int = 0,
) -> Diagnosis:
    """Looks for what goes wrong with Bayesian networks: a mis-scaled KL, posteriors that collapsed.

    Args:
      model: A model, trained or not.
      x: Inputs of a batch; with `y` the KL is compared with the data term, and gradients are measured.
      y: Its targets.
      num_data: Number of examples of the whole training set.
      batch_size: Examples a step; by default `x` is taken to be one batch.
      likelihood: What the outputs say of the targets.
      temperature: Multiplier of the KL.
      loss: Your own `loss(x, y)`, per example, if you do not train by `fit`. What a nat of KL adds to it is measured.
      num_draws: Draws of the weights over which terms and gradients are averaged.
      seed: Int.

    Returns:
      A `Diagnosis`.

    Raises:
      ValueError: If only one of `x` and `y` is given, `loss` comes without them, or `num_draws` is below 2.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> x, y = np.ones([8, 4], np.float32), np.zeros([8], int)
      >>> [finding.name for finding in bc.diagnose(model, x, y, num_data=8).findings]
      ['num_data_is_batch_size']
    """
    check_model(model, "diagnose")
    _check_arguments(x, y, loss, num_draws)
    seeds = [random.fold_in(random.as_seed(seed), i) for i in range(num_draws)]
    bayesian = [m for m in (model, *model.submodules) if isinstance(m, Linear) and m.posterior is not None]
    num_examples = None if x is None else len(x)
    setting = Setting(num_data, batch_size or num_examples, num_examples, temperature)
    gradients, data_term = None, None
    if x is not None:
        gradients, kl_weight = Gradients(bayesian), temperature / num_data if num_data else 0.0
        nll = measure(model, x, y, as_likelihood(likelihood), kl_weight, seeds, gradients)
        data_term = num_data * nll if num_data else None
    layers = tuple(_layer(layer, seeds, gradients) for layer in bayesian)
    kl = sum(layer.kl for layer in layers)
    weights = None if loss is None else weights_of_kl(loss, x, y, bayesian, num_data or 1, seed)
    found = _findings(layers, kl, data_term, weights, setting)
    return Diagnosis(layers, tuple(found), kl, data_term, num_data, temperature)


def _check_arguments(x: Any, y: Any, loss: Any, num_draws: int) -> None:
    if (x is None) != (y is None):
        raise ValueError(f"`x` and `y` come together. Received {'x' if y is None else 'y'} alone.")
    if loss is not None and x is None:
        raise ValueError("`loss(x, y)` is measured on a batch. Received no x and y; pass them as well.")
    if not num_draws >= 2:
        raise ValueError(f"A signal-to-noise ratio takes several draws, num_draws >= 2. Received {num_draws!r}.")


def _findings(
    layers: Sequence[LayerDiagnosis],
    kl: float,
    data_term: float | None,
    weights: Sequence[tuple[str, float]] | None,
    setting: Setting,
) -> Iterator[Finding]:
    if not layers:
        yield Finding("nothing_bayesian", "no layer has a posterior: pass make_kernel_bias_fn to the layers.")
        return
    yield from findings.of_numbers(setting)
    if weights is not None:
        yield from findings.of_loss(weights, sum(layer.num_weights for layer in layers), setting)
    yield from findings.of_terms(kl, data_term, setting)
    for layer in layers:
        yield from findings.of_layer(layer, weights is not None)


def _layer(layer: Linear, seeds: Sequence[tf.Tensor], gradients: Gradients | None) -> LayerDiagnosis:
    moments = moments_of(layer)
    ratio, distance = moments.scale_ratio, moments.distance
    is_at_prior = None if ratio is None or distance is None else (ratio > AT_PRIOR_SCALE) & (distance < AT_PRIOR_LOC)
    return LayerDiagnosis(
        name=layer.name,
        kind=type(layer).__name__,
        num_weights=sum(math.prod(q.event_shape.as_list()) for q in layer.posterior if q is not None),
        kl=kl_of(layer, seeds),
        penalty_weight=float(layer.penalty_weight),
        scale_ratio=None if ratio is None else float(np.median(ratio)),
        signal_to_noise=_quantiles(moments.signal_to_noise),
        share_at_prior=None if is_at_prior is None else float(np.mean(is_at_prior)),
        share_at_point=None if ratio is None else float(np.mean(ratio < AT_POINT_SCALE)),
        loc_gradient=None if gradients is None else gradients.signal_to_noise(layer, of_scales=False),
        scale_gradient=None if gradients is None else gradients.signal_to_noise(layer, of_scales=True),
        is_untrained=gradients is not None and gradients.are_zero(layer),
        scale_ratios=ratio,
    )


def _quantiles(values: np.ndarray | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(q) for q in np.quantile(values, QUANTILES))


# As text.

_HEADER = (
    "layer", "weights", "KL [nats]", "per weight", "scale / prior", "|loc| / scale 5, 50, 95 %", "at prior", "at point",
    "gradient S/N loc", "scale",
)  # fmt: skip


def _text(diagnosis: Diagnosis) -> str:
    rows = [_HEADER, *(_row(layer) for layer in diagnosis.layers)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    said = [f"- {finding.message}" for finding in diagnosis.findings] or ["Nothing looks wrong."]
    return "\n".join([*table, "", *_terms(diagnosis), "", *said])


def _row(layer: LayerDiagnosis) -> tuple[str, ...]:
    quantiles = layer.signal_to_noise
    return (
        layer.name,
        f"{layer.num_weights:,}",
        f"{layer.kl:,.1f}",
        f"{layer.kl / layer.num_weights:.3f}",
        _or_dash(layer.scale_ratio, ".3g"),
        "-" if quantiles is None else ", ".join(f"{q:.2g}" for q in quantiles),
        _or_dash(layer.share_at_prior, ".0%"),
        _or_dash(layer.share_at_point, ".0%"),
        _or_dash(layer.loc_gradient, ".2f"),
        _or_dash(layer.scale_gradient, ".2f"),
    )


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _terms(diagnosis: Diagnosis) -> list[str]:
    text = f"KL {diagnosis.kl:,.1f} nats, temperature {diagnosis.temperature:g}"
    if diagnosis.data_term is None or diagnosis.num_data is None:
        return [f"{text}. Pass x, y and num_data to compare it with the data term."]
    weighted = diagnosis.temperature * diagnosis.kl
    share = f", {weighted / diagnosis.data_term:.3g}x the data term" if diagnosis.data_term > 0 else ""
    return [f"{text}{share} of {diagnosis.data_term:,.1f} nats for {diagnosis.num_data:,} examples."]

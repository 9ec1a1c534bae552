"""A diagnosis of a Bayesian model: a table of what its posteriors do, and findings with their remedies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bayesconv import findings, random
from bayesconv.findings import Finding, Setting, setting_of
from bayesconv.finiteness import first_non_finite
from bayesconv.inputs import as_inputs, check_model, check_positive_int
from bayesconv.layers import Layer, Linear
from bayesconv.likelihoods import Likelihood
from bayesconv.measurements import Gradients, LossOfKl, kl_of, loss_of_kl, measure, moments_of
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
      not_finite: What of it is NaN or infinite: `"weights"`, `"KL"` or `"gradient"`; None if nothing is.
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
    not_finite: str | None = None


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
        """All of it but the arrays, ready for JSON, which has no numbers that are not finite: None stands for them."""
        kept = [{k: _json(v) for k, v in layer._asdict().items() if k != "scale_ratios"} for layer in self.layers]
        own = {key: _json(value) for key, value in self._asdict().items()}
        return {**own, "layers": kept, "findings": [finding._asdict() for finding in self.findings]}


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
      ValueError: If only one of `x` and `y` is given, they do not fit each other, or `loss` comes without them or is
        not one number; if a number is out of its range, with `num_draws` from 2.
      TypeError: If the model is not made of layers, the data are a data set, or `loss` is no function.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> x, y = np.ones([8, 4], np.float32), np.zeros([8], int)
      >>> [finding.name for finding in bc.diagnose(model, x, y, num_data=8).findings]
      ['num_data_is_batch_size']
    """
    check_model(model, "diagnose")
    _check_data(x, y, loss)
    _check_num_draws(num_draws)
    setting = setting_of(num_data, batch_size, None if x is None else len(x), temperature)
    num_data = setting.num_data
    seeds = [random.fold_in(random.as_seed(seed), i) for i in range(num_draws)]
    bayesian = [m for m in (model, *model.submodules) if isinstance(m, Linear) and m.posterior is not None]
    gradients, nll, culprit = None, None, None
    if x is not None:
        inputs, family = as_inputs(model, x, finite=False), as_likelihood(likelihood)  # what is not is a finding
        gradients, kl_weight = Gradients(bayesian), temperature / num_data if num_data else 0.0
        nlls = measure(model, inputs, y, family, kl_weight, seeds, gradients)
        nll, culprit = float(np.mean(nlls)), _culprit(model, inputs, y, family, nlls, seeds)
    layers = tuple(_layer(layer, seeds, gradients, culprit is None) for layer in bayesian)
    kl = sum(layer.kl for layer in layers)
    data_term = num_data * nll if num_data and nll is not None else None
    measured = None if loss is None else loss_of_kl(loss, x, y, bayesian, num_data or 1, seed)
    found = [*findings.of_data_term(nll, culprit), *_findings(layers, kl, data_term, measured, setting)]
    return Diagnosis(layers, tuple(found), kl, data_term, num_data, temperature)


def _check_data(x: Any, y: Any, loss: Any) -> None:
    if isinstance(x, tf.data.Dataset) or isinstance(y, tf.data.Dataset):
        raise TypeError(
            "`x` and `y` are arrays, the inputs and targets of one batch. Received a tf.data.Dataset; take a batch of "
            "it, x, y = next(iter(dataset)), and pass num_data."
        )
    if (x is None) != (y is None):
        raise ValueError(f"`x` and `y` come together. Received {'x' if y is None else 'y'} alone.")
    if not (loss is None or callable(loss)):
        raise TypeError(f"`loss` is a function of x and y, which is measured. Received {loss!r}.")
    if loss is not None and x is None:
        raise ValueError("`loss(x, y)` is measured on a batch. Received no x and y; pass them as well.")
    shapes = (np.shape(x), np.shape(y))
    if x is not None and shapes[0][:1] != shapes[1][:1]:
        raise ValueError(f"There must be one target per input. Received x of shape {shapes[0]} and y of {shapes[1]}.")


def _check_num_draws(num_draws: Any) -> None:
    check_positive_int("num_draws", num_draws)
    if num_draws < 2:
        raise ValueError(f"A signal-to-noise ratio takes several draws, num_draws >= 2. Received {num_draws!r}.")


def _culprit(
    model: Layer, inputs: Any, y: Any, likelihood: Likelihood, nlls: np.ndarray, seeds: Sequence[tf.Tensor]
) -> str | None:
    # An activation may take NaN for a number, as ReLU does on a CPU, and so hide it from the likelihood.
    if np.isfinite(nlls).all() and np.isfinite(inputs).all():
        return None
    seed = seeds[int(np.argmin(np.isfinite(nlls)))]
    return first_non_finite(model, tf.convert_to_tensor(inputs), tf.convert_to_tensor(y), likelihood, [seed])


_NOTHING = (
    "no layer has a posterior: choose one by model.posterior in a configuration, or pass make_kernel_bias_fn to the "
    "layers in Python. A net of point weights, or with dropout alone, has nothing to diagnose."
)


def _findings(
    layers: Sequence[LayerDiagnosis],
    kl: float,
    data_term: float | None,
    measured: LossOfKl | None,
    setting: Setting,
) -> Iterator[Finding]:
    if not layers:
        yield Finding("nothing_bayesian", _NOTHING)
        return
    yield from findings.of_numbers(setting)
    if measured is not None:
        yield from findings.of_loss(measured, sum(layer.num_weights for layer in layers), setting)
    yield from findings.of_terms(kl, data_term, setting)
    for layer in layers:
        yield from findings.of_layer(layer, measured is not None)


def _layer(
    layer: Linear, seeds: Sequence[tf.Tensor], gradients: Gradients | None, is_data_term_finite: bool
) -> LayerDiagnosis:
    moments, kl = moments_of(layer), kl_of(layer, seeds)
    ratio, distance = moments.scale_ratio, moments.distance
    is_at_prior = None if ratio is None or distance is None else (ratio > AT_PRIOR_SCALE) & (distance < AT_PRIOR_LOC)
    return LayerDiagnosis(
        name=layer.name,
        kind=type(layer).__name__,
        num_weights=sum(math.prod(q.event_shape.as_list()) for q in layer.posterior if q is not None),
        kl=kl,
        penalty_weight=float(layer.penalty_weight),
        scale_ratio=None if ratio is None else float(np.median(ratio)),
        signal_to_noise=_quantiles(moments.signal_to_noise),
        share_at_prior=None if is_at_prior is None else float(np.mean(is_at_prior)),
        share_at_point=None if ratio is None else float(np.mean(ratio < AT_POINT_SCALE)),
        loc_gradient=None if gradients is None else gradients.signal_to_noise(layer, of_scales=False),
        scale_gradient=None if gradients is None else gradients.signal_to_noise(layer, of_scales=True),
        is_untrained=gradients is not None and gradients.are_zero(layer),
        scale_ratios=ratio,
        not_finite=_not_finite(layer, kl, gradients if is_data_term_finite else None),
    )


def _not_finite(layer: Linear, kl: float, gradients: Gradients | None) -> str | None:
    # The first cause alone: what is not finite makes everything that is computed of it so.
    variables = [v for q in layer.posterior if q is not None for v in q.variables]
    if not all(np.isfinite(v.numpy()).all() for v in variables):
        return "weights"
    if not math.isfinite(kl):
        return "KL"
    return None if gradients is None or gradients.are_finite(layer) else "gradient"


def _quantiles(values: np.ndarray | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(q) for q in np.quantile(values, QUANTILES))


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
    is_share = diagnosis.data_term > 0 and math.isfinite(weighted)
    share = f", {weighted / diagnosis.data_term:.3g}x the data term" if is_share else ""
    return [f"{text}{share} of {diagnosis.data_term:,.1f} nats for {diagnosis.num_data:,} examples."]

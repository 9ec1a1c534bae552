"""How good a trained run is: scores on its test images, and how well it knows what is strange to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import bayesconv as bc
from bayesconv import corruptions, data, metrics
from bayesconv.data import Dataset, Split
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.prediction import METHODS, Predictive
from bayesconv.registry import unknown_name_message
from bayesconv.runs import Run
from bayesconv.sections import Part

UNCERTAINTIES = ("predictive_entropy", "expected_entropy", "mutual_information")
SCORES = ("predictive_entropy", "mutual_information")
_CALIBRATING = 256  # training images that give a draw's moments to BatchNorm(policy="recalibrated")


def predict(
    run: Run,
    images: Any,
    *,
    method: str | None = None,
    num_samples: int | str | None = None,
    seed: int | None = None,
) -> Predictive:
    """The run's prediction for images, as configured unless told otherwise.

    Args:
      run: A trained run.
      images: float32 `[N, H, W, C]`.
      method: `"sampling"` or `"moments"`, see `bayesconv.predict`; for point weights both are one pass.
      num_samples: Draws of the weights, or `"auto"`; a run of point weights has one.
      seed: Of the draws.

    Raises:
      ValueError: If the method is unknown, or draws nothing and `num_samples` or `seed` is given.
    """
    likelihood = run.config.objective.likelihood.identifier
    options = _options(run, method, num_samples, seed)
    if is_recalibrated(run.model) and options.get("method") != "moments":
        options["calibration"] = run.dataset().train.x[:_CALIBRATING]
    return bc.predict(run.model, images, likelihood=likelihood, **options)


def _options(run: Run, method: str | None, num_samples: int | str | None, seed: int | None) -> dict[str, Any]:
    settings, method = run.config.evaluation, method or run.config.evaluation.method
    if method not in METHODS:
        raise ValueError(unknown_name_message("method of prediction", method, METHODS))
    given = {"num_samples": num_samples, "seed": seed}
    if method == "moments" and (drawn := [f"{name}={value}" for name, value in given.items() if value is not None]):
        raise ValueError(
            "The method moments is a single pass without draws. "
            f"Received {' and '.join(drawn)} too: leave that out, or choose the method sampling."
        )
    if method == "moments" and run.is_bayesian:
        return {"method": method}
    draws = settings.num_samples if num_samples is None else num_samples
    tolerance = {"tolerance": settings.tolerance} if draws == "auto" and settings.tolerance else {}
    count = draws if run.is_bayesian else 1
    return {"num_samples": count, "seed": run.config.seed if seed is None else seed, **tolerance}


def report(
    run: Run,
    dataset: Dataset,
    *,
    method: str | None = None,
    num_samples: int | str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """All results of a run, ready for JSON.

    Args:
      run: A trained run.
      dataset: Its data.
      method: How predictions are made; the configuration's by default.
      num_samples: Draws of the weights; the configuration's by default.
      seed: Of the draws; the configuration's by default.

    Returns:
      The scores of `metrics.classification_report` on the test images, mean uncertainties in nats there and on every
      out-of-distribution set, AUROC of telling these from the test images, the scores and uncertainties at each
      severity of each corruption (`shift`), the scores at the softmax temperature that
      suits the validation images best, and what the numbers depend on. `num_samples` is 0 for a single pass, whose
      seed is None, and a pair of the fewest and most draws for any test image where they were not fixed.
    """

    def predicted(images: Any) -> Predictive:
        return predict(run, images, method=method, num_samples=num_samples, seed=seed)

    test = predicted(dataset.test.x)
    draws = test.num_samples
    return {
        "dataset": dataset.name,
        "num_images": len(dataset.test.y),
        **_scores(test, dataset.test),
        "ood": {name: _against(test, predicted(x), run.is_bayesian) for name, x in out_of_distribution(run, dataset)},
        "shift": {name: [_scores(predicted(x), dataset.test) for x in sets] for name, sets in corrupted(run, dataset)},
        "temperature_scaled": _temperature_scaled(test, dataset.test, predicted(dataset.validation.x), dataset),
        "method": "sampling" if np.any(draws) else "moments",
        "num_samples": draws if np.ndim(draws) == 0 else [int(draws.min()), int(draws.max())],
        "seed": test.seed if np.any(draws) else None,
        "temperature": run.config.objective.temperature if run.is_bayesian else None,
    }


def out_of_distribution(run: Run, dataset: Dataset) -> Iterator[tuple[str, Any]]:
    """Name and images of each set that the configuration lists."""
    for part in run.config.evaluation.ood:
        yield _title(part), data.ood.resolve(part.identifier)(dataset)


def corrupted(run: Run, dataset: Dataset) -> Iterator[tuple[str, Iterator[Any]]]:
    """Name of each corruption that the configuration lists, and the test images under its five severities."""
    for part in run.config.evaluation.corruptions:
        yield _title(part), _severities(dataset, part, run.config.seed)


def _severities(dataset: Dataset, part: Part, seed: int) -> Iterator[Any]:
    options: dict[str, Any] = {"seed": seed, "value_range": dataset.value_range}
    for severity in corruptions.SEVERITIES:
        yield corruptions.corrupt(dataset.test.x, part.identifier, severity=severity, **options)


def _title(part: Part) -> str:
    options = ", ".join(f"{key}={value}" for key, value in part.options.items())
    return f"{part.name}({options})" if options else part.name


def _scores(predictive: Predictive, labelled: Split) -> dict[str, Any]:
    return {**metrics.classification_report(predictive.mean, labelled.y), **_mean_uncertainties(predictive)}


def _mean_uncertainties(predictive: Predictive) -> dict[str, float]:
    return {name: float(getattr(predictive, name).mean()) for name in UNCERTAINTIES}


def _against(test: Predictive, strange: Predictive, is_bayesian: bool) -> dict[str, Any]:
    scores: dict[str, float | None] = {
        name: metrics.ood_auroc(getattr(test, name), getattr(strange, name)) for name in SCORES
    }
    if not is_bayesian:
        scores["mutual_information"] = None  # nothing is drawn: it is zero everywhere and tells nothing apart
    return {"auroc": scores, **_mean_uncertainties(strange), "num_images": len(strange.mean)}


def _temperature_scaled(
    test: Predictive, labelled: Split, validation: Predictive, dataset: Dataset
) -> dict[str, Any] | None:
    if not dataset.validation_held_out:
        return None  # trained-on images look more certain than new ones: a temperature from them would mislead
    scaled, (logits, held_out) = _logits(test, validation)
    temperature = metrics.temperature_scale(held_out, dataset.validation.y)
    probs = metrics.apply_temperature(logits, temperature).mean(axis=0)
    scores = metrics.classification_report(probs, labelled.y)
    return {"softmax_temperature": float(temperature), "scaled": scaled, **scores}


def _logits(*predictives: Predictive) -> tuple[str, list[Any]]:
    """What a softmax temperature divides: the logits `[S, N, K]` of all draws, if every prediction has them."""
    if all(predictive.samples is not None for predictive in predictives):
        return "logits", [predictive.logits for predictive in predictives]
    smallest = np.finfo(np.float64).tiny
    return "log probabilities", [np.log(np.maximum(p.mean, smallest))[np.newaxis] for p in predictives]

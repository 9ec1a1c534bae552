"""How good a trained run is: scores on its test images, and how well it knows what is strange to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import bayesconv as bc
from bayesconv import data, metrics
from bayesconv.data import Dataset, Split
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.prediction import METHODS, Predictive
from bayesconv.registry import unknown_name_message
from bayesconv.runs import Run

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
      out-of-distribution set, AUROC of telling these from the test images, the scores at the softmax temperature that
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
        **metrics.classification_report(test.mean, dataset.test.y),
        **_mean_uncertainties(test),
        "ood": {name: _against(test, predicted(x), run.is_bayesian) for name, x in out_of_distribution(run, dataset)},
        "temperature_scaled": _temperature_scaled(test, dataset.test, predicted(dataset.validation.x), dataset),
        "method": "sampling" if np.any(draws) else "moments",
        "num_samples": draws if np.ndim(draws) == 0 else [int(draws.min()), int(draws.max())],
        "seed": test.seed if np.any(draws) else None,
        "temperature": run.config.objective.temperature if run.is_bayesian else None,
    }


def out_of_distribution(run: Run, dataset: Dataset) -> Iterator[tuple[str, Any]]:
    """Name and images of each set that the configuration lists."""
    for part in run.config.evaluation.ood:
        options = ", ".join(f"{key}={value}" for key, value in part.options.items())
        yield f"{part.name}({options})" if options else part.name, data.ood.resolve(part.identifier)(dataset)


def table(report: Mapping[str, Any]) -> str:
    """The report as text, at most 80 columns wide for names of usual length."""
    lines = [_heading(report), "", *_aligned(_score_rows(report)), ""]
    return "\n".join([*lines, *_aligned(_uncertainty_rows(report)), "", *_notes(report)]) + "\n"


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


def _heading(report: Mapping[str, Any]) -> str:
    start, temperature = f"{report['dataset']}: {report['num_images']} test images", report["temperature"]
    if temperature is None:
        return f"{start}, point weights, seed {report['seed']}"
    if report["method"] == "moments":
        return f"{start}, single pass of moments, KL temperature {temperature:g}"
    return f"{start}, {_draws(report['num_samples'])} draws, KL temperature {temperature:g}, seed {report['seed']}"


def _draws(num_samples: Any) -> str:
    return str(num_samples) if isinstance(num_samples, int) else " to ".join(map(str, sorted(set(num_samples))))


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["", "accuracy", "NLL", "Brier", "ECE", "ECE if calibrated"], ["as trained", *_scores(report)]]
    if scaled := report["temperature_scaled"]:
        rows.append([f"softmax temperature {scaled['softmax_temperature']:.2f}", *_scores(scaled)])
    return rows


def _scores(scores: Mapping[str, Any]) -> list[str]:
    null = scores["ece_null"]
    numbers = [f"{scores[key]:.4f}" for key in ("nll", "brier", "ece")]
    return [f"{scores['accuracy']:.1%}", *numbers, f"{null['lower']:.4f} to {null['upper']:.4f}"]


def _uncertainty_rows(report: Mapping[str, Any]) -> list[list[str]]:
    header = ["uncertainty [nats]", "epistemic", "aleatoric", "total", "AUROC epist.", "AUROC total"]
    sets = {"test images": report, **report["ood"]}
    return [header, *([name, *_uncertainty_cells(entry)] for name, entry in sets.items())]


def _uncertainty_cells(entry: Mapping[str, Any]) -> list[str]:
    means = [f"{entry[key]:.4f}" for key in ("mutual_information", "expected_entropy", "predictive_entropy")]
    auroc = entry.get("auroc", {})
    return [*means, *(_or_dash(auroc.get(key)) for key in ("mutual_information", "predictive_entropy"))]


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _notes(report: Mapping[str, Any]) -> list[str]:
    notes = [
        "NLL in nats per image. A calibrated model's ECE falls into the last column's",
        "range nine times in ten. Epistemic is mutual information, aleatoric expected",
        "entropy, total predictive entropy, all means; AUROC: a set against test images.",
    ]
    if report["temperature_scaled"] is None:
        notes.append("No temperature scaling: the validation images were trained on.")
    elif report["temperature_scaled"]["scaled"] != "logits":
        notes.append("The softmax temperature divides the logarithms of the probabilities.")
    return notes


def _aligned(rows: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]

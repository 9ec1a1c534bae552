"""The figures of a trained run, drawn into its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bayesconv import evaluation, metrics, plotting, runs
from bayesconv.data import Dataset
from bayesconv.layers import Layer
from bayesconv.prediction import Predictive
from bayesconv.runs import Run


def draw(run: Run, dataset: Dataset) -> list[Path]:
    """Draws what the run's data and weights allow.

    Args:
      run: A trained run.
      dataset: Its data.

    Returns:
      The paths of the PNG files in the run's `figures` folder.
    """
    return plotting.save_all(_figures(run, dataset), run.folder / runs.FIGURES)


def _figures(run: Run, dataset: Dataset) -> Iterator[tuple[str, Any]]:
    yield "learning_curves", plotting.learning_curves(runs.read_history(run.folder))
    test = evaluation.predict(run, dataset.test.x)
    strange = {name: evaluation.predict(run, x) for name, x in evaluation.out_of_distribution(run, dataset)}
    yield "reliability", _reliability(test, dataset)
    if dataset.input_shape[-1] in (1, 3) and len(test.mean) >= 8:
        yield "certainty", _certainty(test, dataset)
    for name, predictive in strange.items():
        for score in _scores(run):
            yield f"{score}_{name}", _histograms(score, test, predictive, name)
    if strange:
        yield "out_of_distribution", plotting.ood_scores(_auroc_table(run, test, strange))
    yield from _shift(run, dataset, test)
    if run.is_bayesian:
        yield "signal_to_noise", plotting.signal_to_noise(signal_to_noise(run.model))


def _shift(run: Run, dataset: Dataset, test: Predictive) -> Iterator[tuple[str, Any]]:
    sets = evaluation.corrupted(run, dataset)
    worse = {name: [test, *(evaluation.predict(run, x) for x in images)] for name, images in sets}
    for name, label, unit in (("accuracy", "accuracy", ""), ("nll", "NLL", "nats per image"), ("ece", "ECE", "")):
        score, labels = _SHIFT_SCORES[name], dataset.test.y
        table = {corruption: [score(p.mean, labels) for p in predictives] for corruption, predictives in worse.items()}
        if table:
            yield f"shift_{name}", plotting.shift_curves(table, name=label, unit=unit)


_SHIFT_SCORES = {
    "accuracy": metrics.accuracy,
    "nll": metrics.negative_log_likelihood,
    "ece": metrics.expected_calibration_error,
}


def signal_to_noise(model: Layer) -> dict[str, Any]:
    """|mean| / standard deviation of every kernel element, by the name of its layer.

    Args:
      model: A model; layers of point weights are left out.
    """
    layers = [m for m in model.submodules if isinstance(m, Layer) and m.posterior is not None]
    return {layer.name: _ratio(layer.posterior.kernel) for layer in layers}


def _ratio(posterior: Any) -> Any:
    return np.abs(posterior.mean().numpy() / posterior.stddev().numpy()).ravel()


def _reliability(test: Predictive, dataset: Dataset) -> Any:
    curve = metrics.reliability_curve(test.mean, dataset.test.y)
    error = metrics.expected_calibration_error(test.mean, dataset.test.y)
    return plotting.reliability_diagram(curve, ece=error, null=metrics.ece_null(test.mean))


def _certainty(test: Predictive, dataset: Dataset) -> Any:
    low, high = dataset.value_range
    spread = high - low if high > low else 1.0  # images of one value stay flat
    images = np.clip((dataset.test.x - low) / spread, 0, 1)  # colours are shown from 0 to 1
    return plotting.most_and_least_certain(
        images, test.mean, test.std, dataset.test.y, test.predictive_entropy, class_names=dataset.class_names
    )


def _histograms(score: str, test: Predictive, strange: Predictive, name: str) -> Any:
    inside, outside = getattr(test, score), getattr(strange, score)
    return plotting.uncertainty_histograms(
        inside,
        outside,
        name=score.replace("_", " "),
        in_name="test images",
        out_name=name.replace("_", " "),
        auroc=metrics.ood_auroc(inside, outside),
    )


def _auroc_table(run: Run, test: Predictive, strange: dict[str, Predictive]) -> dict[str, dict[str, float]]:
    return {
        name.replace("_", " "): {s: metrics.ood_auroc(getattr(test, s), getattr(predictive, s)) for s in _scores(run)}
        for name, predictive in strange.items()
    }


def _scores(run: Run) -> tuple[str, ...]:
    # With point weights nothing is drawn: the mutual information is zero everywhere.
    return evaluation.SCORES if run.is_bayesian else ("predictive_entropy",)

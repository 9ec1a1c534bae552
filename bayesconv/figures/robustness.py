"""Figures of what a run was not trained on: strange sets, and test images that were corrupted. For every task."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from bayesconv import evaluation, metrics, plotting
from bayesconv.evaluation import real_scores
from bayesconv.evaluation import regression as real_numbers
from bayesconv.evaluation import segmentation as pixels
from bayesconv.figures.subject import Subject
from bayesconv.prediction import Predictive

Drawn = Iterator[tuple[str, Any]]
# The uncertainties of images that are drawn; of the others an evaluation has the figures.
_UNITS = {
    "predictive_entropy": "nats",
    "mutual_information": "nats",
    "epistemic_std": "unit of the target",
    "spread": "unit of the target",
}


def histograms(subject: Subject) -> Drawn:
    """Each uncertainty on the test images and on each strange set."""
    for name, (inside, outside) in _told_apart(subject):
        for score in _drawn_scores(inside, outside):
            yield f"{score}_{name}", _histograms(score, inside[score], outside[score], name)


def roc(subject: Subject) -> Drawn:
    """How well each score tells each strange set from the test images."""
    for name, (inside, outside) in _told_apart(subject):
        yield f"roc_{name}", plotting.roc_curves(inside, outside)


def out_of_distribution(subject: Subject) -> Drawn:
    """The areas under these curves."""
    table = {
        name.replace("_", " "): {
            score: metrics.ood_auroc(inside[score], outside[score]) for score in _drawn_scores(inside, outside)
        }
        for name, (inside, outside) in _told_apart(subject)
    }
    if table:
        yield "out_of_distribution", plotting.ood_scores(table)


def shift(subject: Subject) -> Drawn:
    """Scores of the task against the severity of each corruption."""
    labels, by_corruption = subject.dataset.test.y, {}
    for name, chosen, images in evaluation.corrupted(subject.run, subject.dataset):
        clean = _score(subject, _unharmed(subject, chosen), labels[chosen])
        worse = [_score(subject, _predicted(subject, x, name), labels[chosen]) for x in images]
        by_corruption[name] = [clean, *worse]
    for key in next(iter(by_corruption.values()))[0]:
        table = {corruption: [scored[key] for scored in several] for corruption, several in by_corruption.items()}
        label, unit = _LABELS[key]
        unit = f"nats per {_EXAMPLES[subject.task]}" if key == "nll" else unit
        yield f"shift_{key}", plotting.shift_curves(table, name=label, unit=unit)


_EXAMPLES = {"classification": "image", "regression": "example", "segmentation": "pixel"}
_LABELS = {
    "accuracy": ("accuracy", ""),
    "nll": ("NLL", ""),
    "ece": ("ECE", ""),
    "rmse": ("RMSE", "unit of the target"),
    "pinball": ("pinball loss", "unit of the target"),
    "mean_iou": ("mean IoU", ""),
}


def _told_apart(subject: Subject) -> Iterator[tuple[str, tuple[Mapping[str, Any], Mapping[str, Any]]]]:
    """The scores of the test images and those of each strange set, those that both have."""
    inside = _uncertainties(subject, subject.test)
    for name, predictive in subject.strange.items():
        outside = _uncertainties(subject, predictive)
        known = [score for score in inside if score in outside]  # the draws of a large set may not have been kept
        if known:  # as a Student-t without a variance and with point weights has not
            yield name, ({score: inside[score] for score in known}, {score: outside[score] for score in known})


def _uncertainties(subject: Subject, predictive: Predictive) -> dict[str, Any]:
    """By name what tells images apart, `[N]`."""
    several = subject.run.has_several_functions
    if subject.task == "classification":
        return evaluation.uncertainty_scores(predictive, has_several=several)
    if subject.task == "regression":
        found = real_numbers.strangeness(predictive)
    else:
        found = pixels.uncertainty_of_images(predictive, np.ones(predictive.mean.shape[:-1], bool), several)
    # A single function has an epistemic spread of 0 everywhere.
    return {name: v for name, v in found.items() if v is not None and (several or name != "epistemic_std")}


def _drawn_scores(inside: Mapping[str, Any], outside: Mapping[str, Any]) -> list[str]:
    return [score for score in _UNITS if score in inside and score in outside]


def _histograms(score: str, inside: Any, outside: Any, name: str) -> Any:
    return plotting.uncertainty_histograms(
        inside,
        outside,
        name=score.replace("_", " "),
        unit=_UNITS[score],
        in_name="test images",
        out_name=name.replace("_", " "),
        auroc=metrics.ood_auroc(inside, outside),
    )


def _predicted(subject: Subject, images: Any, name: str) -> Predictive:
    """The prediction that the evaluation made; of real targets the density is that of the draws."""
    return subject.predict(images, name, keep_samples=None if subject.task == "regression" else False)


def _unharmed(subject: Subject, chosen: Any) -> Predictive:
    images = subject.dataset.test.x
    return subject.test if len(chosen) == len(images) else _predicted(subject, images[chosen], "test")


def _score(subject: Subject, predictive: Predictive, targets: Any) -> dict[str, float]:
    return _SCORES[subject.task](subject, predictive, targets)


def _of_classes(subject: Subject, predictive: Predictive, labels: Any) -> dict[str, float]:
    probs = predictive.mean
    return {
        "accuracy": metrics.accuracy(probs, labels),
        "nll": metrics.negative_log_likelihood(probs, labels),
        "ece": metrics.expected_calibration_error(probs, labels),
    }


def _of_numbers(subject: Subject, predictive: Predictive, targets: Any) -> dict[str, float]:
    y = np.reshape(targets, predictive.mean.shape)
    others = {"nll": real_scores.nll(predictive, y), "pinball": real_scores.pinball(predictive, y)}
    means = {name: float(np.mean(values)) for name, values in others.items() if values is not None}
    return {"rmse": math.sqrt(np.square(predictive.mean - y).mean()), **means}


def _of_pixels(subject: Subject, predictive: Predictive, labels: Any) -> dict[str, float]:
    counted = pixels.counted_pixels(labels, subject.dataset.ignored_label)
    probs, true = predictive.mean[counted], labels[counted]
    confusion = metrics.confusion_matrix(probs.argmax(axis=-1), true, num_classes=probs.shape[-1])
    return {
        "mean_iou": metrics.mean_intersection_over_union(confusion),
        "accuracy": metrics.accuracy(probs, true),
        "nll": metrics.negative_log_likelihood(probs, true),
    }


_SCORES: dict[str, Callable[..., dict[str, float]]] = {
    "classification": _of_classes,
    "regression": _of_numbers,
    "segmentation": _of_pixels,
}

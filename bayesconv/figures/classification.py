"""Figures of a classifier's predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesconv import evaluation, metrics, plotting
from bayesconv.data import Dataset
from bayesconv.figures.subject import Subject
from bayesconv.prediction import Predictive

Drawn = Iterator[tuple[str, Any]]
_FEWEST_IMAGES = 8
_MOST_RESAMPLED = 2000  # test images behind a bootstrap over draws, which more would not make any smoother
_MISCOVERAGE = 0.1


def reliability(subject: Subject) -> Drawn:
    """Accuracy against confidence on the test images."""
    test, labels = subject.test, subject.dataset.test.y
    curve = metrics.reliability_curve(test.mean, labels)
    error = metrics.expected_calibration_error(test.mean, labels)
    yield "reliability", plotting.reliability_diagram(curve, ece=error, null=metrics.ece_null(test.mean))


def temperature_scaling(subject: Subject) -> Drawn:
    """The same before and after the softmax temperature that suits the validation images."""
    labels = subject.dataset.test.y
    # Of the draws only if both sets kept them: a temperature suits what it was fitted to.
    has_draws = subject.validation.samples is not None and subject.test.samples is not None
    fitted, test = (_logits(predictive, has_draws) for predictive in (subject.validation, subject.test))
    temperature = metrics.temperature_scale(fitted, subject.dataset.validation.y)
    scaled = metrics.apply_temperature(test, temperature).mean(axis=0)
    both = {"as trained": subject.test.mean, f"softmax temperature {temperature:.2f}": scaled}
    yield (
        "temperature_scaling",
        plotting.calibration_overlay(
            {name: metrics.reliability_curve(probs, labels) for name, probs in both.items()},
            ece={name: metrics.expected_calibration_error(probs, labels) for name, probs in both.items()},
        ),
    )


def risk_coverage(subject: Subject) -> Drawn:
    """Error of the test images that are kept, by each uncertainty."""
    scores = _scores(subject.test, subject)
    chosen = {score.replace("_", " "): scores[score] for score in ("max_probability", *scores_of(subject))}
    wrong = subject.test.mean.argmax(axis=1) != subject.dataset.test.y
    yield "risk_coverage", plotting.risk_coverage(chosen, wrong)


def sample_convergence(subject: Subject) -> Drawn:
    """Scores against the number of draws."""
    logits, labels = subject.test.logits[:, :_MOST_RESAMPLED], subject.dataset.test.y[:_MOST_RESAMPLED]
    yield "sample_convergence", plotting.sample_convergence(logits, labels, seed=subject.run.config.seed)


def conformal_sets(subject: Subject) -> Drawn:
    """Sizes of sets that hold nine labels in ten, calibrated on the validation images."""
    scores = {
        "THR": metrics.threshold_scores,
        "APS": metrics.adaptive_scores,
        "RAPS": metrics.regularized_adaptive_scores,
    }
    labels, sets = subject.dataset.validation.y, {}
    for name, class_scores in scores.items():
        fitted = metrics.conformal_sets(
            subject.validation.mean, labels, miscoverage=_MISCOVERAGE, class_scores=class_scores
        )
        sets[name] = fitted(subject.test.mean)
    yield "conformal_sets", plotting.conformal_set_sizes(sets, subject.dataset.test.y)


def certainty(subject: Subject) -> Drawn:
    """The surest and the least sure images with their class probabilities."""
    test, dataset = subject.test, subject.dataset
    yield (
        "certainty",
        plotting.most_and_least_certain(
            _visible(dataset),
            test.mean,
            test.std,
            dataset.test.y,
            test.predictive_entropy,
            class_names=dataset.class_names,
            series=_are_series(dataset),
        ),
    )


def ranked_images(subject: Subject) -> Drawn:
    """The test images in the order of each uncertainty."""
    test, dataset = subject.test, subject.dataset
    scores = {score: getattr(test, score) for score in scores_of(subject)}
    names, predicted = dataset.class_names, test.mean.argmax(axis=1)
    captions = [
        names[k] if k == y else f"{names[k]} \N{BALLOT X}" for k, y in zip(predicted, dataset.test.y, strict=True)
    ]
    num_images = min(8, len(predicted) // 2)
    options: dict[str, Any] = {"num_images": num_images, "captions": captions, "series": _are_series(dataset)}
    yield "ranked_images", plotting.ranked_images(_visible(dataset), scores, **options)


def scores_of(subject: Subject) -> tuple[str, ...]:
    """The uncertainties that a run has."""
    # The mutual information of a single function is zero everywhere.
    return evaluation.SCORES if subject.run.has_several_functions else ("predictive_entropy",)


def has_pictures(subject: Subject) -> bool:
    """Whether the test images, or series, can be shown, and are enough for it."""
    shape = subject.dataset.input_shape
    can_be_seen = _are_series(subject.dataset) or (len(shape) == 3 and shape[-1] in (1, 3))
    return can_be_seen and len(subject.dataset.test.y) >= _FEWEST_IMAGES


def _are_series(dataset: Dataset) -> bool:
    return len(dataset.input_shape) == 2


def _scores(predictive: Predictive, subject: Subject) -> dict[str, Any]:
    return evaluation.uncertainty_scores(predictive, has_several=subject.run.has_several_functions)


def _visible(dataset: Dataset) -> Any:
    low, high = dataset.value_range
    spread = high - low if high > low else 1.0  # images of one value stay flat
    return np.clip((dataset.test.x - low) / spread, 0, 1)  # colours are shown from 0 to 1


def _logits(predictive: Predictive, has_draws: bool) -> Any:
    """What a softmax temperature divides: the logits of all draws, or the logarithms of the probabilities."""
    if has_draws:
        return predictive.logits
    return np.log(np.maximum(predictive.mean, np.finfo(np.float64).tiny))[np.newaxis]

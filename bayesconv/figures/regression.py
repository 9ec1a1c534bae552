"""Figures of predicted real numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesconv import plotting
from bayesconv.evaluation import real_targets
from bayesconv.evaluation.quantile_scores import below_quantiles
from bayesconv.figures.subject import Subject

Drawn = Iterator[tuple[str, Any]]


def predicted_against_true(subject: Subject) -> Drawn:
    """Predictions with error bars against the test targets, a figure a target."""
    mean, targets = subject.test.mean, _targets(subject)
    std = _total_std(subject)
    for t, name in enumerate(subject.dataset.class_names):
        ax = plotting.predicted_against_true(targets[:, t], mean[:, t], None if std is None else std[:, t])
        ax.set(xlabel=f"true {name}", ylabel=f"predicted {name}")
        yield "predicted_against_true" if len(targets[0]) == 1 else f"predicted_against_true_{t}", ax


def quantile_calibration(subject: Subject) -> Drawn:
    """Shares of the test targets below predicted quantiles, and inside of predicted intervals."""
    if levels := real_targets.known_levels(subject.test):
        below = below_quantiles(subject.test, _targets(subject))
        named = {name: below[:, t] for t, name in enumerate(subject.dataset.class_names)}
        yield "quantile_calibration", plotting.quantile_shares(named, levels)
        return
    pit = subject.test.cdf(_targets(subject))
    by_target = {name: pit[:, t] for t, name in enumerate(subject.dataset.class_names)}
    yield "quantile_calibration", plotting.quantile_calibration(by_target)
    yield "interval_coverage", plotting.quantile_calibration(by_target, intervals=True)


def error_coverage(subject: Subject) -> Drawn:
    """Absolute error of the test targets that are kept, the surest first."""
    std: Any = _total_std(subject)
    errors = np.abs(_targets(subject) - subject.test.mean)
    names = subject.dataset.class_names
    uncertainty = {name: std[:, t] for t, name in enumerate(names)}
    losses = {name: errors[:, t] for t, name in enumerate(names)}
    yield "error_coverage", plotting.risk_coverage(uncertainty, losses, name="absolute error of what is kept")


def predictive_bands(subject: Subject) -> Drawn:
    """Predictions along the only input, over the training data."""
    train, test = subject.dataset.train, subject.dataset.test
    inputs = np.ravel(train.x)
    places = np.linspace(inputs.min(), inputs.max(), 201)
    predicted = subject.predict(places.reshape(-1, *test.x.shape[1:]).astype(np.float32), "places")
    targets = np.reshape(train.y, [len(train.y), -1])
    for t, name in enumerate(subject.dataset.class_names):
        functions = None if predicted.samples is None else predicted.samples[:8, :, t]
        ax = plotting.predictive_bands(
            places,
            predicted.mean[:, t],
            predicted.total_std[:, t],
            aleatoric=predicted.aleatoric_std[:, t],
            data=(inputs, targets[:, t]),
            functions=functions,
        )
        ax.set_ylabel(name)
        yield "predictive_bands" if targets.shape[1] == 1 else f"predictive_bands_{t}", ax


def has_variance(subject: Subject) -> bool:
    """Whether targets have a finite variance, as those of quantiles and of a Student-t of df 2 have not."""
    return real_targets.has_moments(subject.test)


def has_quantiles(subject: Subject) -> bool:
    """Whether the likelihood has quantiles, all of them or some, and the draws behind them were kept."""
    return real_targets.has_density(subject.test) or bool(real_targets.known_levels(subject.test))


def has_one_input(subject: Subject) -> bool:
    """Whether predictions are a function of a single number."""
    return math.prod(subject.dataset.input_shape) == 1 and has_variance(subject)


def _total_std(subject: Subject) -> np.ndarray | None:
    return subject.test.total_std if has_variance(subject) else None


def _targets(subject: Subject) -> np.ndarray:
    return np.reshape(subject.dataset.test.y, subject.test.mean.shape)

"""Recalibrated predictions: what is fitted to held-out images, as numbers, and how it changes a prediction."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr

from bayesconv import metrics
from bayesconv.evaluation.draws import average, scalable
from bayesconv.prediction import Predictive


class Calibration(NamedTuple):
    """A fitted remedy, ready for JSON.

    Attributes:
      method: `"temperature"`, `"vector"` or `"isotonic"`.
      on: What it changes: `"logits"` of every draw, `"log probabilities"` where there are no draws, `"probabilities"`.
      parameters: The fitted numbers.
    """

    method: str
    on: str
    parameters: dict[str, Any]


class _Steps(NamedTuple):
    """A rising function between points, as `IsotonicRegression.predict` has it."""

    x: Any
    y: Any

    def predict(self, values: Any) -> Any:
        return np.interp(values, self.x, self.y)


def fit_calibration(method: str, predictive: Predictive, labels: Any) -> Calibration:
    """Fits a remedy to the prediction for images that the model was not trained on.

    Temperature and vector scaling change the logits of every draw, if they were kept, so that predictions keep both
    parts of their uncertainty. Otherwise they change the logarithms of the probabilities.

    Args:
      method: `"temperature"`, `"vector"` or `"isotonic"`.
      predictive: The prediction of classes.
      labels: `[N]` integers.

    Raises:
      ValueError: If there is no such method, or the labels do not fit.
    """
    if method == "isotonic":
        regressors = metrics.isotonic_scale(predictive.mean, labels).regressors
        steps = [{"x": r.X_thresholds_.tolist(), "y": r.y_thresholds_.tolist()} for r in regressors]
        return Calibration(method, "probabilities", {"classes": steps})
    on = "log probabilities" if predictive.samples is None else "logits"
    logits, weights = scalable(predictive, on)
    if method == "temperature":
        return Calibration(method, on, {"temperature": metrics.temperature_scale(logits, labels, weights=weights)})
    if method == "vector":
        scaling = metrics.vector_scale(logits, labels, weights=weights)
        return Calibration(method, on, {"scale": scaling.scale.tolist(), "bias": scaling.bias.tolist()})
    raise ValueError(f"`method` must be temperature, vector or isotonic. Received {method!r}.")


def calibrated(calibration: Calibration, predictive: Predictive) -> Predictive:
    """The prediction with recalibrated probabilities, and uncertainties that belong to them.

    Isotonic scaling knows the average over the draws only: the mutual information stays what it was, but for being no
    larger than the new predictive entropy, and `expected_entropy` is the rest; `std` and votes are of the draws as they
    were.

    Args:
      calibration: What was fitted.
      predictive: Any prediction of the same run, made in the same way.

    Raises:
      ValueError: If the calibration is of logits, and those of the prediction were not kept.
    """
    parameters = calibration.parameters
    if calibration.method == "isotonic":
        steps = [_Steps(entry["x"], entry["y"]) for entry in parameters["classes"]]
        return _of_mean(predictive, metrics.apply_isotonic_scaling(predictive.mean, metrics.IsotonicScaling(steps)))
    logits, weights = scalable(predictive, calibration.on)
    scaled = _SCALED[calibration.method](logits.astype(np.float64), parameters)
    if calibration.on != "logits":
        return _of_mean(predictive, metrics.apply_temperature(scaled[0], 1.0))
    return _of_draws(predictive, scaled, weights)


def _by_temperature(logits: Any, parameters: Mapping[str, Any]) -> Any:
    return logits / parameters["temperature"]


def _by_vector(logits: Any, parameters: Mapping[str, Any]) -> Any:
    return np.asarray(parameters["scale"]) * logits + np.asarray(parameters["bias"])


_SCALED: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {"temperature": _by_temperature, "vector": _by_vector}


def _of_draws(predictive: Predictive, logits: Any, weights: Any) -> Predictive:
    probs = metrics.apply_temperature(logits, 1.0)
    mean = average(probs, weights)
    total, expected = entr(mean).sum(axis=-1), average(entr(probs).sum(axis=-1), weights)
    votes = average(np.eye(mean.shape[-1])[probs.argmax(axis=-1)], weights)
    return dataclasses.replace(
        predictive,
        mean=mean,
        std=np.sqrt(average(np.square(probs - mean), weights)),
        predictive_entropy=total,
        expected_entropy=expected,
        mutual_information=np.maximum(total - expected, 0.0),
        samples=logits.astype(np.float32),
        votes=None if predictive.votes is None else votes,
    )


def _of_mean(predictive: Predictive, mean: Any) -> Predictive:
    total = entr(mean).sum(axis=-1)
    between = np.minimum(predictive.mutual_information, total)
    return dataclasses.replace(
        predictive,
        mean=mean,
        predictive_entropy=total,
        expected_entropy=total - between,
        mutual_information=between,
        samples=None,
    )

"""Validation data: read into memory, and scored after every epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.layers import Layer
from bayesconv.likelihoods import Likelihood
from bayesconv.prediction import Predictive, predict


def in_memory(validation: Any) -> Any:
    """Validation data as a pair of arrays; a finite data set of batches is read once."""
    if not isinstance(validation, tf.data.Dataset):
        return validation
    if int(validation.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError("`validation` must be finite. Received an infinite tf.data.Dataset; .take(n).")
    batches = list(validation.as_numpy_iterator())
    if not batches or not isinstance(batches[0], tuple) or len(batches[0]) != 2:
        raise ValueError(
            "`validation` is a pair (x, y) of arrays, or a tf.data.Dataset of such batches. Received one whose "
            f"elements are {validation.element_spec}{'' if batches else ', and which is empty'}."
        )
    return tuple(np.concatenate(part) for part in zip(*batches, strict=True))


def validator(
    model: Layer, validation: Any, likelihood: Likelihood, num_samples: int, seed: int, calibration: Any
) -> Callable[[], dict[str, float]]:
    """What gives the scores of the validation data, `validation_nll` in nats per example and one of the task.

    Args:
      model: The model, at the time of the call.
      validation: `(x, y)` arrays; None gives no scores.
      likelihood: What the outputs say of the targets.
      num_samples: Draws of the weights.
      seed: Of these, the same every time.
      calibration: Inputs for layers that take the moments of each draw, or None.
    """
    if validation is None:
        return dict
    x, y = validation

    def validate() -> dict[str, float]:
        predictive = predict(
            model,
            x,
            num_samples=num_samples,
            seed=seed,
            likelihood=likelihood,
            keep_samples=True,
            calibration=calibration,
        )
        nll = _nll(predictive.logits, y, likelihood)
        if not math.isfinite(nll):
            raise FloatingPointError(
                f"The validation NLL is {nll}, though the training loss is finite: check the data."
            )
        return {"validation_nll": nll, **_score(predictive, np.asarray(y), likelihood)}

    return validate


def _nll(samples: Any, y: Any, likelihood: Likelihood) -> float:
    """Negative logarithm of the mean probability over draws, of each label by itself; nats per example."""
    log_prob = likelihood.log_prob_of_labels or likelihood.log_prob
    log_probs = tf.stack([log_prob(outputs, y) for outputs in samples.astype(np.float64)])
    mixed = tf.reduce_logsumexp(log_probs, axis=0) - math.log(len(log_probs))
    return -float(tf.reduce_sum(mixed)) / len(samples[0])


def _score(predictive: Predictive, y: Any, likelihood: Likelihood) -> dict[str, float]:
    if likelihood.task == "regression":
        errors = predictive.mean - y.reshape(predictive.mean.shape)
        return {"validation_rmse": float(np.sqrt(np.mean(np.square(errors))))}
    if likelihood.log_prob_of_labels is None:
        return {}
    counted = y != dict(likelihood.options).get("ignored_label")
    return {"validation_accuracy": float(np.mean((predictive.mean.argmax(-1) == y)[counted]))}

"""Remedies for probabilities that are not calibrated: fitted on held-out data, applied to any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, logsumexp, softmax

from bayesconv.metrics.checks import Floats, check_labelled, check_labels, check_logits, check_probs, check_values

_TEMPERATURES = (0.05, 20.0)
_LARGEST_BIAS = 50.0


class VectorScaling(NamedTuple):
    """softmax(scale * logits + bias), a factor and a summand for each class."""

    scale: Floats  # [K]
    bias: Floats  # [K], of mean 0: a common summand changes no softmax


class IsotonicScaling(NamedTuple):
    """A rising step function of the probability for each class."""

    regressors: Sequence[Any]  # [K] of sklearn.isotonic.IsotonicRegression


def temperature_scale(
    logits_val: npt.ArrayLike, labels_val: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """The temperature T in [0.05, 20] whose softmax(logits / T) has the least NLL on held-out data.

    Args:
      logits_val: `[N, K]`, or `[S, N, K]` for weight samples, whose tempered probabilities are averaged.
      labels_val: `[N]` integers in `[0, K)`, of data that the model was not trained on.
      weights: What each of the S samples counts, `[S]`; they count equally by default.

    Returns:
      T; above 1 means overconfident. A value next to an end of the range means that there is no minimum inside it.

    Raises:
      ValueError: If the shapes do not match, a logit is not finite or a label is out of range.

    Example:
      >>> round(temperature_scale([[2.0, 0.0]] * 4, [0, 0, 0, 1]), 2)  # softmax([2 / T, 0]) = [3/4, 1/4]
      1.82

    References:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017. arXiv:1706.04599
    """
    from scipy.optimize import minimize_scalar

    logits = check_logits("logits_val", logits_val)
    labels, log_weights = check_labels(labels_val, *logits.shape[1:]), _log_weights(weights, len(logits))

    def loss(log_temperature: float) -> float:
        log_probs = log_softmax(logits / np.exp(log_temperature), axis=-1)[:, np.arange(len(labels)), labels]
        return -float(np.mean(logsumexp(log_probs + log_weights, axis=0)))

    return float(np.exp(minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded").x))


def apply_temperature(logits: npt.ArrayLike, temperature: float) -> Floats:
    """softmax(logits / temperature) over the last axis, `[..., K]` to `[..., K]`.

    Raises:
      ValueError: If `temperature` is not positive.

    Example:
      >>> apply_temperature([[2.0, 0.0]], 1e3).round(2)
      array([[0.5, 0.5]])
    """
    if not temperature > 0:
        raise ValueError(f"`temperature` must be positive; 1 changes nothing. Received {temperature}.")
    return softmax(np.asarray(logits, np.float64) / temperature, axis=-1)


def vector_scale(
    logits_val: npt.ArrayLike, labels_val: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> VectorScaling:
    """The scale and bias of each class whose softmax(scale * logits + bias) has the least NLL on held-out data.

    It is `temperature_scale` with 2 K numbers in place of one: it mends classes that are predicted too often, and wants
    a few hundred examples per class. Scales stay in [1/20, 20] and biases in [-50, 50] before they are centred, which
    matters only where the data are separable and there is no minimum.

    Args:
      logits_val: `[N, K]`, or `[S, N, K]` for weight samples, whose scaled probabilities are averaged.
      labels_val: `[N]` integers in `[0, K)`, of data that the model was not trained on.
      weights: What each of the S samples counts, `[S]`; they count equally by default.

    Raises:
      ValueError: If the shapes do not match, a logit is not finite or a label is out of range.

    Example:
      >>> scaling = vector_scale([[0.0, 0.0]] * 4, [0, 0, 0, 1])  # the bias alone makes softmax [3/4, 1/4]
      >>> apply_vector_scaling([[0.0, 0.0]], scaling).round(3)
      array([[0.75, 0.25]])

    References:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017. arXiv:1706.04599
    """
    from scipy.optimize import minimize

    logits = check_logits("logits_val", logits_val)
    num_samples, num_examples, num_classes = logits.shape
    labels, log_weights = check_labels(labels_val, num_examples, num_classes), _log_weights(weights, num_samples)
    hits = np.eye(num_classes)[labels]

    def loss(both: Floats) -> tuple[float, Floats]:
        log_probs = log_softmax(both[:num_classes] * logits + both[num_classes:], axis=-1)
        of_label = log_probs[:, np.arange(num_examples), labels] + log_weights
        together = logsumexp(of_label, axis=0)
        # d -log sum_s w_s p_s(label) / d logit_s = share_s (p_s - 1[label]), share_s = w_s p_s(label) / the sum
        slopes = np.exp(of_label - together)[..., None] * (np.exp(log_probs) - hits) / num_examples
        gradient = np.concatenate([(slopes * logits).sum(axis=(0, 1)), slopes.sum(axis=(0, 1))])
        return -float(together.mean()), gradient

    start = np.repeat([1.0, 0.0], num_classes)
    bounds = [_TEMPERATURES] * num_classes + [(-_LARGEST_BIAS, _LARGEST_BIAS)] * num_classes
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-8}).x
    return VectorScaling(best[:num_classes], best[num_classes:] - best[num_classes:].mean())


def apply_vector_scaling(logits: npt.ArrayLike, scaling: VectorScaling) -> Floats:
    """softmax(scale * logits + bias) over the last axis, `[..., K]` to `[..., K]`.

    Raises:
      ValueError: If the logits have another number of classes than the scaling.

    Example:
      >>> apply_vector_scaling([[2.0, 0.0]], VectorScaling(np.zeros(2), np.zeros(2)))
      array([[0.5, 0.5]])
    """
    z = np.asarray(logits, np.float64)
    _check_classes("logits", z, len(scaling.scale))
    return softmax(scaling.scale * z + scaling.bias, axis=-1)


def isotonic_scale(probs_val: npt.ArrayLike, labels_val: npt.ArrayLike) -> IsotonicScaling:
    """For each class the rising function of its probability that fits its frequency best, on held-out data.

    It makes no assumption on the shape, keeps the order within a class, and wants a thousand examples or more.

    Args:
      probs_val: `[N, K]`, rows sum to one.
      labels_val: `[N]` integers in `[0, K)`, of data that the model was not trained on.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label is out of range.

    Example:
      >>> scaling = isotonic_scale([[0.9, 0.1]] * 4, [0, 0, 0, 1])
      >>> apply_isotonic_scaling([[0.9, 0.1]], scaling)
      array([[0.75, 0.25]])

    References:
      Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability Estimates, KDD 2002.
    """
    from sklearn.isotonic import IsotonicRegression  # most of a second to import, and only this function needs it

    p, y = check_labelled(probs_val, labels_val)
    return IsotonicScaling(
        [IsotonicRegression(out_of_bounds="clip").fit(p[:, k], y == k) for k in range(p.shape[1])],
    )


def apply_isotonic_scaling(probs: npt.ArrayLike, scaling: IsotonicScaling) -> Floats:
    """Each class' step function of its probability, divided by their sum, `[N, K]` to `[N, K]`.

    A row in which every function is 0 becomes uniform.

    Raises:
      ValueError: If `probs` has another number of classes than the scaling, or a row is no distribution.

    Example:
      >>> scaling = isotonic_scale([[0.9, 0.1], [0.2, 0.8]], [0, 1])
      >>> apply_isotonic_scaling([[0.95, 0.05]], scaling)
      array([[1., 0.]])
    """
    p = check_probs(probs)
    _check_classes("probs", p, len(scaling.regressors))
    steps = np.stack([regressor.predict(p[:, k]) for k, regressor in enumerate(scaling.regressors)], axis=1)
    total = steps.sum(axis=1, keepdims=True)
    return np.where(total > 0, steps / np.where(total > 0, total, 1.0), 1.0 / p.shape[1])


def _log_weights(weights: npt.ArrayLike | None, num_samples: int) -> Floats:
    """Logarithms of the weights of the samples, which are made to add up to 1, `[S, 1]`."""
    w = np.full(num_samples, 1.0) if weights is None else check_values("weights", weights, (num_samples,))
    if w.min() <= 0:
        raise ValueError(f"`weights` must be positive. Received {w.min()}.")
    return np.log(w / w.sum())[:, np.newaxis]


def _check_classes(name: str, values: Floats, num_classes: int) -> None:
    if values.ndim < 1 or values.shape[-1] != num_classes:
        raise ValueError(
            f"`{name}` must have the {num_classes} classes that the scaling was fitted to, last. "
            f"Received shape {list(values.shape)}."
        )

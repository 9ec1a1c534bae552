"""Predictors whose calibration is known by construction, for the tests of this folder."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax


def calibrated(rng: np.random.Generator, num: int, num_classes: int = 5, spread: float = 2.0):
    """Probabilities, and labels drawn from them."""
    probs = softmax(rng.normal(size=(num, num_classes)) * spread, axis=1)
    return probs, drawn(probs, rng)


def drawn(probs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A label from each row."""
    return (probs.cumsum(axis=1)[:, :-1] < rng.random((len(probs), 1))).sum(axis=1)


def sharpened(probs: np.ndarray, power: float) -> np.ndarray:
    """Overconfident, for a power above 1."""
    return softmax(power * np.log(probs), axis=1)

"""How good, how calibrated and how uncertain predicted class probabilities are. NumPy arrays in, numbers out.

`S` counts weight samples, `N` examples, `K` classes. Entropies and likelihoods are in nats. Every function that takes
`probs` checks it: `[N, K]` with N >= 1 and K >= 2, finite, no entry negative, rows summing to one within 1e-4; `labels`
are `[N]` integers in `[0, K)`. A violation is a ValueError that says what was received.
"""

from bayesconv.metrics.calibration import (
    NullBand,
    ReliabilityCurve,
    apply_temperature,
    ece_null,
    expected_calibration_error,
    reliability_curve,
    temperature_scale,
)
from bayesconv.metrics.scores import accuracy, brier_score, classification_report, negative_log_likelihood
from bayesconv.metrics.uncertainty import expected_entropy, mutual_information, ood_auroc, predictive_entropy

__all__ = [
    "NullBand",
    "ReliabilityCurve",
    "accuracy",
    "apply_temperature",
    "brier_score",
    "classification_report",
    "ece_null",
    "expected_calibration_error",
    "expected_entropy",
    "mutual_information",
    "negative_log_likelihood",
    "ood_auroc",
    "predictive_entropy",
    "reliability_curve",
    "temperature_scale",
]

"""All scores of predicted classes, each with its interval: quality, calibration, and what abstaining would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv import metrics
from bayesconv.evaluation.intervals import LEVEL, SEED, ends, resampled
from bayesconv.evaluation.uncertainties import mean_uncertainties, uncertainties_by_example, uncertainty_scores, wrong
from bayesconv.metrics import Interval
from bayesconv.metrics.weighted_scores import means
from bayesconv.prediction import Predictive

SHORT = {
    "accuracy": "accuracy",
    "negative_log_likelihood": "nll",
    "brier_score": "brier",
    "expected_calibration_error": "ece",
}
COVERAGES, RISKS = (0.8, 0.9), (0.01, 0.05)
SELECTED_BY = ("predictive_entropy", "mutual_information", "max_probability")
_SELECTION = {
    "aurc": "area_under_risk_coverage",
    "e_aurc": "excess_area_under_risk_coverage",
    "augrc": "area_under_generalized_risk_coverage",
}
_ERRORS = ("maximum", "adaptive", "classwise", "debiased_squared", "smooth")  # besides the expected one


def headline(predictive: Predictive, labels: Any, *, num_resamples: int) -> dict[str, Any]:
    """Accuracy, NLL, Brier score, ECE and its null band, mean uncertainties, and the intervals of all."""
    found = of_probs(predictive.mean, labels, num_resamples=num_resamples)
    found["intervals"] |= _of_uncertainties(predictive, num_resamples)
    return {**found, **mean_uncertainties(predictive)}


def of_probs(probs: Any, labels: Any, *, num_resamples: int) -> dict[str, Any]:
    """The same of probabilities `[N, K]` alone."""
    found = _intervals(probs, labels, num_resamples, errors=["expected_calibration_error"])
    intervals = {short: ends(found[name]) for name, short in SHORT.items() if name in found}
    return {**metrics.classification_report(probs, labels), "intervals": intervals}


def complete(predictive: Predictive, labels: Any, *, num_resamples: int, has_several: bool) -> dict[str, Any]:
    """The headline, top-k accuracy, the parts of the Brier score, every calibration error, and `selection`."""
    probs, k = predictive.mean, num_guesses(predictive)
    found = _intervals(probs, labels, num_resamples, k=k)
    intervals = {short: ends(found[name]) for name, short in SHORT.items() if name in found}
    top = _with_ends({"accuracy": metrics.top_k_accuracy(probs, labels, k=k)}, found, {"accuracy": "top_k_accuracy"})
    return {
        **metrics.classification_report(probs, labels),
        "intervals": {**intervals, **_of_uncertainties(predictive, num_resamples)},
        **mean_uncertainties(predictive),
        "top_k": {"k": k, **top},
        "brier_decomposition": metrics.brier_decomposition(probs, labels)._asdict(),
        "calibration": _calibration(probs, labels, found),
        "selection": _selection(predictive, labels, num_resamples, has_several),
    }


def num_guesses(predictive: Predictive) -> int:
    """The k of the top-k accuracy: of all classes but one, at most 5."""
    return min(5, predictive.mean.shape[-1] - 1)


def _of_uncertainties(predictive: Predictive, num_resamples: int) -> dict[str, Any]:
    known = {name: values for name, values in uncertainties_by_example(predictive).items() if values is not None}
    return resampled(means(known), len(predictive.mean), num_resamples)


def _calibration(probs: Any, labels: Any, found: Mapping[str, Interval]) -> dict[str, Any]:
    nulls = metrics.calibration_nulls(probs)
    errors = {}
    for short in _ERRORS:
        name = f"{short}_calibration_error"
        entry = {"value": getattr(metrics, name)(probs, labels), "null": nulls[name]._asdict()}
        errors[short] = _with_ends(entry, found, {"value": name})
    return errors


def _selection(predictive: Predictive, labels: Any, num_resamples: int, has_several: bool) -> dict[str, Any]:
    scores, losses = uncertainty_scores(predictive, has_several=has_several), wrong(predictive, labels)
    return {name: _selected(scores[name], losses, num_resamples) for name in SELECTED_BY if name in scores}


def _selected(uncertainty: Any, losses: Any, num_resamples: int) -> dict[str, Any]:
    options: dict[str, Any] = {"coverages": COVERAGES, "risks": RISKS, "level": LEVEL, "seed": SEED}
    found = metrics.selection_intervals(uncertainty, losses, num_resamples=max(1, num_resamples), **options)
    names = {
        **_SELECTION,
        **{f"risk_at_coverage_{c:g}": f"risk_at_coverage_{c:g}" for c in COVERAGES},
        **{f"coverage_at_risk_{r:g}": f"coverage_at_risk_{r:g}" for r in RISKS},
    }
    values = {short: found[name].value for short, name in names.items()}
    return _with_ends(values, found if num_resamples and len(losses) > 1 else {}, names)


def _intervals(probs: Any, labels: Any, num_resamples: int, **options: Any) -> dict[str, Interval]:
    if not num_resamples or len(probs) < 2:
        return {}
    options |= {"num_resamples": num_resamples, "level": LEVEL, "seed": SEED}
    return metrics.classification_intervals(probs, labels, **options)


def _with_ends(values: Mapping[str, Any], found: Mapping[str, Interval], names: Mapping[str, str]) -> dict[str, Any]:
    """The values, and under `intervals` the ends of those that have an interval under another name."""
    return {**values, "intervals": {short: ends(found[name]) for short, name in names.items() if name in found}}

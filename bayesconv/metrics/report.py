"""Metrics by name, as reports and `bootstrap_report` take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bayesconv.metrics.brier import brier_score
from bayesconv.metrics.calibration import expected_calibration_error
from bayesconv.metrics.calibration_errors import (
    adaptive_calibration_error,
    classwise_calibration_error,
    debiased_squared_calibration_error,
    maximum_calibration_error,
    smooth_calibration_error,
)
from bayesconv.metrics.ood import ood_aupr, ood_auroc, ood_fpr
from bayesconv.metrics.regression import gaussian_crps, gaussian_negative_log_likelihood
from bayesconv.metrics.scores import accuracy, negative_log_likelihood
from bayesconv.metrics.selective import (
    area_under_generalized_risk_coverage,
    area_under_risk_coverage,
    coverage_at_risk,
    excess_area_under_risk_coverage,
    risk_at_coverage,
)

Metrics = Mapping[str, Callable[..., float]]


def _by_name(*metrics: Callable[..., float]) -> Metrics:
    return MappingProxyType({metric.__name__: metric for metric in metrics})


_METRICS: dict[str, Metrics] = {
    "classification": _by_name(
        accuracy,
        negative_log_likelihood,
        brier_score,
        expected_calibration_error,
        maximum_calibration_error,
        adaptive_calibration_error,
        classwise_calibration_error,
        debiased_squared_calibration_error,
        smooth_calibration_error,
    ),
    "selection": _by_name(
        area_under_risk_coverage,
        excess_area_under_risk_coverage,
        area_under_generalized_risk_coverage,
        risk_at_coverage,
        coverage_at_risk,
    ),
    "ood": _by_name(ood_auroc, ood_aupr, ood_fpr),
    "gaussian": _by_name(gaussian_negative_log_likelihood, gaussian_crps),
}


def metrics_of(task: str) -> Metrics:
    """The metrics of a task by their names, for `bootstrap_report`.

    Args:
      task: "classification", of `probs` `[N, K]` and `labels` `[N]`; "selection", of `uncertainty` and `losses` `[N]`;
        "ood", of `in_scores` `[N]` and `out_scores` `[M]`, which wants `paired=False`; "gaussian", of `mean`, `stddev`
        and `targets` `[N]`.

    Raises:
      ValueError: If there is no such task.

    Example:
      >>> list(metrics_of("ood"))
      ['ood_auroc', 'ood_aupr', 'ood_fpr']
    """
    if task not in _METRICS:
        raise ValueError(f"`task` must be one of {', '.join(map(repr, _METRICS))}. Received {task!r}.")
    return _METRICS[task]

"""How good, how calibrated and how uncertain predictions are. NumPy arrays in, numbers out.

`S` counts weight samples, `N` examples, `K` classes. Entropies and likelihoods are in nats. Every function that takes
`probs` checks it: `[N, K]` with N >= 1 and K >= 2, finite, no entry negative, rows summing to one within 1e-4; `labels`
are `[N]` integers in `[0, K)`. Uncertainties and scores of strangeness are higher where a model is less sure. A
violation is a ValueError that says what was received.

Scores of classes, their calibration and its remedies, selection, out-of-distribution detection, regression, conformal
sets, segmentation; `bootstrap` puts an interval round any of them, `RunningMean` and its siblings take batches.
"""

from bayesconv.metrics.abstention import (
    Selection,
    selection,
    threshold_for_coverage,
    threshold_for_risk,
)
from bayesconv.metrics.bootstrap import (
    Interval,
    bootstrap,
    bootstrap_report,
    seed_interval,
)
from bayesconv.metrics.brier import (
    BrierDecomposition,
    brier_decomposition,
    brier_score,
)
from bayesconv.metrics.calibration import (
    NullBand,
    ReliabilityCurve,
    ece_null,
    expected_calibration_error,
    reliability_curve,
)
from bayesconv.metrics.calibration_errors import (
    adaptive_calibration_error,
    calibration_null,
    classwise_calibration_error,
    debiased_squared_calibration_error,
    maximum_calibration_error,
    smooth_calibration_error,
)
from bayesconv.metrics.conformal import (
    ConformalSets,
    adaptive_scores,
    conformal_margin,
    conformal_quantile,
    conformal_sets,
    mean_set_size,
    regularized_adaptive_scores,
    set_coverage,
    threshold_scores,
)
from bayesconv.metrics.intervals import (
    gaussian_pit,
    interval_coverage,
    interval_score,
    mean_interval_width,
    quantile_calibration_error,
    quantile_calibration_null,
    sample_pit,
)
from bayesconv.metrics.nulls import (
    calibration_nulls,
)
from bayesconv.metrics.ood import (
    OodReport,
    ood_aupr,
    ood_auroc,
    ood_fpr,
    ood_report,
    ood_scores,
)
from bayesconv.metrics.recalibration import (
    IsotonicScaling,
    VectorScaling,
    apply_isotonic_scaling,
    apply_temperature,
    apply_vector_scaling,
    isotonic_scale,
    temperature_scale,
    vector_scale,
)
from bayesconv.metrics.regression import (
    gaussian_crps,
    gaussian_mixture_negative_log_likelihood,
    gaussian_negative_log_likelihood,
    sample_crps,
    sparsification_error,
)
from bayesconv.metrics.report import (
    metrics_of,
)
from bayesconv.metrics.report_intervals import (
    classification_intervals,
    ood_intervals,
    selection_intervals,
)
from bayesconv.metrics.scores import (
    accuracy,
    classification_report,
    negative_log_likelihood,
    top_k_accuracy,
)
from bayesconv.metrics.segmentation import (
    confusion_matrix,
    intersection_over_union,
    mean_intersection_over_union,
    pixelwise,
)
from bayesconv.metrics.selective import (
    RiskCoverageCurve,
    area_under_generalized_risk_coverage,
    area_under_risk_coverage,
    coverage_at_risk,
    excess_area_under_risk_coverage,
    risk_at_coverage,
    risk_coverage_curve,
)
from bayesconv.metrics.streaming import (
    CalibrationErrors,
    RunningCalibration,
    RunningConfusion,
    RunningMean,
)
from bayesconv.metrics.streaming_ranks import (
    Enclosure,
    RunningAuroc,
    RunningRiskCoverage,
)
from bayesconv.metrics.uncertainty import (
    disagreement,
    expected_entropy,
    mutual_information,
    predictive_entropy,
    top_class_stddev,
    variation_ratio,
)

__all__ = [
    "BrierDecomposition",
    "CalibrationErrors",
    "ConformalSets",
    "Enclosure",
    "Interval",
    "IsotonicScaling",
    "NullBand",
    "OodReport",
    "ReliabilityCurve",
    "RiskCoverageCurve",
    "RunningAuroc",
    "RunningCalibration",
    "RunningConfusion",
    "RunningMean",
    "RunningRiskCoverage",
    "Selection",
    "VectorScaling",
    "accuracy",
    "adaptive_calibration_error",
    "adaptive_scores",
    "apply_isotonic_scaling",
    "apply_temperature",
    "apply_vector_scaling",
    "area_under_generalized_risk_coverage",
    "area_under_risk_coverage",
    "bootstrap",
    "bootstrap_report",
    "brier_decomposition",
    "brier_score",
    "calibration_null",
    "calibration_nulls",
    "classification_intervals",
    "classification_report",
    "classwise_calibration_error",
    "conformal_margin",
    "conformal_quantile",
    "conformal_sets",
    "confusion_matrix",
    "coverage_at_risk",
    "debiased_squared_calibration_error",
    "disagreement",
    "ece_null",
    "excess_area_under_risk_coverage",
    "expected_calibration_error",
    "expected_entropy",
    "gaussian_crps",
    "gaussian_mixture_negative_log_likelihood",
    "gaussian_negative_log_likelihood",
    "gaussian_pit",
    "intersection_over_union",
    "interval_coverage",
    "interval_score",
    "isotonic_scale",
    "maximum_calibration_error",
    "mean_intersection_over_union",
    "mean_interval_width",
    "mean_set_size",
    "metrics_of",
    "mutual_information",
    "negative_log_likelihood",
    "ood_aupr",
    "ood_auroc",
    "ood_fpr",
    "ood_intervals",
    "ood_report",
    "ood_scores",
    "pixelwise",
    "predictive_entropy",
    "quantile_calibration_error",
    "quantile_calibration_null",
    "regularized_adaptive_scores",
    "reliability_curve",
    "risk_at_coverage",
    "risk_coverage_curve",
    "sample_crps",
    "sample_pit",
    "seed_interval",
    "selection",
    "selection_intervals",
    "set_coverage",
    "smooth_calibration_error",
    "sparsification_error",
    "temperature_scale",
    "threshold_for_coverage",
    "threshold_for_risk",
    "threshold_scores",
    "top_class_stddev",
    "top_k_accuracy",
    "variation_ratio",
    "vector_scale",
]

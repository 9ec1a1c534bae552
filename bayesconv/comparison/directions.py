"""Which figures of an evaluation should be high, which low, and which are compared unless others are asked for."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence
from typing import Literal

Direction = Literal["higher", "lower"]

_HIGHER = (
    "accuracy", "auroc", "error_auroc", "aupr", "aupr_in", "aupr_out", "dice", "iou", "mean_iou", "r2",
    "resolution", "top_k", "f1",
)  # fmt: skip
_LOWER = (
    "nll", "brier", "ece", "mce", "calibration", "aurc", "e_aurc", "augrc", "fpr95", "fpr_95",
    "crps", "pinball", "rmse", "mae", "mse", "interval_score", "ause", "refinement", "reliability",
    "quantile_calibration_error",
)  # fmt: skip
_NEITHER = ("debiased_squared",)  # 0 is best, and chance makes it negative as often as positive
_USUAL = (
    "accuracy", "mean_iou", "rmse", "nll", "crps", "ece", "selection.predictive_entropy.aurc", "shift.mean.nll",
    "ood.mean.auroc.predictive_entropy", "pinball", "ood.mean.auroc.epistemic_std",
)  # fmt: skip
_LABELS = {
    "nll": "NLL",
    "ece": "ECE",
    "brier": "Brier score",
    "rmse": "RMSE",
    "crps": "CRPS",
    "mean_iou": "mean IoU",
    "selection.predictive_entropy.aurc": "AURC",
    "shift.mean.nll": "NLL of corrupted images",
    "shift.mean.accuracy": "accuracy on corrupted images",
    "shift.mean.ece": "ECE of corrupted images",
    "ood.mean.auroc.predictive_entropy": "AUROC of strange images",
}


def direction(figure: str) -> Direction | None:
    """Whether a figure is better when higher or lower; None for one that is neither, as an entropy.

    Example:
      >>> direction("ood.rotated.auroc.mutual_information"), direction("shift.contrast.nll"), direction("std")
      ('higher', 'lower', None)
    """
    for part in reversed(figure.split(".")):
        if part in _NEITHER:
            return None
        if part in _HIGHER or part.startswith("coverage_at_risk"):
            return "higher"
        if part in _LOWER or part.startswith("risk_at_coverage"):
            return "lower"
    return None


def label(figure: str) -> str:
    """What a figure is called on paper.

    Example:
      >>> label("nll"), label("top_k.accuracy")
      ('NLL', 'top k, accuracy')
    """
    return _LABELS.get(figure, figure.replace(".", ", ").replace("_", " "))


def select(available: Sequence[str], wanted: Iterable[str] | None) -> list[str]:
    """The figures to compare.

    Args:
      available: Those that all runs have.
      wanted: Their names or patterns, such as `ood.*.auroc.*`; the usual ones if None.

    Raises:
      ValueError: If a name or pattern fits none.
    """
    if wanted is None:
        return [name for name in _USUAL if name in available]
    chosen: dict[str, None] = {}
    for pattern in wanted:
        fitting = fnmatch.filter(available, pattern)
        if not fitting:
            close = difflib.get_close_matches(pattern, available, n=4, cutoff=0.4) or available[:8]
            raise ValueError(
                f"A metric must be a figure that the evaluations of all runs have. Received {pattern!r}; there are "
                f"{len(available)}, e.g. {', '.join(close)}."
            )
        chosen |= dict.fromkeys(fitting)
    return list(chosen)

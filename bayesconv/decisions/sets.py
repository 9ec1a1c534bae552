"""`bayesconv conformal`: sets of classes, or intervals, that hold the truth with a probability that one chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayesconv import metrics, runs
from bayesconv.decisions.held_out import LEVEL, Basis, basis, binomial
from bayesconv.evaluation.intervals import or_none
from bayesconv.files import write_text
from bayesconv.metrics import ConformalSets
from bayesconv.registry import unknown_name_message

_CLASS_SCORES = {
    "thr": metrics.threshold_scores,
    "aps": metrics.adaptive_scores,
    "raps": metrics.regularized_adaptive_scores,
}
METHODS = (*_CLASS_SCORES, "cqr")


def conformal(
    run_dir: str | Path, *, coverage: float = 0.9, method: str | None = None, held_out: str | Path | None = None
) -> dict[str, Any]:
    """Fits sets of classes, or for a regression intervals, to the validation images; writes `conformal.json`.

    Args:
      run_dir: The run folder.
      coverage: The probability with which the label of a new image is to be in its set.
      method: `"thr"` for the smallest sets, `"aps"` for larger ones of hard images, `"raps"` for the same without very
        large ones; `"cqr"` for intervals of a regression. By default thr, or cqr.
      held_out: An `.npz` file of labelled images to fit to instead; of classes only.

    Returns:
      What was fitted, and on the test images the share of labels that their sets hold, with a Clopper-Pearson interval
      of 95 %, and the size of the sets. `bayesconv predict` has a column `set` from then on.

    Raises:
      ValueError: If the method is unknown or is for another task, `coverage` is no share, or the validation images
        were trained on and no file is given.
    """
    if method is not None and method not in METHODS:
        raise ValueError(unknown_name_message("method of conformal prediction", method, METHODS))
    if not 0 < coverage < 1:
        raise ValueError(
            f"`coverage` must lie strictly between 0 and 1, a share and no percentage. Received {coverage}."
        )
    tasks = {None: ("classification", "regression"), "cqr": ("regression",)}.get(method, ("classification",))
    made = basis(runs.load_run(run_dir), held_out, tasks=tasks)
    is_regression = made.dataset.task == "regression"
    result = _intervals(made, coverage) if is_regression else _sets(made, coverage, method or "thr")
    write_text(made.run.folder / runs.CONFORMAL, json.dumps(result, indent=2, allow_nan=False) + "\n")
    return result


def sets_of(stored: Mapping[str, Any], probs: Any) -> Any:
    """The sets `[N, K]`, booleans, of probabilities by what `conformal` returned."""
    threshold = float("inf") if stored["threshold"] is None else stored["threshold"]
    return ConformalSets(threshold, _CLASS_SCORES[stored["method"]], None)(probs)


def intervals_of(stored: Mapping[str, Any], predictive: Any) -> tuple[Any, Any]:
    """Both ends `[N, T]` of the intervals of a regression by what `conformal` returned."""
    low, high = predictive.interval(stored["coverage"])
    margins = np.array([np.inf if margin is None else margin for margin in stored["margins"]])
    return low - margins, high + margins


def _sets(made: Basis, coverage: float, method: str) -> dict[str, Any]:
    fitted = metrics.conformal_sets(
        made.fitted.mean, made.held_out.y, miscoverage=1 - coverage, class_scores=_CLASS_SCORES[method]
    )
    sets, labels = fitted(made.test.mean), made.dataset.test.y
    sizes = sets.sum(axis=1)
    return {
        "method": method,
        "coverage": coverage,
        "threshold": or_none(fitted.threshold),
        **made.record,
        "test": {
            "num_images": len(labels),
            "coverage": binomial(sets[np.arange(len(labels)), labels].sum(), len(labels)),
            "mean_set_size": float(sizes.mean()),
            "num_of_size": np.bincount(sizes, minlength=sets.shape[1] + 1).tolist(),
            "level": LEVEL,
        },
    }


def _intervals(made: Basis, coverage: float) -> dict[str, Any]:
    low, high = made.fitted.interval(coverage)
    targets = np.reshape(made.held_out.y, low.shape)
    margins = [
        metrics.conformal_margin(*ends, miscoverage=1 - coverage) for ends in zip(low.T, high.T, targets.T, strict=True)
    ]
    stored = {"coverage": coverage, "margins": [or_none(margin) for margin in margins]}
    before, after = made.test.interval(coverage), intervals_of(stored, made.test)
    return {
        "method": "cqr",
        **stored,
        **made.record,
        "test": {
            "num_images": len(made.dataset.test.y),
            "before": _width_and_coverage(before, made.dataset.test.y),
            "after": _width_and_coverage(after, made.dataset.test.y),
            "level": LEVEL,
        },
    }


def _width_and_coverage(interval: tuple[Any, Any], targets: Any) -> list[dict[str, Any]]:
    """For each target the share inside and the mean width in its unit."""
    low, high = interval
    y, width = np.reshape(targets, low.shape), np.maximum(high - low, 0.0)  # ends that crossed hold nothing
    inside = (low <= y) & (y <= high)
    return [
        {"coverage": binomial(inside[:, t].sum(), len(y)), "mean_width": or_none(width[:, t].mean())}
        for t in range(y.shape[1])
    ]

"""`bayesconv select`: from which uncertainty on to abstain, for a risk or a share of images that one chooses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bayesconv import metrics, runs
from bayesconv.decisions.held_out import LEVEL, basis, binomial
from bayesconv.evaluation.intervals import or_none
from bayesconv.evaluation.uncertainties import ALL_SCORES, uncertainty_scores, wrong
from bayesconv.files import write_text
from bayesconv.registry import unknown_name_message


def select(
    run_dir: str | Path,
    *,
    risk: float | None = None,
    coverage: float | None = None,
    score: str = "predictive_entropy",
    confidence_level: float | None = 0.95,
    held_out: str | Path | None = None,
) -> dict[str, Any]:
    """Chooses a threshold of uncertainty on the validation images, and writes `selection.json` into the run.

    Args:
      run_dir: The run folder.
      risk: The share of errors to tolerate among the images that are answered.
      coverage: The share of images to answer; give this or `risk`.
      score: Which uncertainty; one of `evaluation.ALL_SCORES`.
      confidence_level: With `risk`, the probability with which new images keep it, over the choice of the validation
        images; None takes the threshold that meets it just here, which new images miss about every other time.
      held_out: An `.npz` file of labelled images to choose on instead.

    Returns:
      The threshold, what it does on the validation images, and on the test images with Clopper-Pearson intervals of
      95 %. `threshold` is None if none keeps the risk: everything is abstained from. `bayesconv predict` has a column
      `abstain` from then on.

    Raises:
      ValueError: If not one target is given, it is out of range, the run has no such score, or the validation images
        were trained on and no file is given.
    """
    if (risk is None) == (coverage is None):
        raise ValueError(f"Choose a risk or a coverage. Received {'neither' if risk is None else 'both'}.")
    if score not in ALL_SCORES:
        raise ValueError(unknown_name_message("uncertainty", score, ALL_SCORES))
    made = basis(runs.load_run(run_dir), held_out)
    u = _score(made.fitted, score, made.run.has_several_functions)
    losses = wrong(made.fitted, made.held_out.y)
    if coverage is not None:
        target: dict[str, Any] = {"coverage": coverage}
        chosen = metrics.selection(u, losses, threshold=metrics.threshold_for_coverage(u, coverage=coverage))
    elif risk is not None:
        target = {"risk": risk, "confidence_level": confidence_level}
        chosen = metrics.threshold_for_risk(u, losses, risk=risk, confidence_level=confidence_level)
    result = {
        "score": score,
        "target": target,
        "threshold": or_none(chosen.threshold),
        **made.record,
        "validation": {name: or_none(getattr(chosen, name)) for name in ("coverage", "risk", "risk_bound")},
        "test": _checked(
            _score(made.test, score, made.run.has_several_functions), wrong(made.test, made.dataset.test.y), chosen
        ),
    }
    write_text(made.run.folder / runs.SELECTION, json.dumps(result, indent=2, allow_nan=False) + "\n")
    return result


def _checked(uncertainty: Any, losses: Any, chosen: metrics.Selection) -> dict[str, Any]:
    kept = uncertainty <= chosen.threshold
    return {
        "num_images": len(losses),
        "num_kept": int(kept.sum()),
        "coverage": binomial(kept.sum(), len(losses)),
        "risk": binomial(losses[kept].sum(), int(kept.sum())),
        "risk_of_all": binomial(losses.sum(), len(losses)),
        "level": LEVEL,
    }


def _score(predictive: Any, score: str, has_several: bool) -> Any:
    known = uncertainty_scores(predictive, has_several=has_several)
    if score not in known:
        raise ValueError(
            f"{score} is of draws that differ, or of logits that were kept, which this run's predictions do not have. "
            f"Choose one of {sorted(known)}."
        )
    return known[score]

"""`bayesconv select`: from which uncertainty on to abstain, for a risk or a share of images that one chooses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bayesconv import metrics, runs
from bayesconv.decisions.answers import TASKS, answers_of, check_score, check_tolerance, unsure, usual_score
from bayesconv.decisions.held_out import LEVEL, Basis, basis, binomial
from bayesconv.evaluation.intervals import or_none
from bayesconv.files import write_text
from bayesconv.prediction import Predictive


def select(
    run_dir: str | Path,
    *,
    risk: float | None = None,
    coverage: float | None = None,
    score: str | None = None,
    tolerance: float | None = None,
    confidence_level: float | None = 0.95,
    held_out: str | Path | None = None,
) -> dict[str, Any]:
    """Chooses a threshold of uncertainty on the validation images, and writes `selection.json` into the run.

    Args:
      run_dir: The run folder.
      risk: The share of errors to tolerate among the images that are answered.
      coverage: The share of images to answer; give this or `risk`.
      score: Which uncertainty. Of classes one of `evaluation.ALL_SCORES`, by default `"predictive_entropy"`; of real
        targets `"spread"`, the mean standard deviation or width of the targets, or `"epistemic_std"`; of classes of
        pixels the mean over an image of `"predictive_entropy"`, `"expected_entropy"`, `"mutual_information"` or
        `"max_probability"`.
      tolerance: When an answer is wrong: if a real target is off by more than that, in its unit, or more than that
        share of an image's pixels are wrong. Needed for these two, and for no other. Images none of whose pixels count
        are left out.
      confidence_level: With `risk`, the probability with which new images keep it, over the choice of the validation
        images; None takes the threshold that meets it just here, which new images miss about every other time.
      held_out: An `.npz` file of labelled images to choose on instead.

    Returns:
      The threshold, what it does on the validation images, and on the test images with Clopper-Pearson intervals of
      95 %. `threshold` is None if none keeps the risk: everything is abstained from. `bayesconv predict` has a column
      `abstain` from then on.

    Raises:
      ValueError: If not one target is given, it is out of range, the run has no such score, a tolerance is missing or
        not needed, all are equally unsure, or the validation images were trained on and no file is
        given.
    """
    if (risk is None) == (coverage is None):
        raise ValueError(f"Choose a risk or a coverage. Received {'neither' if risk is None else 'both'}.")
    run = runs.load_run(run_dir)
    answers = answers_of(run)
    check_score(answers, score)
    check_tolerance(answers, tolerance)
    made = basis(run, held_out, tasks=TASKS)
    score = score or usual_score(run, made.fitted)
    u, losses = _judged(made, made.fitted, made.held_out.y, score, tolerance)
    if not len(u) or u.min() == u.max():
        raise ValueError(
            f"A threshold parts answers by how unsure they are. Received {len(u)} to choose on, which are equally "
            f"unsure by {score}; choose another --score, or another model."
        )
    if coverage is None:
        target: dict[str, Any] = {"risk": risk, "confidence_level": confidence_level}
        chosen = metrics.threshold_for_risk(u, losses, **target)
    else:
        target = {"coverage": coverage}
        chosen = metrics.selection(u, losses, threshold=metrics.threshold_for_coverage(u, **target))
    result = {
        "score": score,
        "tolerance": tolerance,
        "target": target,
        "threshold": or_none(chosen.threshold),
        **made.record,
        "validation": {name: or_none(getattr(chosen, name)) for name in ("coverage", "risk", "risk_bound")},
        "test": _checked(*_judged(made, made.test, made.dataset.test.y, score, tolerance), chosen),
    }
    write_text(run.folder / runs.SELECTION, json.dumps(result, indent=2, allow_nan=False) + "\n")
    return result


def _judged(made: Basis, predictive: Predictive, labels: Any, score: str, tolerance: float | None) -> tuple[Any, Any]:
    """Uncertainties and losses of the answers that can be judged."""
    losses = answers_of(made.run).is_wrong(predictive, labels, made.dataset, tolerance)
    known = ~np.isnan(losses)
    return unsure(made.run, predictive, score)[known], losses[known]


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

"""`bayesconv calibrate`: fits a remedy to a run, and shows on the test images what it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bayesconv import evaluation, runs
from bayesconv.decisions.calibration import calibrated, fit_calibration
from bayesconv.decisions.held_out import Basis, basis
from bayesconv.evaluation.class_scores import headline
from bayesconv.evaluation.intervals import LEVEL, SEED
from bayesconv.files import write_text
from bayesconv.metrics.resampling import resampled_intervals
from bayesconv.metrics.weighted_scores import means
from bayesconv.registry import unknown_name_message

METHODS = ("temperature", "vector", "isotonic")
_SMALLEST = float(np.finfo(np.float32).tiny)


def calibrate(
    run_dir: str | Path, *, method: str = "temperature", held_out: str | Path | None = None
) -> dict[str, Any]:
    """Fits a remedy for probabilities to the validation images, and writes `calibration.json` into the run.

    Args:
      run_dir: The run folder.
      method: `"temperature"` for one number, `"vector"` for two a class, `"isotonic"` for a rising function a class.
      held_out: An `.npz` file of labelled images to fit to instead.

    Returns:
      The remedy, and the scores of the test images `before` and `after` it, with their intervals; `gain` is by how much
      it lowers NLL and Brier score, image by image. `bayesconv predict --calibrated` applies it.

    Raises:
      ValueError: If the method is unknown, or the validation images were trained on and no file is given.
    """
    if method not in METHODS:
        raise ValueError(unknown_name_message("method of calibration", method, METHODS))
    made = basis(runs.load_run(run_dir), held_out)
    calibration = fit_calibration(method, made.fitted, made.held_out.y)
    test = made.test
    if calibration.on == "logits" and test.samples is None:  # the test set is larger than what is kept by default
        test = evaluation.predict(made.run, made.dataset.test.x, keep_samples=True, name="test")
    after = calibrated(calibration, test)
    labels, count = made.dataset.test.y, made.run.config.evaluation.bootstrap
    result = {
        "method": method,
        "on": calibration.on,
        "parameters": calibration.parameters,
        **made.record,
        "num_images": len(labels),
        "before": headline(made.test, labels, num_resamples=count),
        "after": headline(after, labels, num_resamples=count),
        "gain": _gain(made, after.mean, count),
    }
    write_text(made.run.folder / runs.CALIBRATION, json.dumps(result, indent=2, allow_nan=False) + "\n")
    return result


def _gain(made: Basis, after: Any, count: int) -> dict[str, Any]:
    """By how much scores fall, image by image: the interval of the difference, not the difference of intervals."""
    before, labels = made.test.mean, made.dataset.test.y
    hits = np.eye(after.shape[1])[labels]
    nll = [-np.log(np.maximum(probs[np.arange(len(labels)), labels], _SMALLEST)) for probs in (before, after)]
    brier = [((probs - hits) ** 2).sum(axis=1) for probs in (before, after)]
    figures = means({"nll": nll[0] - nll[1], "brier": brier[0] - brier[1]})
    if not count:
        return {name: {"value": float(value[0])} for name, value in figures(np.ones([1, len(labels)])).items()}
    found = resampled_intervals(figures, len(labels), num_resamples=count, level=LEVEL, seed=SEED)
    return {name: interval._asdict() for name, interval in found.items()}

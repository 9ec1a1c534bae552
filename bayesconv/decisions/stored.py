"""What was decided for a run and lies in its folder, applied to predictions; never to those of other weights."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bayesconv import evaluation, runs
from bayesconv.decisions.answers import unsure
from bayesconv.decisions.calibration import Calibration, calibrated
from bayesconv.decisions.held_out import made_by
from bayesconv.decisions.sets import intervals_of, sets_of
from bayesconv.evaluation.kept import variables_hash
from bayesconv.prediction import Predictive
from bayesconv.runs import Run

_COMMANDS = {runs.CALIBRATION: "calibrate", runs.SELECTION: "select", runs.CONFORMAL: "conformal"}


def read_calibration(run: Run, predictive: Predictive | None = None) -> Calibration:
    """The run's calibration.

    Args:
      run: A trained run.
      predictive: What it is to be applied to, which must have been made in the same way.

    Raises:
      FileNotFoundError: If none was fitted.
      ValueError: If the file is damaged, or was fitted to other weights or to another method of prediction.
    """
    stored = _read(run, runs.CALIBRATION, predictive)
    if stored is None:
        raise FileNotFoundError(
            f"{run.folder / runs.CALIBRATION} is missing. Fit it first: bayesconv calibrate {run.folder}"
        )
    return Calibration(stored["method"], stored["on"], stored["parameters"])


@contextlib.contextmanager
def calibration_of(run: Run) -> Iterator[None]:
    """All predictions of the run that `evaluation.predict` makes inside are recalibrated.

    Raises:
      FileNotFoundError: If nothing was fitted.
      ValueError: If the file is damaged, or was fitted to other weights or to another method of prediction.
    """
    read_calibration(run)  # what is wrong with it shows before anything is predicted
    with evaluation.manner(then=lambda predictive: calibrated(read_calibration(run, predictive), predictive)):
        yield


def decision_columns(run: Run, predictive: Predictive, class_names: Sequence[str]) -> dict[str, list[Any]]:
    """The columns that a run's decisions add to a table of predictions.

    Args:
      run: A trained run.
      predictive: The prediction, not recalibrated, since decisions were fitted to such.
      class_names: One a class.

    Returns:
      `abstain`, 0 or 1, if there is a `selection.json`; `set`, names of classes with | between them, if there is a
      `conformal.json`, or of a regression the ends `conformal_lower_<target>` and `conformal_upper_<target>`.

    Raises:
      ValueError: If a file is damaged, or is of other weights or of another method of prediction.
    """
    columns: dict[str, list[Any]] = {}
    selection, sets = (_read(run, name, predictive) for name in (runs.SELECTION, runs.CONFORMAL))
    if selection is not None:
        threshold = -np.inf if selection["threshold"] is None else selection["threshold"]
        scores = _unsure(run, predictive, selection["score"])
        columns["abstain"] = [int(is_unsure) for is_unsure in scores > threshold]
    if sets is not None and sets["method"] == "cqr":
        for end, values in zip(("lower", "upper"), intervals_of(sets, predictive), strict=True):
            columns |= {f"conformal_{end}_{name}": values[:, t].tolist() for t, name in enumerate(class_names)}
    elif sets is not None:
        held = sets_of(sets, predictive.mean)
        columns["set"] = ["|".join(class_names[k] for k in np.flatnonzero(row).tolist()) for row in held]
    return columns


def _unsure(run: Run, predictive: Predictive, score: str) -> Any:
    try:
        return unsure(run, predictive, score)
    except ValueError as error:
        raise ValueError(
            f"{run.folder / runs.SELECTION} abstains by {score}, which takes draws that are kept. Those of this many "
            "images were not: predict fewer at a time, or select by another --score."
        ) from error


def _read(run: Run, name: str, predictive: Predictive | None) -> dict[str, Any] | None:
    path = run.folder / name
    if not path.is_file():
        return None
    again = f"Run bayesconv {_COMMANDS[name]} {run.folder} again, or delete the file."
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        weights, made = stored["weights"], stored["made_by"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be as bayesconv {_COMMANDS[name]} writes it. It is damaged: {error}. {again}"
        ) from error
    if weights != variables_hash(run):
        raise ValueError(f"{path} must be of the run's weights. It was made for others: {again}")
    if predictive is not None and made != made_by(predictive):
        raise ValueError(
            f"{path} was made for predictions by {made}. Received one by {made_by(predictive)}: leave --method out. "
            f"{again}"
        )
    return dict(stored)

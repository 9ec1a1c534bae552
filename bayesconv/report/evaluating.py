"""The evaluation that a report shows: the stored one if it is of these weights and data, else a new one."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bayesconv import evaluation, experiment, members, metrics, runs, splits
from bayesconv.checkpoints import RunFolder
from bayesconv.data import Dataset
from bayesconv.evaluation import predicting
from bayesconv.evaluation.kept import variables_hash
from bayesconv.figures import Subject
from bayesconv.files import write_text
from bayesconv.prediction import Predictive
from bayesconv.runs import Run

# What is wrong with files, data and settings. It is told in the report; anything else is a bug.
EXPECTED = (ValueError, OSError, ArithmeticError)
_CLOSE = 1e-4  # relative: the same prediction made on another machine
# Of every task. One of an earlier version lacks the last one, and has bands of 90 % where they are of 95 % now.
_KEYS = {"method", "num_samples", "seed", "ood", "shift", "intervals", "uncorrupted"}


class Found(NamedTuple):
    """A part of a report.

    Attributes:
      content: What is in it; None if it is missing.
      note: Why it is missing, or what should be known of it.
    """

    content: Any
    note: str = ""


def evaluation_of(run: Run, subject: Subject | None, why_no_data: str = "") -> Found:
    """The run's evaluation, which is made, and written to `evaluation.json`, if there is no current one.

    Args:
      run: A trained run.
      subject: It with its data; None if these cannot be read.
      why_no_data: Why they cannot.
    """
    path = run.folder / runs.EVALUATION
    stored = read(path)
    if subject is None:
        return _unchecked(run, path, stored.content, why_no_data)
    try:
        if stored.content is not None and is_current(stored.content, subject):
            return stored
        made = {**evaluation.report(run, subject.dataset), "calibrated": False, "split": splits.TEST}
    except EXPECTED as error:
        return Found(None, f"There is no evaluation, for none can be made: {error}")
    with contextlib.suppress(OSError):  # a folder that is not writable: then it is made every time
        write_text(path, json.dumps(made, indent=2, allow_nan=False) + "\n")
    if stored.content is None:
        return Found(made, stored.note)
    return Found(
        made,
        f"{path.name} was of other weights, data or draws, of an earlier version, or recalibrated: it was made again.",
    )


def _unchecked(run: Run, path: Path, stored: Any, why: str) -> Found:
    missing = f"The data cannot be read: {why}"
    if stored is None:
        return Found(None, f"There is no evaluation, and none can be made. {missing}")
    if not is_newer(run, path):
        return Found(None, f"{path.name} is older than the weights, and is left out. {missing}")
    return Found(stored, f"Whether the evaluation is of these weights was not checked. {missing}")


def read(path: Path) -> Found:
    """A JSON object from a file; nothing if it is not there or damaged."""
    if not path.is_file():
        return Found(None)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        return Found(None, f"{path.name} is damaged, and is left out: {error}")
    if not isinstance(found, dict):
        return Found(None, f"{path.name} is damaged, and is left out: it holds no object.")
    return Found(found)


def is_newer(run: Run, path: Path) -> bool:
    """Whether a file was written after the weights of the run."""
    weights = [RunFolder(folder).best for folder in members.folders(run.folder, len(run.models))]
    return path.is_file() and path.stat().st_mtime >= max(best.stat().st_mtime for best in weights)


def is_current(stored: Mapping[str, Any], subject: Subject) -> bool:
    """Whether an evaluation is of the run's weights and data, by its main score.

    The test set is predicted for it, in the way of the evaluation; figures and `bayesconv evaluate` share that.

    Args:
      stored: What `evaluation.json` holds.
      subject: The run and its data.
    """
    if stored.get("task", "classification") != subject.task or stored.get("calibrated") or _KEYS - stored.keys():
        return False
    test = subject.test
    if not is_as_configured(stored, subject):
        if not isinstance(stored.get("num_samples"), int):
            return False
        test = as_evaluated(stored, subject).test
    key, score = _CHECKED[subject.task]
    value = stored.get(key)
    return isinstance(value, float) and math.isclose(value, score(test, subject.dataset), rel_tol=_CLOSE, abs_tol=1e-9)


def is_as_configured(stored: Mapping[str, Any], subject: Subject) -> bool:
    """Whether an evaluation was made with the method, the number of draws and the seed of the subject's predictions."""
    made = predicting.provenance(subject.run, subject.test)
    return all(stored.get(key) == made[key] for key in ("method", "num_samples", "seed"))


def as_evaluated(stored: Mapping[str, Any], subject: Subject) -> Subject:
    """The subject with predictions in the way of an evaluation, so that figures and numbers are of the same ones.

    Args:
      stored: What `evaluation.json` holds, with a number of draws.
      subject: The run and its data.
    """
    return Subject(subject.run, subject.dataset, predicting.as_evaluated(subject.run, stored))


def _nll(test: Predictive, dataset: Dataset) -> float:
    return float(metrics.negative_log_likelihood(test.mean, dataset.test.y))


def _rmse(test: Predictive, dataset: Dataset) -> float:
    return float(np.sqrt(np.mean(np.square(test.mean - np.reshape(dataset.test.y, test.mean.shape)))))


def _nll_of_pixels(test: Predictive, dataset: Dataset) -> float:
    counted = np.asarray(dataset.test.y) != dataset.ignored_label
    return float(metrics.negative_log_likelihood(test.mean[counted], dataset.test.y[counted]))


_CHECKED = {"classification": ("nll", _nll), "regression": ("rmse", _rmse), "segmentation": ("nll", _nll_of_pixels)}


def diagnosis_of(run: Run) -> Found:
    """The run's diagnosis, which is made if the stored one is older than the weights; of an ensemble its `members`'."""
    if run.others:
        found = [diagnosis_of(runs.load_run(folder)) for folder in members.folders(run.folder, len(run.models))]
        if missing := next((one for one in found if one.content is None), None):
            return missing
        return Found({"members": [one.content for one in found]})
    path = run.folder / runs.DIAGNOSIS
    stored = read(path)
    if stored.content is not None and is_newer(run, path):
        return stored
    try:
        return Found(experiment.diagnose(run.folder)[0].as_json())
    except EXPECTED as error:
        return Found(None, f"There is no diagnosis, for none can be made: {error}")


def decided_of(run: Run, name: str, command: str) -> Found:
    """A decision of the run, left out if it was fitted to other weights.

    Args:
      run: A trained run.
      name: Of the file in its folder.
      command: That writes it.
    """
    stored = read(run.folder / name)
    if stored.content is None or stored.content.get("weights") == variables_hash(run):
        return stored
    return Found(None, f"{name} was made for other weights, and is left out: run bayesconv {command} again.")

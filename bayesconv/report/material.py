"""All that a report is made of, gathered from a run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bayesconv import config, evaluation, members, runs
from bayesconv.checkpoints import RunFolder
from bayesconv.figures import Subject
from bayesconv.report import decisions, drawing, evaluating
from bayesconv.report.document import Block, Numbers
from bayesconv.report.evaluating import EXPECTED
from bayesconv.report.training import Trained
from bayesconv.runs import Run

_OTHER_MANNER = (
    "The evaluation was asked for with another method, number of draws or seed than those of the configuration. Its "
    "numbers and the figures of predictions are of these; decisions are of predictions as configured."
)


class Material(NamedTuple):
    """What a report is made of.

    Attributes:
      name: Of the run's folder.
      task: `"classification"`, `"regression"` or `"segmentation"`.
      seed: Of the run.
      trained_with: The version of this package it was trained with.
      evaluation: What `evaluation.json` holds, or None.
      decided: What `calibration.json`, `selection.json` and `conformal.json` hold, by these names.
      trained: The training of each network.
      diagnosis: What `diagnosis.json` holds, or None.
      pictures: The figures, by the name of their section.
      summary: The model's.
      configuration: As YAML.
      missing: Notes on parts that are missing or not certain, by the name of the part.
    """

    name: str
    task: str
    seed: int
    trained_with: str
    evaluation: Numbers | None
    decided: Mapping[str, Numbers]
    trained: Sequence[Trained]
    diagnosis: Numbers | None
    pictures: Mapping[str, Sequence[Block]]
    summary: str
    configuration: str
    missing: Mapping[str, str]


def gather(run_dir: str | Path, *, dpi: int = 110) -> Material:
    """Everything there is of a run; what is not current is made again, what cannot be made is noted.

    Args:
      run_dir: The run folder.
      dpi: Dots per inch of the figures.

    Raises:
      FileNotFoundError: If the folder holds no trained run.
      ValueError: If a file that every run has is damaged.
    """
    run = runs.load_run(run_dir)
    dataset, why = _dataset(run)
    subject = Subject(run, dataset)
    found = {
        "evaluation": evaluating.evaluation_of(run, subject if dataset else None, why),
        "diagnosis": evaluating.diagnosis_of(run),
        **{name: evaluating.decided_of(run, f"{name}.json", command) for name, command in decisions.COMMANDS.items()},
    }
    notes = {name: part.note for name, part in found.items() if part.note}
    if note := _damaged_history(run):
        notes["history"] = note
    shown = found["evaluation"].content
    if dataset is not None and shown is not None and not evaluating.is_as_configured(shown, subject):
        notes["manner"] = _OTHER_MANNER
        subject = evaluating.as_evaluated(shown, subject)
    pictures = dict(drawing.pictures(subject, has_data=dataset is not None, dpi=dpi))
    if found["diagnosis"].content is not None:
        pictures["diagnosis"] = drawing.diagnosed(run)
    return Material(
        name=run.folder.resolve().name,
        task=evaluation.task_of(run),
        seed=run.config.seed,
        trained_with=str(run.record.get("bayesconv", "-")),
        evaluation=found["evaluation"].content,
        decided={name: found[name].content for name in decisions.COMMANDS if found[name].content is not None},
        trained=[_trained(folder, dataset) for folder in members.folders(run.folder, len(run.models))],
        diagnosis=found["diagnosis"].content,
        pictures=pictures,
        summary=run.model.summary(),
        configuration=config.dump(run.config),
        missing={**notes, **({"data": f"The data cannot be read: {why}"} if why else {})},
    )


def _dataset(run: Run) -> tuple[Any, str]:
    try:
        return run.dataset(), ""
    except EXPECTED as error:
        return None, str(error)


def _damaged_history(run: Run) -> str:
    """What is wrong with a history that is there; nothing otherwise."""
    for folder in members.folders(run.folder, len(run.models)):
        try:
            runs.read_history(folder)
        except FileNotFoundError:
            continue
        except EXPECTED as error:
            return f"A history.jsonl is damaged, and is left out: {error}"
    return ""


def _trained(folder: Path, dataset: Any) -> Trained:
    """What is known of the training; a run can do without its last checkpoint and its history."""
    try:
        best = int(RunFolder(folder).read_state()["best_epoch"])
    except EXPECTED:
        best = None
    try:
        rows = runs.read_history(folder)
    except EXPECTED:  # `_damaged_history` says what is wrong with it
        rows = []
    return Trained(rows, best, None if dataset is None else len(dataset.train.y))

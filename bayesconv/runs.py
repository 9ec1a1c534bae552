"""Run folders: what a configuration and a seed made.

A folder holds `config.yaml` (every setting), `run.json` (what the model was built for), `history.jsonl`,
`checkpoints/`, and, once they were asked for, `evaluation.json`, `diagnosis.json`, `calibration.json`,
`selection.json`, `conformal.json`, `report.html`, `figures/`, `evaluations/` of other images than the test images,
and `predictions/`, which may be deleted at any time. An ensemble has `members/` in place of a history and
checkpoints, a run folder each.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import bayesconv as bc
from bayesconv import (
    checkpoints,
    choices,
    culprits,
    data,
    kernel_bias,
    members,
    models,
    objectives,
    overrides,
    resumption,
    splits,
)
from bayesconv.checkpoints import RunFolder
from bayesconv.config import RunConfig
from bayesconv.data import Dataset
from bayesconv.layers import Dropout, Layer
from bayesconv.records import CONFIG, RECORD, read_record

HISTORY, CHECKPOINTS, EVALUATION, DIAGNOSIS, FIGURES = (
    "history.jsonl",
    "checkpoints",
    splits.evaluation_file(splits.TEST),
    "diagnosis.json",
    "figures",
)
CALIBRATION, SELECTION, CONFORMAL = _DECIDED = "calibration.json", "selection.json", "conformal.json"
EVALUATIONS, PREDICTIONS = "evaluations", "predictions"
WRITTEN = (
    *(CHECKPOINTS, HISTORY, CONFIG, RECORD, EVALUATION, DIAGNOSIS, FIGURES),
    *(*_DECIDED, EVALUATIONS, PREDICTIONS, members.MEMBERS, "report.html"),
    splits.evaluation_file(splits.VALIDATION),
)


class Run(NamedTuple):
    """A trained model and what it was made from.

    Attributes:
      folder: The run folder.
      config: Its configuration.
      record: What the model was built for: `input_shape`, `num_classes`, `class_names`, `value_range`.
      model: The model, with the weights of the best epoch; of an ensemble, its first member.
      others: The other members of an ensemble.
    """

    folder: Path
    config: RunConfig
    record: Mapping[str, Any]
    model: Layer
    others: tuple[Layer, ...] = ()

    @property
    def models(self) -> list[Layer]:
        """All members, which `bayesconv.predict` takes as one; most runs have a single one."""
        return [self.model, *self.others]

    @property
    def is_bayesian(self) -> bool:
        """Whether any layer has a posterior."""
        return any(isinstance(m, Layer) and m.posterior is not None for m in (self.model, *self.model.submodules))

    @property
    def is_random(self) -> bool:
        """Whether a model is another function in every draw: it has posteriors, or dropout that stays at prediction."""
        parts = (self.model, *self.model.submodules)
        return self.is_bayesian or any(isinstance(m, Dropout) and m.mc and m.rate > 0 for m in parts)

    @property
    def has_several_functions(self) -> bool:
        """Whether predictions are averages, of draws or of members, so that there is a mutual information."""
        return self.is_random or bool(self.others)

    def dataset(self) -> Dataset:
        """The data, read again.

        Raises:
          ValueError: If they are not what the model was built for any more.
        """
        dataset = data.resolve(self.config.data.identifier)()
        if list(dataset.input_shape) != self.record["input_shape"] or dataset.num_classes != self.record["num_classes"]:
            raise ValueError(
                f"The data must be those that {self.folder} was trained on: images {self.record['input_shape']} of "
                f"{self.record['num_classes']} classes. Received {list(dataset.input_shape)} of {dataset.num_classes}."
            )
        return dataset


def load_run(run_dir: str | Path) -> Run:
    """A trained run.

    Args:
      run_dir: Its folder.

    Raises:
      FileNotFoundError: If the folder holds no trained run.
      ValueError: If a file in it is damaged.
    """
    folder = Path(run_dir)
    run_config, record = read_record(folder)
    choices.check_names(run_config, folders=[Path(record["config_folder"])])
    trained = []
    parts = zip(members.configurations(run_config), members.folders(folder, run_config.training.members), strict=True)
    for member_config, member_folder in parts:
        model = build_model(member_config, record["input_shape"], record["num_classes"])
        weights = RunFolder(member_folder).best
        if not weights.is_file():
            raise resumption.missing_weights(member_folder, is_member=member_folder != folder)
        trained.append(model.load(weights))
    return Run(folder, run_config, record, trained[0], tuple(trained[1:]))


def read_history(run_dir: str | Path) -> list[dict[str, Any]]:
    """One row an epoch.

    Raises:
      FileNotFoundError: If there is no history.
      ValueError: If a line of it is no JSON object.
    """
    path = RunFolder(run_dir).history
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. Train the run first.")
    try:
        rows = checkpoints.read_history(path)
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("a line is no object")
    except ValueError as error:
        raise ValueError(f"{path} must hold one JSON object a line. It is damaged: {error}. Train it again.") from error
    return rows


def build_model(config: RunConfig, input_shape: Sequence[int], num_classes: int) -> Layer:
    """The configured network with initial weights, the same for the same seed.

    Args:
      config: The configuration.
      input_shape: Of an example.
      num_classes: Number of classes or of real targets, which the likelihood makes a number of outputs of.
    """
    parts = config.model
    chosen = {key: getattr(parts, key).identifier for key in ("estimator", "posterior", "prior", "divergence")}
    by_layer = [override.identifier for override in parts.overrides]
    factory = kernel_bias.factory(**chosen)
    if by_layer:
        factory = functools.partial(overrides.make_kernel_bias_by_layer, **chosen, overrides=by_layer)
    bc.set_seed(config.seed)
    num_outputs = objectives.as_likelihood(config.objective.likelihood.identifier).num_outputs(num_classes)
    build = functools.partial(models.resolve(parts.name.identifier), tuple(input_shape), num_outputs)
    try:
        model = build(make_kernel_bias_fn=factory)
    except ValueError as error:  # an option out of its range
        raise culprits.located(config, error, lambda factory: build(make_kernel_bias_fn=factory)) from error
    if not isinstance(model, Layer):
        message = f"a model must return a bayesconv Layer, e.g. bayesconv.Sequential. {parts.name.name!r} returned "
        received = f"{type(model).__name__}; build it from the layers of bayesconv."
        raise config.settings.error([(("model", "name"), message + received)])
    if missed := overrides.unmatched(model, by_layer):
        raise config.settings.error([(("model", "overrides", i, "match"), text) for i, text in missed.items()])
    return model


def check_folder(folder: Path, config: RunConfig, *, resume: bool, overwrite: bool) -> None:
    """Raises an error unless a run of that configuration may be written to the folder."""
    if resume and overwrite:
        raise ValueError("A run is resumed or overwritten. Received both; leave one out.")
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} must be a folder. It is a file; choose another --out.")
    if resume:
        resumption.check_same(config.model_dump(), read_record(folder)[0].model_dump(), folder / CONFIG)
        for member_folder in members.folders(folder, config.training.members):
            _check_resumable(member_folder)
    elif has_started(folder):
        if not overwrite:
            raise FileExistsError(
                f"{folder} already holds a run. Go on with it by --resume, replace it by --overwrite, or choose "
                f"another folder by --out."
            )
    elif folder.exists() and _holds_more_than_leftovers(folder, overwrite):
        raise FileExistsError(f"{folder} must be new or empty. It holds other files; choose another --out.")


def _check_resumable(folder: Path) -> None:
    path, is_member = RunFolder(folder), folder.parent.name == members.MEMBERS
    if path.last.is_file():
        path.read_state()  # before anything is built
        if not path.best.is_file():
            raise resumption.missing_weights(folder, is_member=is_member)
    elif path.history.is_file() and len(rows := read_history(folder)) > 1:  # one: stopped while writing its first
        raise resumption.missing_checkpoint(folder, len(rows), is_member=is_member)


def _holds_more_than_leftovers(folder: Path, overwrite: bool) -> bool:
    """Whether there are files besides those of a run that failed in its first epoch."""
    found = {path.name for path in folder.iterdir()}
    if not found & {CONFIG, RECORD}:  # then the checkpoints may be those of another program
        return bool(found)
    return not overwrite and bool(found - {CONFIG, RECORD, HISTORY, CHECKPOINTS, members.MEMBERS})


def has_started(folder: Path) -> bool:
    """Whether the first epoch of a run in that folder, or of a member, was finished and its last checkpoint written.

    A history of several epochs counts too: someone removed the checkpoint of a run that is worth keeping.
    """
    found = map(RunFolder, [folder, *(folder / members.MEMBERS).glob("*")])
    return any(
        r.last.is_file() or (r.history.is_file() and len(r.history.read_bytes().splitlines()) > 1) for r in found
    )


def clear(folder: Path) -> None:
    """Deletes what a run writes, and nothing else that a user may keep there."""
    for name in WRITTEN:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
        else:
            (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or the user keeps other files in it
        folder.rmdir()

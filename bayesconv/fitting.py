"""Training as a configuration says, into a folder: of one network, or of the members of an ensemble one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bayesconv as bc
from bayesconv import members, records, runs, suitability
from bayesconv.checkpoints import RunFolder
from bayesconv.config import RunConfig
from bayesconv.data import Dataset
from bayesconv.layers import Layer
from bayesconv.loop import History


def train_into(
    folder: Path, model: Layer, dataset: Dataset, config: RunConfig, *, resume: bool, progress: bool
) -> tuple[History, ...]:
    """Trains a model of a configuration, or of its ensemble, and returns the history of each member.

    What is refused before the first epoch is done leaves nothing in the folder.

    Args:
      folder: The run folder.
      model: The model, untrained; members of an ensemble have models of their own.
      dataset: What it is trained on.
      config: The configuration.
      resume: Go on from the last checkpoint.
      progress: Show a progress bar.
    """
    if not resume:
        runs.clear(folder)  # what a failed first epoch left
    try:
        records.write_record(folder, config, dataset)
        if config.training.members == 1:
            return (_fit(model, dataset, config, folder, resume=resume, progress=progress),)
        return tuple(_fit_members(folder, dataset, config, progress=progress))
    except Exception:
        if not runs.has_started(folder):
            runs.clear(folder)  # what was refused at the start leaves nothing behind
        raise


def _fit_members(folder: Path, dataset: Dataset, config: RunConfig, *, progress: bool) -> Iterator[History]:
    own_folders = members.folders(folder, config.training.members)
    alone = zip(members.configurations(config), own_folders, [None, *own_folders[:-1]], strict=True)
    for number, (member, own_folder, before) in enumerate(alone, start=1):
        records.write_record(own_folder, member, dataset)
        model = runs.build_model(member, dataset.input_shape, dataset.num_classes)
        if before is not None and config.training.snapshot_epochs is not None:
            model.load(RunFolder(before).best)  # a checkpoint of the member's own takes their place
        label = f"member {number}/{config.training.members}" if progress else False
        yield _fit(model, dataset, member, own_folder, resume=True, progress=label)  # a finished one trains no more


def _fit(
    model: Layer, dataset: Dataset, config: RunConfig, folder: Path, *, resume: bool, progress: bool | str
) -> History:
    objective, training = config.objective, config.training
    return bc.fit(
        model,
        dataset.train,
        # Images that are trained on cannot tell the best epoch: the last one counts then.
        validation=dataset.validation if dataset.validation_held_out else None,
        likelihood=objective.likelihood.identifier,
        temperature=objective.temperature,
        kl_schedule=objective.kl_schedule.identifier,
        num_samples=objective.num_samples,
        bound=objective.bound.identifier,
        class_weights=suitability.class_weights(config, dataset),
        sample_weights=dataset.train_weights,
        epochs=training.epochs,
        batch_size=training.batch_size,
        augmentation=[part.identifier for part in training.augmentation],
        optimizer=training.optimizer.identifier,
        learning_rate=training.learning_rate,
        scale_learning_rate_factor=training.scale_learning_rate_factor,
        learning_rate_schedule=training.learning_rate_schedule,
        patience=training.patience,
        seed=config.seed,
        run_dir=folder,
        resume=resume,
        progress=progress,
    )

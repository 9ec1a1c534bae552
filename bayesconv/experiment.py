"""What the command line does with a configuration: train, evaluate, diagnose, predict and draw."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bayesconv as bc
from bayesconv import choices, data, evaluation, figures, image_files, objectives, plotting, runs
from bayesconv.config import RunConfig
from bayesconv.data import Dataset
from bayesconv.diagnostics import Diagnosis
from bayesconv.files import save_arrays, write_text
from bayesconv.layers import Layer
from bayesconv.loop import History
from bayesconv.prediction import Predictive

_DIAGNOSED = 512  # training images


def train(
    config: RunConfig,
    run_dir: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    announce: Callable[[str], Any] = lambda text: None,
) -> History:
    """Trains what a configuration describes, into a folder.

    Args:
      config: The configuration.
      run_dir: The folder; made if need be, but only once the model is built.
      resume: Go on where an interrupted run of the same configuration stopped.
      overwrite: Replace an earlier run in that folder; it stays if this one fails before its first checkpoint.
      progress: Show a progress bar.
      announce: Called with the model's summary before training starts.

    Raises:
      ConfigError: If the configuration names something unknown, or does not match the run to resume.
      FileExistsError: If the folder is not empty and neither `resume` nor `overwrite` is set.
      FileNotFoundError: If there is nothing to resume.
    """
    folder = Path(run_dir)
    choices.check_names(config)
    runs.check_folder(folder, config, resume=resume, overwrite=overwrite)
    dataset = data.resolve(config.data.identifier)()
    _check_fit(config, dataset)
    model = runs.build_model(config, dataset.input_shape, dataset.num_classes)
    _check_bound(config, model)
    untrained = runs.Run(folder, config, {}, model)
    _check_out_of_distribution(untrained, dataset)
    _check_method(untrained, dataset)
    announce(f"{model.summary()}\n")
    with runs.set_aside(folder) if overwrite else contextlib.nullcontext():
        return _train_into(folder, model, dataset, config, resume=resume, progress=progress)


def _train_into(
    folder: Path, model: Layer, dataset: Dataset, config: RunConfig, *, resume: bool, progress: bool
) -> History:
    if not resume:
        runs.clear(folder)  # what a failed first epoch left
    try:
        runs.write_record(folder, config, dataset)
        return _fit(model, dataset, config, folder, resume=resume, progress=progress)
    except Exception:
        if not runs.has_started(folder):
            runs.clear(folder)  # what was refused at the start leaves nothing behind
        raise


def _fit(model: Layer, dataset: Dataset, config: RunConfig, folder: Path, *, resume: bool, progress: bool) -> History:
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
        epochs=training.epochs,
        batch_size=training.batch_size,
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


def predict_file(
    run_dir: str | Path, source: str | Path, target: str | Path | None = None, *, method: str | None = None
) -> str:
    """Predicts the images of a file.

    Args:
      run_dir: The run folder.
      source: A `.npy` array, an `.npz` archive with `x` or `images`, or a picture; see `image_files.read_images`.
      target: Where to write the result, `.csv` or `.npz`; None writes nothing.
      method: `"sampling"` or `"moments"`; the configuration's by default.

    Returns:
      The prediction as CSV, one row an image: its number, its class and the class's name, the probability of every
      class, and three uncertainties in nats.

    Raises:
      FileNotFoundError: If the run or the file is missing.
      ValueError: If the images are not like those that the run was trained on, or `target` ends otherwise.
    """
    if target is not None and Path(target).suffix not in (".csv", ".npz"):
        raise ValueError(f"Predictions are written as .csv or .npz. Received {str(target)!r}; choose such an --out.")
    run = runs.load_run(run_dir)
    images = image_files.read_images(source, run.record["input_shape"], run.record["value_range"])
    columns = _columns(evaluation.predict(run, images, method=method))
    text = _as_csv(columns, run.record["class_names"])
    if target is not None and Path(target).suffix == ".npz":
        save_arrays(target, columns)
    elif target is not None:
        write_text(target, text)
    return text


def _columns(predictive: Predictive) -> dict[str, Any]:
    uncertainties = {name: getattr(predictive, name) for name in evaluation.UNCERTAINTIES}
    return {"class": predictive.mean.argmax(axis=-1), "probs": predictive.mean, "std": predictive.std, **uncertainties}


def _as_csv(columns: Mapping[str, Any], class_names: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["image", "class", "class_name", *(f"p_{name}" for name in class_names), *evaluation.UNCERTAINTIES])
    for i, label in enumerate(columns["class"]):
        numbers = [*columns["probs"][i], *(columns[name][i] for name in evaluation.UNCERTAINTIES)]
        writer.writerow([i, label, class_names[label], *(f"{number:.6g}" for number in numbers)])
    return stream.getvalue()


def evaluate(
    run_dir: str | Path,
    *,
    method: str | None = None,
    num_samples: int | str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Scores a trained run on its test images and its out-of-distribution sets, and writes `evaluation.json`.

    Args:
      run_dir: The run folder.
      method: `"sampling"`, or `"moments"` for a single pass without draws; the configuration's by default.
      num_samples: Draws of the weights behind each prediction, or `"auto"`; the configuration's by default.
      seed: Of these draws; the configuration's by default.

    Returns:
      The report, which `evaluation_table.table` prints.
    """
    run = runs.load_run(run_dir)
    report = evaluation.report(run, run.dataset(), method=method, num_samples=num_samples, seed=seed)
    write_text(run.folder / runs.EVALUATION, json.dumps(report, indent=2, allow_nan=False) + "\n")
    return report


def plot(run_dir: str | Path) -> list[Path]:
    """Draws the figures of a trained run into its folder and returns their paths."""
    run = runs.load_run(run_dir)
    return figures.draw(run, run.dataset())


def diagnose(run_dir: str | Path) -> tuple[Diagnosis, list[Path]]:
    """Diagnoses a trained run, and writes `diagnosis.json` and, if it has posteriors with finite KLs, a figure.

    Data term and gradients are those of up to 512 training images, chosen at random by the run's seed.

    Args:
      run_dir: The run folder.

    Returns:
      The diagnosis, and the paths of the files.
    """
    run = runs.load_run(run_dir)
    train, objective = run.dataset().train, run.config.objective
    chosen = np.random.default_rng(run.config.seed).permutation(len(train.y))[:_DIAGNOSED]
    diagnosis = bc.diagnose(
        run.model,
        train.x[chosen],
        train.y[chosen],
        num_data=len(train.y),
        batch_size=min(run.config.training.batch_size, len(train.y)),
        likelihood=objective.likelihood.identifier,
        temperature=objective.temperature,
        seed=run.config.seed,
    )
    text = json.dumps(diagnosis.as_json(), indent=2, allow_nan=False) + "\n"
    write_text(run.folder / runs.DIAGNOSIS, text)
    return diagnosis, [run.folder / runs.DIAGNOSIS, *_draw_diagnosis(diagnosis, run.folder / runs.FIGURES)]


def _draw_diagnosis(diagnosis: Diagnosis, folder: Path) -> list[Path]:
    if not (diagnosis.layers and all(math.isfinite(layer.kl) for layer in diagnosis.layers)):
        return []
    kl_by_layer = {layer.name: layer.kl for layer in diagnosis.layers}
    ratios = {layer.name: layer.scale_ratios for layer in diagnosis.layers}
    return plotting.save_all(
        ((name, plotting.posterior_diagnosis(kl_by_layer, ratios)) for name in ["diagnosis"]), folder
    )


def _check_fit(config: RunConfig, dataset: Dataset) -> None:
    """Refuses what would run and mean something else than it says."""
    if config.objective.likelihood.name in ("bernoulli", "normal"):
        message = f"the labels of {dataset.name!r} are classes, which the categorical likelihood is for. "
        received = f"Received {config.objective.likelihood.name!r}; use categorical."
        raise config.settings.error([(("objective", "likelihood"), message + received)])
    if config.training.patience is not None and not dataset.validation_held_out:
        message = "early stopping needs validation images that are not trained on. "
        received = f"Received {config.training.patience}, with data.refit; set one of them back."
        raise config.settings.error([(("training", "patience"), message + received)])


def _check_bound(config: RunConfig, model: Layer) -> None:
    try:
        objectives.check_bound(model, config.objective.bound.identifier, config.objective.num_samples)
    except ValueError as error:
        raise config.settings.error([(("objective", "bound"), str(error))]) from error


def _check_method(run: runs.Run, dataset: Dataset) -> None:
    """Makes one single pass, if that is how predictions will be made, for a layer may have no rule for it."""
    if run.config.evaluation.method != "moments":
        return
    try:
        evaluation.predict(run, dataset.train.x[:1])
    except (TypeError, ValueError) as error:
        raise run.config.settings.error([(("evaluation", "method"), str(error))]) from error


def _check_out_of_distribution(run: runs.Run, dataset: Dataset) -> None:
    """Makes every set once, for what is wrong with one should not show only after the training."""
    for i, (name, images) in enumerate(evaluation.out_of_distribution(run, dataset)):
        shape = np.shape(images)
        if len(shape) != 4 or shape[0] == 0 or shape[1:] != dataset.input_shape:
            message = (
                f"{name} must make images [M, {', '.join(map(str, dataset.input_shape))}], like those of the data. "
            )
            raise run.config.settings.error([(("evaluation", "ood", i), f"{message}Received shape {list(shape)}.")])

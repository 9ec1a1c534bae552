"""What the command line does with a configuration: train, evaluate, diagnose, predict and draw."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bayesconv as bc
from bayesconv import (
    choices,
    data,
    decisions,
    evaluation,
    figures,
    fitting,
    image_files,
    members,
    plotting,
    prediction_rows,
    replacing,
    runs,
    splits,
    suitability,
    tabulation,
)
from bayesconv.config import RunConfig
from bayesconv.diagnostics import Diagnosis
from bayesconv.files import check_target, save_arrays, write_text
from bayesconv.loop import History

_DIAGNOSED = 512  # training images


def train(
    config: RunConfig,
    run_dir: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    announce: Callable[[str], Any] = lambda text: None,
) -> tuple[History, ...]:
    """Trains what a configuration describes, into a folder.

    The members of an ensemble are trained one after the other. When such a run is resumed, those that are finished stay
    as they are and the first unfinished one goes on from its last checkpoint.

    Args:
      config: The configuration.
      run_dir: The folder; made if need be, but only once the model is built.
      resume: Go on where an interrupted run of the same configuration stopped.
      overwrite: Replace an earlier run in that folder; it stays if this one fails before its first checkpoint.
      progress: Show a progress bar.
      announce: Called with the model's summary before training starts.

    Returns:
      The history of each member, most often of the one there is.

    Raises:
      ConfigError: If the configuration names something unknown, or does not match the run to resume.
      FileExistsError: If the folder is not empty and neither `resume` nor `overwrite` is set.
      FileNotFoundError: If there is nothing to resume.
    """
    folder = Path(run_dir)
    choices.check_names(config)
    runs.check_folder(folder, config, resume=resume, overwrite=overwrite)
    dataset = data.resolve(config.data.identifier)()
    suitability.check_data(config, dataset)
    model = runs.build_model(config, dataset.input_shape, dataset.num_classes)
    suitability.check_bound(config, model)
    untrained = runs.Run(folder, config, {}, model)
    suitability.check_out_of_distribution(untrained, dataset)
    suitability.check_method(untrained, dataset)
    posterior = f"KL temperature {config.objective.temperature:g}\n" if untrained.is_bayesian else ""
    announce(f"{model.summary()}\n{posterior}")
    with replacing.set_aside(folder) if overwrite else contextlib.nullcontext():
        return fitting.train_into(folder, model, dataset, config, resume=resume, progress=progress)


def predict_file(
    run_dir: str | Path,
    source: str | Path,
    target: str | Path | None = None,
    *,
    method: str | None = None,
    num_samples: int | str | None = None,
    seed: int | None = None,
    calibrated: bool = False,
) -> str:
    """Predicts the images, or the rows of a table, of a file.

    Args:
      run_dir: The run folder.
      source: A `.npy` array, an `.npz` archive with `x` or `images`, or a picture; see `image_files.read_images`.
      target: Where to write the result: `.csv`, `.npz`, or `.parquet`, the columns of `Predictive.to_pandas`, for which
        pandas and pyarrow are needed; None writes nothing.
      method: `"sampling"` or `"moments"`; the configuration's by default.
      num_samples: Draws of the weights, or `"auto"`; the configuration's by default.
      seed: Of these draws; the configuration's by default.
      calibrated: Recalibrate the probabilities by what `bayesconv calibrate` fitted.

    Returns:
      The prediction as CSV, one row an image: its number, its class and the class's name, the probability of every
      class, and four uncertainties in nats. For real targets mean, standard deviations and a central interval of 90 %
      take the place of the class; for classes of pixels the share of the image that each class has, and the means of
      the uncertainties, while an archive has the maps themselves. What `bayesconv select` and `bayesconv conformal`
      decided adds columns, which never depend on `calibrated`.

    Raises:
      FileNotFoundError: If the run or the file is missing.
      ValueError: If the images are not like those that the run was trained on, or `target` ends otherwise.
    """
    suffix = None if target is None else Path(target).suffix.lower()
    if suffix not in (None, ".csv", ".npz", ".parquet"):
        raise ValueError(
            f"Predictions are written as .csv, .npz or .parquet. Received {str(target)!r}; choose such an --out."
        )
    run = runs.load_run(run_dir)
    if target is not None:
        check_target(target)
    suitability.check_calibrated(run, calibrated)
    images = image_files.read_images(source, run.record["input_shape"], run.record["value_range"])
    names = run.record["class_names"]
    predictive = evaluation.predict(
        run, images, method=method, num_samples=num_samples, seed=seed, keep_samples=True if calibrated else None
    )
    decided = decisions.decision_columns(run, predictive, names)
    if calibrated:
        predictive = decisions.calibrated(decisions.read_calibration(run, predictive), predictive)
    columns, text = prediction_rows.as_files(predictive, names, decided)
    if suffix == ".parquet":
        tabulation.write_table(str(target), prediction_rows.as_table(predictive, names, decided))
    elif target is not None:
        save_arrays(target, columns) if suffix == ".npz" else write_text(target, text)
    return text


def evaluate(
    run_dir: str | Path,
    *,
    method: str | None = None,
    num_samples: int | str | None = None,
    seed: int | None = None,
    labelled: str | Path | None = None,
    calibrated: bool = False,
    split: str = splits.TEST,
    out: str | Path | None = None,
    announce: Callable[[dict[str, Any]], Any] = lambda report: None,
) -> dict[str, Any]:
    """Scores a trained run on its test images and its out-of-distribution sets, and writes `evaluation.json`.

    Settings are chosen by `split="validation"`: what was chosen by its test scores looks better in them than it is. The
    weights of the best epoch were chosen by the validation images too, so that these flatter each run a little.

    Args:
      run_dir: The run folder.
      method: `"sampling"`, or `"moments"` for a single pass without draws; the configuration's by default.
      num_samples: Draws of the weights behind each prediction, or `"auto"`; the configuration's by default.
      seed: Of these draws; the configuration's by default.
      labelled: An `.npz` file of images and labels to score in place of the test images, see `data.read_labelled`.
      calibrated: Recalibrate all predictions by what `bayesconv calibrate` fitted.
      split: `"test"`, or `"validation"` to score the validation images in place of the test images.
      out: The JSON file to write; by default `evaluation_path`.
      announce: Called with the report before it is written.

    Returns:
      The report, which `evaluation.tables` prints.

    Raises:
      ValueError: If the run was trained on its validation images and they are to be scored, or they are together with
        `labelled` or `calibrated`.
    """
    chosen = evaluation_path(run_dir, labelled=labelled, calibrated=calibrated, split=split)
    run, path = runs.load_run(run_dir), chosen if out is None else out
    check_target(path)
    suitability.check_calibrated(run, calibrated)
    dataset = run.dataset().scored_on(split)
    if labelled is not None:
        dataset = dataset._replace(name=Path(labelled).name, test=data.read_labelled(labelled, dataset))
    with decisions.calibration_of(run) if calibrated else contextlib.nullcontext():
        scores = evaluation.report(run, dataset, method=method, num_samples=num_samples, seed=seed)
    report = {**scores, "calibrated": calibrated, "split": split if labelled is None else None}
    announce(report)
    write_text(path, json.dumps(report, indent=2, allow_nan=False) + "\n")
    return report


def evaluation_path(
    run_dir: str | Path, *, labelled: str | Path | None = None, calibrated: bool = False, split: str = splits.TEST
) -> Path:
    """Where `evaluate` writes.

    `evaluation.json` for the test images as predicted, `evaluation_validation.json` for the validation images, else a
    file in `evaluations/`.

    Raises:
      ValueError: If these images cannot be scored so.
    """
    if labelled is None and not calibrated:
        return Path(run_dir) / splits.evaluation_file(split)
    if split == splits.VALIDATION:
        other = "images of a file" if labelled is not None else "a calibration, which is fitted to them"
        raise ValueError(
            "Validation images are scored as they are predicted, in place of all others. "
            f"Received the split {split} and {other}: choose one of them."
        )
    name = Path("test" if labelled is None else labelled).stem + ("_calibrated" if calibrated else "")
    return Path(run_dir) / runs.EVALUATIONS / f"{name}.json"


def plot(
    run_dir: str | Path, *, only: Sequence[str] | None = None, file_format: str = "png", dpi: int = 150
) -> list[Path]:
    """Draws the figures of a trained run into its folder and returns their paths.

    Args:
      run_dir: The run folder.
      only: Names of figures, see `figures.names`; None for all that suit the run.
      file_format: `"png"`, `"pdf"` or `"svg"`.
      dpi: Dots per inch.

    Raises:
      ValueError: If a name is unknown, or a named figure does not suit the run.
    """
    run = runs.load_run(run_dir)
    return figures.draw(run, run.dataset(), only=only, file_format=file_format, dpi=dpi)


def diagnose(run_dir: str | Path) -> tuple[Diagnosis, list[Path]]:
    """Diagnoses a trained run, and writes `diagnosis.json` and, if it has posteriors with finite KLs, a figure.

    Data term and gradients are those of up to 512 training images, chosen at random by the run's seed.

    Args:
      run_dir: The run folder.

    Returns:
      The diagnosis, and the paths of the files.

    Raises:
      ValueError: If the run is an ensemble, whose members have diagnoses of their own.
    """
    run = runs.load_run(run_dir)
    if run.others:
        raise ValueError(
            f"A diagnosis is of one network. Received an ensemble of {len(run.models)}: take a member, such as "
            f"{run.folder / members.MEMBERS / '0'}."
        )
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

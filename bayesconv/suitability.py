"""Whether the parts of a configuration go together and suit the data: what would fail, or mean something else."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import augmentations, corruptions, evaluation, likelihoods, objectives, runs, weighting
from bayesconv.config import RunConfig
from bayesconv.data import Dataset
from bayesconv.layers import Layer
from bayesconv.likelihoods import Likelihood

_TARGETS = {
    "classification": "classes",
    "regression": "real numbers",
    "segmentation": "classes of pixels",
    "multilabel": "answers of yes or no",
}


def check_data(config: RunConfig, dataset: Dataset) -> None:
    """Refuses a configuration that does not suit the data."""
    for check in (_check_fit, _check_objective, _check_augmentation, _check_class_weights, _check_corruptions):
        check(config, dataset)


def _check_fit(config: RunConfig, dataset: Dataset) -> None:
    """Refuses what would run and mean something else than it says."""
    likelihood, task = _likelihood(config), dataset.task
    if likelihood.task != task:
        message = f"the targets of {dataset.name!r} are {_TARGETS.get(task, task)}, which the likelihood must be for. "
        received = f"Received {likelihood.name!r}; use {_fitting(task)}."
        raise config.settings.error([(("objective", "likelihood"), message + received)])
    ignored = dict(likelihood.options).get("ignored_label")
    if task == "segmentation" and ignored != dataset.ignored_label:
        message = f"the label of {dataset.name!r} that does not count is {dataset.ignored_label}. "
        received = f"Received ignored_label {ignored}; set it to that."
        raise config.settings.error([(("objective", "likelihood"), message + received)])
    if config.training.patience is not None and not dataset.validation_held_out:
        message = "early stopping needs validation images that are not trained on. "
        received = f"Received {config.training.patience}, with data.refit; set one of them back."
        raise config.settings.error([(("training", "patience"), message + received)])


def _check_objective(config: RunConfig, dataset: Dataset) -> None:
    """Refuses schedules and weights of the KL that training would end with."""
    try:
        objectives.schedules.resolve(config.objective.kl_schedule.identifier)(tf.zeros([]))
    except ValueError as error:
        raise config.settings.error([(("objective", "kl_schedule"), str(error))]) from error
    for i, override in enumerate(config.model.overrides):
        weight, least = override.penalty_weight, objectives.SMALLEST_PENALTY_WEIGHT
        if weight is not None and weight < least:
            message = f"must be at least {least}, for the objective divides the KL by the number of data already. "
            received = f"Received {weight:g}; to weaken the prior set objective.temperature."
            raise config.settings.error([(("model", "overrides", i, "penalty_weight"), message + received)])


def _likelihood(config: RunConfig) -> Likelihood:
    try:
        return objectives.as_likelihood(config.objective.likelihood.identifier)
    except ValueError as error:  # an option out of its range
        raise config.settings.error([(("objective", "likelihood"), str(error))]) from error


def _fitting(task: str) -> str:
    made = {name: likelihoods.get(name)() for name in likelihoods.names() if not _needs_options(name)}
    return " or ".join(name for name, likelihood in made.items() if likelihood.task == task) or "one of your own"


def _needs_options(name: str) -> bool:
    return inspect.Parameter.empty in likelihoods.options(name).values()


def _check_augmentation(config: RunConfig, dataset: Dataset) -> None:
    """Refuses what cannot change these images, or would part pixels from their classes."""
    for i, part in enumerate(config.training.augmentation):
        key = ("training", "augmentation", i)
        if dataset.task == "segmentation":
            message = "changes images and not the classes of their pixels, which have to move along. "
            raise config.settings.error([(key, f"{message}Received {part.name!r} for {dataset.name!r}; leave it out.")])
        try:
            augmentations.resolve(part.identifier)(dataset.train.x[:1], np.random.default_rng(0))
        except ValueError as error:
            raise config.settings.error([(key, str(error))]) from error


def _check_corruptions(config: RunConfig, dataset: Dataset) -> None:
    """Refuses what cannot be done to these inputs, or would part pixels from their classes."""
    for i, part in enumerate(config.evaluation.corruptions):
        key = ("evaluation", "corruptions", i)
        if dataset.task == "segmentation" and part.name in corruptions.MOVING:
            message = "moves pixels and not their classes. "
            raise config.settings.error([(key, f"{message}Received {part.name!r} for {dataset.name!r}; leave it out.")])
        try:
            options: dict[str, Any] = {"value_range": dataset.value_range, "series": len(dataset.input_shape) == 2}
            corruptions.corrupt(dataset.test.x[:1], part.identifier, severity=1, **options)
        except ValueError as error:
            raise config.settings.error([(key, str(error))]) from error


def class_weights(config: RunConfig, dataset: Dataset) -> Any:
    """The weights of classes, of which the configuration may give some by name."""
    weights = config.objective.class_weights
    if isinstance(weights, Mapping):
        unknown = [name for name in weights if name not in dataset.class_names]
        if unknown:
            message = f"the classes are {list(dataset.class_names)}. Received {unknown}; give names out of these."
            raise config.settings.error([(("objective", "class_weights"), message)])
        return [weights.get(name, 1.0) for name in dataset.class_names]
    return weights


def _check_class_weights(config: RunConfig, dataset: Dataset) -> None:
    """Refuses weights of classes that do not suit the data."""
    weights = class_weights(config, dataset)
    try:
        weighting.as_class_weights(weights, dataset.num_classes, _likelihood(config), dataset.train.y)
    except ValueError as error:
        raise config.settings.error([(("objective", "class_weights"), str(error))]) from error


def check_bound(config: RunConfig, model: Layer) -> None:
    """Refuses a bound that cannot be computed for the model."""
    try:
        objectives.check_bound(model, config.objective.bound.identifier, config.objective.num_samples)
    except ValueError as error:
        raise config.settings.error([(("objective", "bound"), str(error))]) from error


def check_method(run: runs.Run, dataset: Dataset) -> None:
    """Makes one single pass, if that is how predictions will be made, for a layer may have no rule for it."""
    if run.config.evaluation.method != "moments":
        return
    try:
        evaluation.predict(run, dataset.train.x[:1])
    except (TypeError, ValueError) as error:
        raise run.config.settings.error([(("evaluation", "method"), str(error))]) from error


def check_out_of_distribution(run: runs.Run, dataset: Dataset) -> None:
    """Makes every set once, for what is wrong with one should not show only after the training."""
    for i, (name, images) in enumerate(evaluation.out_of_distribution(run, dataset)):
        shape = np.shape(images)
        if len(shape) < 2 or shape[0] == 0 or shape[1:] != dataset.input_shape:
            message = (
                f"{name} must make images [M, {', '.join(map(str, dataset.input_shape))}], like those of the data. "
            )
            raise run.config.settings.error([(("evaluation", "ood", i), f"{message}Received shape {list(shape)}.")])


def check_calibrated(run: runs.Run, is_asked_for: bool) -> None:
    """Refuses to recalibrate what no calibration is of."""
    if is_asked_for and (task := evaluation.task_of(run)) != "classification":
        raise ValueError(
            "Only probabilities of one class an image are recalibrated. "
            f"Received a run whose task is {task}; leave --calibrated out."
        )

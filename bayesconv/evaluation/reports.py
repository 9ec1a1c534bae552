"""The report on a run, by what its likelihood says the task is."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from bayesconv import objectives, user_arrays
from bayesconv.data import Dataset
from bayesconv.evaluation.predicting import predict
from bayesconv.runs import Run

TASKS = ("classification", "regression", "segmentation")  # a module of this package each, with report and tables


def task_of(run: Run) -> str:
    """What the run's outputs are: classes of images, real numbers, or classes of pixels."""
    likelihood = objectives.as_likelihood(run.config.objective.likelihood.identifier)
    return getattr(likelihood, "task", "classification")


def report(
    run: Run,
    dataset: Dataset,
    *,
    method: str | None = None,
    num_samples: int | str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """All results of a run, ready for JSON.

    Args:
      run: A trained run.
      dataset: Its data.
      method: How predictions are made; the configuration's by default.
      num_samples: Draws of the weights; the configuration's by default.
      seed: Of the draws; the configuration's by default.

    Returns:
      What the task's module reports, after the name of the task and the kind of inputs: images, series or rows.

    Raises:
      ValueError: If the method is unknown, or draws nothing and `num_samples` or `seed` is given.
    """
    task = task_of(run)
    predicted = functools.partial(predict, run, method=method, num_samples=num_samples, seed=seed)
    kind = user_arrays.kind_of(len(dataset.input_shape))
    return {"task": task, "kind": kind, **_module(task).report(run, dataset, predicted)}


def tables(report: Mapping[str, Any]) -> str:
    """A report as text.

    Args:
      report: What `report` returned; one without a task is of a classifier.
    """
    return _module(report.get("task", "classification")).tables(report)


def _module(task: str) -> ModuleType:
    if task not in TASKS:
        raise ValueError(f"The task of a likelihood must be one of {', '.join(TASKS)}. Received {task!r}.")
    return importlib.import_module(f"bayesconv.evaluation.{task}")

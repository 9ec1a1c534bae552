"""The images that decisions are fitted to, which the model was not trained on, and how far counts are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from bayesconv import data, evaluation
from bayesconv.data import Dataset, Split
from bayesconv.evaluation.kept import variables_hash
from bayesconv.files import check_target
from bayesconv.prediction import Predictive
from bayesconv.runs import CONFORMAL, Run
from bayesconv.user_arrays import kind_of

LEVEL = 0.95  # of the binomial intervals
_OF_CLASSES = "its probabilities and uncertainties are what bayesconv predict and evaluate give, as they are"


class Basis(NamedTuple):
    """What a decision is made from.

    Attributes:
      run: The run.
      dataset: Its data, for the test images.
      held_out: What is fitted to.
      record: Where all that comes from, ready for JSON.
      fitted: The prediction for the held-out images.
      test: The prediction for the test images.
    """

    run: Run
    dataset: Dataset
    held_out: Split
    record: dict[str, Any]
    fitted: Predictive
    test: Predictive


def basis(run: Run, path: str | Path | None = None, *, tasks: tuple[str, ...] = ("classification",)) -> Basis:
    """The run's validation images, or those of a file, and the predictions that a decision needs.

    Args:
      run: A trained run.
      path: An `.npz` file of labelled images that the model was not trained on, see `data.read_labelled`.
      tasks: The tasks that the decision is defined for.

    Raises:
      ValueError: If the run's task is another one, or its validation images were trained on and no file is given.
    """
    dataset, task = run.dataset(), evaluation.task_of(run)
    if task not in tasks:
        remedy = "its intervals are what bayesconv conformal moves" if task == "regression" else _OF_CLASSES
        raise ValueError(f"This takes a run whose task is {' or '.join(tasks)}. Received one of {task}; {remedy}.")
    check_target(run.folder / CONFORMAL)  # before the predictions, which take long
    if path is None and not dataset.validation_held_out:
        raise ValueError(
            f"What is decided on must not have been trained on. {run.folder} was trained on its validation images "
            "(data.refit): give other labelled images by --held-out FILE.npz, or train without refit."
        )
    held_out = dataset.validation if path is None else data.read_labelled(path, dataset)
    fitted = evaluation.predict(run, held_out.x, name="held out")
    test = evaluation.predict(run, dataset.test.x, name="test")
    return Basis(run, dataset, held_out, _record(run, path, held_out, fitted), fitted, test)


def made_by(predictive: Predictive) -> str:
    """How a prediction was made, as it is compared with that of another: `"sampling"`, `"moments"`."""
    return "moments" if isinstance(predictive.num_samples, int) and predictive.num_samples == 0 else "sampling"


def binomial(successes: float, trials: int) -> dict[str, float | None]:
    """A share and its Clopper-Pearson interval; None for a share of nothing.

    Example:
      >>> {name: round(value, 3) for name, value in binomial(0, 10).items()}
      {'value': 0.0, 'lower': 0.0, 'upper': 0.308}
    """
    from scipy.stats import binomtest

    if not trials:
        return {"value": None, "lower": None, "upper": None}
    low, high = binomtest(round(successes), trials).proportion_ci(LEVEL, method="exact")
    return {"value": successes / trials, "lower": float(low), "upper": float(high)}


def _record(run: Run, path: str | Path | None, held_out: Split, fitted: Predictive) -> dict[str, Any]:
    return {
        "held_out": {"source": "validation" if path is None else str(path), "num_images": len(held_out.y)},
        "task": evaluation.task_of(run),
        "kind": kind_of(len(run.record["input_shape"])),
        "made_by": made_by(fitted),
        "weights": variables_hash(run),
        "temperature": run.config.objective.temperature if run.is_bayesian else None,
    }

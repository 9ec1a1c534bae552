"""What an answer is unsure by, and when it is wrong: classes, real numbers, and classes of pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bayesconv import evaluation
from bayesconv.data import Dataset
from bayesconv.evaluation import regression, segmentation
from bayesconv.evaluation.uncertainties import ALL_SCORES, uncertainty_scores, wrong
from bayesconv.prediction import Predictive
from bayesconv.registry import unknown_name_message
from bayesconv.runs import Run

OF_PIXELS = ("predictive_entropy", "expected_entropy", "mutual_information", "max_probability")


class Answers(NamedTuple):
    """How the answers of a task are judged.

    Attributes:
      scores: Names of the uncertainties; the first is the default.
      unsure: `unsure(run, predictive)` gives those that a prediction has, `[N]` each, higher is less sure.
      is_wrong: `is_wrong(predictive, labels, dataset, tolerance)`, 0 or 1, `[N]`, or NaN where nothing can be judged.
      tolerance: What the largest error of a right answer is measured in; None if an answer is right or wrong.
      largest: Which the tolerance is below.
    """

    scores: tuple[str, ...]
    unsure: Callable[[Run, Predictive], dict[str, Any]]
    is_wrong: Callable[[Predictive, Any, Dataset, Any], Any]
    tolerance: str | None = None
    largest: float = math.inf


def _unsure_of_classes(run: Run, predictive: Predictive) -> dict[str, Any]:
    return uncertainty_scores(predictive, has_several=run.has_several_functions)


def _unsure_of_numbers(run: Run, predictive: Predictive) -> dict[str, Any]:
    found = regression.strangeness(predictive)
    return {name: found[name] for name in _OF_NUMBERS if found[name] is not None and np.any(found[name])}


def _unsure_of_pixels(run: Run, predictive: Predictive) -> dict[str, Any]:
    maps = {name: getattr(predictive, name) for name in OF_PIXELS[:3]}
    maps["max_probability"] = 1 - predictive.mean.max(axis=-1)
    if not run.has_several_functions:
        del maps["mutual_information"]
    return {name: np.mean(values, axis=(1, 2), dtype=np.float64) for name, values in maps.items()}


def _wrong_class(predictive: Predictive, labels: Any, dataset: Dataset, tolerance: Any) -> Any:
    return wrong(predictive, labels)


def _far_off(predictive: Predictive, labels: Any, dataset: Dataset, tolerance: float) -> Any:
    errors = np.abs(predictive.mean - np.reshape(labels, predictive.mean.shape))
    return (errors.max(axis=1) > tolerance).astype(np.float64)


def _many_pixels_wrong(predictive: Predictive, labels: Any, dataset: Dataset, tolerance: float) -> Any:
    counted = segmentation.counted_pixels(labels, dataset.ignored_label)
    missed = ((predictive.mean.argmax(axis=-1) != labels) & counted).sum(axis=(1, 2))
    pixels = counted.sum(axis=(1, 2))
    return np.where(pixels > 0, missed / np.maximum(pixels, 1) > tolerance, np.nan)


_OF_NUMBERS = ("spread", "epistemic_std")
_BY_TASK = {
    "classification": Answers(("predictive_entropy", *ALL_SCORES), _unsure_of_classes, _wrong_class),
    "regression": Answers(_OF_NUMBERS, _unsure_of_numbers, _far_off, "the unit of the targets"),
    "segmentation": Answers(OF_PIXELS, _unsure_of_pixels, _many_pixels_wrong, "shares of an image's pixels", 1.0),
}
TASKS = tuple(_BY_TASK)
SCORES = tuple(dict.fromkeys([*ALL_SCORES, *_OF_NUMBERS]))  # of all tasks


def answers_of(run: Run) -> Answers:
    """How the run's answers are judged."""
    return _BY_TASK[evaluation.task_of(run)]


def check_score(answers: Answers, score: str | None) -> None:
    """Refuses an uncertainty that the task does not have.

    Raises:
      ValueError: If there is none of that name.
    """
    if score is not None and score not in answers.scores:
        raise ValueError(unknown_name_message("uncertainty", score, tuple(dict.fromkeys(answers.scores))))


def usual_score(run: Run, predictive: Predictive) -> str:
    """The first uncertainty of the task that a prediction has.

    Raises:
      ValueError: If it has none.
    """
    answers = answers_of(run)
    known = answers.unsure(run, predictive)
    if not known:
        raise ValueError("Nothing says how unsure these predictions are: one function, without a variance of its own.")
    return next(name for name in answers.scores if name in known)


def check_tolerance(answers: Answers, tolerance: float | None) -> None:
    """Refuses to call answers wrong without saying when they are.

    Raises:
      ValueError: If the task needs a tolerance and none is given, or the other way round, or it is negative.
    """
    if answers.tolerance is None and tolerance is not None:
        raise ValueError(f"An answer of one class is right or wrong. Received the tolerance {tolerance}; leave it out.")
    if answers.tolerance is not None and (tolerance is None or not 0 <= tolerance < answers.largest):
        below = "" if math.isinf(answers.largest) else f" and below {answers.largest:g}"
        raise ValueError(
            f"An answer is wrong if it is off by more than a tolerance, in {answers.tolerance}. Received {tolerance}; "
            f"give --tolerance, a number that is not negative{below}."
        )


def unsure(run: Run, predictive: Predictive, score: str) -> Any:
    """The uncertainty of that name, `[N]`.

    Raises:
      ValueError: If the prediction does not have it.
    """
    known = answers_of(run).unsure(run, predictive)
    if score not in known:
        raise ValueError(
            f"{score} is of draws that differ, of logits that were kept, or of a variance, which these predictions do "
            f"not have. Choose one of {sorted(known)}."
        )
    return known[score]

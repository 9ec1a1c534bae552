"""When an answer is wrong, and how it is put into words."""

from types import SimpleNamespace

import numpy as np
import pytest

from bayesconv.decisions import answers, wording

PIXELS, NUMBERS, CLASSES = (answers._BY_TASK[task] for task in ("segmentation", "regression", "classification"))


def test_pixels_that_do_not_count_are_neither_right_nor_wrong():
    labels = np.array([[[0, 1], [255, 255]], [[255, 255], [255, 255]]])
    predictive = SimpleNamespace(mean=np.broadcast_to([0.9, 0.1], [2, 2, 2, 2]))  # the class 0 everywhere
    dataset = SimpleNamespace(ignored_label=255)
    np.testing.assert_array_equal(
        PIXELS.is_wrong(predictive, labels, dataset, 0.4), [1, np.nan]
    )  # half of two; of none
    np.testing.assert_array_equal(PIXELS.is_wrong(predictive, labels, dataset, 0.5), [0, np.nan])


def test_of_several_targets_the_worst_counts():
    predictive = SimpleNamespace(mean=np.array([[0.0, 0.0], [0.0, 0.0]]))
    targets = np.array([[0.1, -0.9], [0.5, 0.5]])
    np.testing.assert_array_equal(NUMBERS.is_wrong(predictive, targets, None, 0.5), [1, 0])


@pytest.mark.parametrize(
    ("of", "tolerance", "message"),
    [
        (PIXELS, 5.0, r"in shares of an image's pixels\. Received 5\.0.*not negative and below 1\."),
        (PIXELS, 1.0, r"below 1\."),
        (PIXELS, None, r"Received None"),
        (NUMBERS, -0.1, r"in the unit of the targets\. Received -0\.1.*not negative\."),
        (NUMBERS, float("inf"), r"Received inf"),
        (CLASSES, 0.0, r"right or wrong\. Received the tolerance 0\.0"),
    ],
)
def test_a_tolerance_that_means_nothing_is_refused(of, tolerance, message):
    with pytest.raises(ValueError, match=message):
        answers.check_tolerance(of, tolerance)


@pytest.mark.parametrize(
    ("of", "tolerance"), [(PIXELS, 0.0), (PIXELS, 0.99), (NUMBERS, 0.0), (NUMBERS, 1e9), (CLASSES, None)]
)
def test_others_are_taken(of, tolerance):
    answers.check_tolerance(of, tolerance)


def test_every_uncertainty_of_a_task_is_an_option_of_the_command_line():
    assert {name for of in answers._BY_TASK.values() for name in of.scores} == set(answers.SCORES)


def test_the_words_say_what_a_decision_was_fitted_to_and_when_an_answer_is_wrong():
    of = {"held_out": {"source": "own.npz", "num_images": 1}, "kind": "series", "tolerance": 0.25, "task": "regression"}
    assert wording.source_of(of) == "1 series of own.npz"
    assert wording.wrong_beyond(of) == "An answer is wrong if it is off by more than 0.25."
    assert wording.wrong_beyond({"tolerance": None}) == wording.wrong_beyond({}) == ""


def test_without_a_choice_the_first_uncertainty_that_there_is_abstains(monkeypatch):
    """A Student-t of two degrees of freedom has no variance, and so no spread."""
    found = {"spread": None, "epistemic_std": np.array([0.1, 0.2])}
    monkeypatch.setattr(answers, "answers_of", lambda run: NUMBERS)
    monkeypatch.setattr(answers.regression, "strangeness", lambda predictive: found)
    assert answers.usual_score(None, None) == "epistemic_std"
    found["spread"] = np.array([1.0, 2.0])
    assert answers.usual_score(None, None) == "spread"
    found.update(spread=None, epistemic_std=np.zeros(2))
    with pytest.raises(ValueError, match="Nothing says how unsure"):
        answers.usual_score(None, None)

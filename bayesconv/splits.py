"""The parts of a data set that a trained model is scored on: test images to report, validation images to choose by."""

from __future__ import annotations

from bayesconv.registry import unknown_name_message

TEST, VALIDATION = SPLITS = ("test", "validation")
_EVALUATIONS = {TEST: "evaluation.json", VALIDATION: "evaluation_validation.json"}


def evaluation_file(split: str) -> str:
    """The name of the file in a run folder that holds the scores of a part.

    Args:
      split: `"test"` or `"validation"`.

    Raises:
      ValueError: If there is no such part.

    Example:
      >>> evaluation_file("validation")
      'evaluation_validation.json'
    """
    if split not in SPLITS:
        raise ValueError(unknown_name_message("split", split, SPLITS))
    return _EVALUATIONS[split]

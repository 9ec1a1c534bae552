"""What numbers mean, in plain sentences that every task shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayesconv.evaluation.text import severities
from bayesconv.report.document import Numbers
from bayesconv.report.wording import above, ends, number, words

TOLD_APART = {"auroc": "AUROC", "fpr95": "FPR95", "aupr_in": "AUPR in", "aupr_out": "AUPR out"}
STRANGE = (
    "AUROC: the probability that an example of the strange set looks more uncertain than one of the test set. "
    "FPR95: the share of the strange set that passes as familiar where 95 % of the test set do. AUPR: the "
    "precision at finding the test set (in) or the strange one (out), averaged over thresholds."
)
_WELL, _PARTLY = 0.9, 0.7  # of an AUROC


def place(value: float, null: Numbers) -> str:
    """Where a calibration error lies: `inside`, `above` or `below` the band of a calibrated model.

    Example:
      >>> place(0.02, {"lower": 0.01, "upper": 0.03}), place(0.04, {"lower": 0.01, "upper": 0.03})
      ('inside', 'above')
    """
    if value > null["upper"]:
        return "above"
    return "below" if value < null["lower"] else "inside"


def calibration(name: str, value: float, null: Numbers, remedy: str) -> str:
    """What a calibration error says about the probabilities, by the band that chance gives.

    Args:
      name: Of the error.
      value: The error.
      null: The band into which 95 % of calibrated models fall, `lower` and `upper`.
      remedy: What to do about an error above it.
    """
    found, band = place(value, null), ends(null)
    start = f"The {name} of {number(value)} lies {found} the band of a calibrated model ({band})"
    if found == "inside":
        return f"{start}: these data give no reason to doubt the probabilities."
    if found == "below":
        return f"{start}: smaller than chance alone makes it 39 times in 40, so nothing speaks against them."
    return f"{start}: the probabilities are not to be taken at face value. {remedy}"


def tells_apart(score: str, name: str, auroc: float, interval: Numbers | None) -> str:
    """How well a score tells a strange set from the test set.

    Args:
      score: What the score is called, at the start of a sentence.
      name: Of the set.
      auroc: Area under the ROC curve; 0.5 is guessing.
      interval: Its interval, if there is one.
    """
    within = ends(interval, ".2f")
    about = f"AUROC {number(auroc, '.3f')}" + (f", 95 % interval {within}" if within != "-" else "")
    if auroc < 0.5:
        return f"{score} takes “{words(name)}” for more familiar than the test set itself ({about}; 0.5 is guessing)."
    how = "" if auroc >= _WELL else "in part " if auroc >= _PARTLY else "hardly "
    return f"{score} {how}tells “{words(name)}” apart from the test set ({about}; 0.5 is guessing, 1 is perfect)."


def told_apart(entry: Numbers, score: str) -> list[str]:
    """The `TOLD_APART` of a strange set by a score, each above its interval."""
    values = {key: number(entry.get(key, {}).get(score), ".3f") for key in TOLD_APART}
    return [above(value, ends(interval_by(entry, key, score), ".3f")) for key, value in values.items()]


def interval_by(entry: Numbers, key: str, score: str) -> Any:
    """The interval of what a score does, or None."""
    return ((entry.get("intervals") or {}).get(key) or {}).get(score)


def worst_shift(report: Numbers, key: str, *, lower_is_worse: bool) -> tuple[str, Any] | None:
    """The corruption whose highest severity is worst by a score, and that score; None if there are none."""
    last = {name: worse[-1][key] for name, worse in (report.get("shift") or {}).items() if worse}
    known = {name: value for name, value in last.items() if value is not None}
    if not known:
        return None
    name = (min if lower_is_worse else max)(known, key=lambda name: known[name])
    return words(name), known[name]


def shift_rows(report: Numbers, key: str, form: Any) -> Iterator[list[str]]:
    """A row for each corruption: the score of the same examples as they are, and at every severity, 5 of them.

    Args:
      report: An evaluation.
      key: Of the score.
      form: Makes text of it, from an entry and the key.
    """
    for name in report["shift"]:
        values = [form(entry, key) for entry in severities(report, name)]
        yield [words(name), *values, *[""] * (6 - len(values))]

"""Mean uncertainties, and how well they tell strange sets apart, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import aligned, ends, figure, number, scored, with_intervals

SCORE_LABELS = {
    "max_probability": "max. prob.",
    "predictive_entropy": "total",
    "expected_entropy": "aleatoric",
    "mutual_information": "epistemic",
    "energy": "energy",
    "variation_ratio": "votes",
    "top_class_stddev": "top std.",
}
_MEANS = {
    "mutual_information": "epistemic",
    "mutual_information_corrected": "corrected",
    "expected_entropy": "aleatoric",
    "predictive_entropy": "total",
    "disagreement": "pairs",
    "variation_ratio": "votes",
}
_OF_DRAWS = ("mutual_information_corrected", "disagreement", "variation_ratio")
_FIGURES = {"auroc": "AUROC", "aupr_in": "AUPR in", "aupr_out": "AUPR out", "fpr95": "FPR95"}
STRANGE_NOTES = [
    "AUROC and AUPR: a set against the familiar one, AUPR in is of finding the familiar, out of finding the other.",
    "FPR95: the share of the set that passes as familiar where 95 % of the familiar do.",
]


def uncertainty_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Means of the test images and of each strange set, in nats but for the shares of draws."""
    shown = {key: label for key, label in _MEANS.items() if has_draws(report) or key not in _OF_DRAWS}
    rows = [["uncertainty [nats]", *shown.values()]]
    for name, entry in {scored(report): report, **report["ood"]}.items():
        rows += with_intervals(name, [figure(entry, key, within=".4f") for key in shown])
    return rows


def has_draws(report: Mapping[str, Any]) -> bool:
    """Whether predictions are averages over draws, and no single pass."""
    return bool(report["method"] == "sampling")


def uncertainty_notes(report: Mapping[str, Any]) -> list[str]:
    """What the columns of the means are."""
    if not has_draws(report):
        return ["Epistemic is mutual information, aleatoric expected entropy, total predictive entropy, all means."]
    return [
        "Epistemic is mutual information, and beside it what it would be with more draws; aleatoric expected",
        "entropy, total predictive entropy, all means. Pairs: share of pairs of draws whose top classes differ;",
        "votes: share of draws that are not with the most.",
    ]


def strange_lines(report: Mapping[str, Any], labels: Mapping[str, str] = SCORE_LABELS) -> list[str]:
    """A block of rows for each set, under its name, which may be longer than a column.

    Args:
      report: Of any task.
      labels: What each score is called that tells the sets from the test set.
    """
    blocks = [_strange_rows(entry, labels) for entry in report["ood"].values()]
    header, *lines = aligned([["strange by", *labels.values()], *(row for block in blocks for row in block)])
    written, remaining = [header], iter(lines)
    for name, block in zip(report["ood"], blocks, strict=True):
        written += [name, *(next(remaining) for _ in block)]
    return written


def _strange_rows(entry: Mapping[str, Any], labels: Mapping[str, str]) -> list[list[str]]:
    rows: list[list[str]] = []
    for key, label in ((key, label) for key, label in _FIGURES.items() if key in entry):
        within = entry["intervals"].get(key, {})
        found = [(number(entry[key].get(score), ".3f"), ends(within.get(score), ".2f")) for score in labels]
        rows += with_intervals(f"  {label}", found)
    return rows

"""The report on predicted classes of pixels as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import (
    aligned,
    counted,
    ends,
    figure,
    manner_of,
    number,
    scored,
    severities,
    with_intervals,
)
from bayesconv.evaluation.uncertainty_tables import STRANGE_NOTES, strange_lines

_SCORES = (("accuracy", "accuracy"), ("mean_iou", "mean IoU"), ("nll", "NLL"), ("brier", "Brier"), ("ece", "ECE"))
_MEANS = {"mutual_information": "epistemic", "expected_entropy": "aleatoric", "predictive_entropy": "total"}
_FOUND_BY = {"mutual_information": "epistemic", "predictive_entropy": "total"}


def tables(report: Mapping[str, Any]) -> str:
    """The report as text, at most 120 columns wide for names of usual length."""
    blocks = [
        [_heading(report)],
        aligned(_score_rows(report)),
        aligned(_class_rows(report)),
        *([aligned(_calibration_rows(report))] if "calibration" in report else []),  # not in earlier reports
        aligned(_uncertainty_rows(report)),
        aligned(_wrong_rows(report)),
    ]
    if report["ood"]:
        blocks.append(strange_lines(report, _FOUND_BY))
    if report["shift"]:
        blocks.append(aligned(_shift_rows(report)))
    return (
        "\n\n".join("\n".join(block) for block in [*blocks, _NOTES + (STRANGE_NOTES if report["ood"] else [])]) + "\n"
    )


_NOTES = [
    "NLL in nats a pixel; IoU of all images together. Epistemic is mutual information, aleatoric expected entropy,",
    "total predictive entropy, means over pixels. AUROC of wrong pixels: against right ones; of a set: by the mean",
    "uncertainties of its images.",
]


def _heading(report: Mapping[str, Any]) -> str:
    return f"{report['dataset']}: {counted(report['num_images'], scored(report))}, {manner_of(report)}"


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    found = [figure(report, key, within=".4f") for key, _ in _SCORES]
    return [["pixels", *(label for _, label in _SCORES)], *with_intervals("as trained", found)]


def _class_rows(report: Mapping[str, Any]) -> list[list[str]]:
    within = report["intervals"].get("iou", {})
    found = {name: (number(value, ".3f"), ends(within.get(name))) for name, value in report["iou"].items()}
    if all(interval == "-" for _, interval in found.values()):
        return [["class", "IoU"], *([name, value] for name, (value, _) in found.items())]
    return [["class", "IoU", "95 % interval"], *([name, *both] for name, both in found.items())]


def _calibration_rows(report: Mapping[str, Any]) -> list[list[str]]:
    errors = report["calibration"]
    found = [figure(entry, "value", within=".4f") for entry in errors.values()]
    return [["calibration error of pixels", *errors], *with_intervals("as trained", found)]


def _uncertainty_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["uncertainty [nats]", *_MEANS.values()]]
    for name, entry in {scored(report): report, **report["ood"]}.items():
        rows += with_intervals(name, [figure(entry, key, within=".4f") for key in _MEANS])
    return rows


def _wrong_rows(report: Mapping[str, Any]) -> list[list[str]]:
    within = report["intervals"].get("error_auroc", {})
    found = [(number(report["error_auroc"][key], ".3f"), ends(within.get(key))) for key in _FOUND_BY]
    return [["wrong pixels by", *_FOUND_BY.values()], *with_intervals("  AUROC", found)]


def _shift_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["corruption, severity", *(str(severity) for severity in range(6))]]
    for name in report["shift"]:
        for key, label in (("accuracy", "accuracy"), ("mean_iou", "mean IoU"), ("nll", "NLL")):
            rows += with_intervals(f"{name}, {label}", [figure(entry, key) for entry in severities(report, name)])
    return rows

"""The report on a classifier as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import aligned, counted, ends, figure, manner_of, scored, severities, with_intervals
from bayesconv.evaluation.uncertainty_tables import (
    SCORE_LABELS,
    STRANGE_NOTES,
    strange_lines,
    uncertainty_notes,
    uncertainty_rows,
)

_ABSTAINED = {
    "aurc": "AURC",
    "e_aurc": "E-AURC",
    "augrc": "AUGRC",
    "risk_at_coverage_0.8": "risk at 80 %",
    "risk_at_coverage_0.9": "at 90 %",
    "coverage_at_risk_0.01": "kept at risk 1 %",
    "coverage_at_risk_0.05": "at 5 %",
}
_SHIFTED = (("accuracy", "accuracy", ".1%", ".1%"), ("nll", "NLL", ".4f", ".3f"), ("ece", "ECE", ".4f", ".3f"))


def tables(report: Mapping[str, Any]) -> str:
    """The report as text, at most 120 columns wide for names of usual length.

    Args:
      report: What `classification.report` returned.
    """
    rows = [_score_rows(report), uncertainty_rows(report), _calibration_rows(report), _abstention_rows(report)]
    blocks = [[_heading(report)], *map(aligned, rows)]
    if report["ood"]:
        blocks.append(strange_lines(report))
    if report["shift"]:
        blocks.append(aligned(_shift_rows(report)))
    return "\n\n".join("\n".join(block) for block in [*blocks, _notes(report)]) + "\n"


def _heading(report: Mapping[str, Any]) -> str:
    return f"{report['dataset']}: {counted(report['num_images'], scored(report))}, {manner_of(report)}"


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["", "accuracy", "NLL", "Brier", "ECE", "ECE if calibrated"], *_scores(_label(report), report)]
    scaled = None if report.get("calibrated") else report["temperature_scaled"]
    return rows + (_scores(f"softmax temperature {scaled['softmax_temperature']:.2f}", scaled) if scaled else [])


def _label(report: Mapping[str, Any]) -> str:
    return "recalibrated" if report.get("calibrated") else "as trained"


def _scores(label: str, scores: Mapping[str, Any]) -> list[list[str]]:
    others = [figure(scores, key) for key in ("nll", "brier", "ece")]
    null = (ends(scores["ece_null"], ".4f"), "")
    return with_intervals(label, [figure(scores, "accuracy", ".1%", ".1%"), *others, null])


def _calibration_rows(report: Mapping[str, Any]) -> list[list[str]]:
    errors = report["calibration"]
    header = ["calibration error", *(name.replace("_squared", " sq.") for name in errors)]
    found = with_intervals(_label(report), [figure(entry, "value") for entry in errors.values()])
    return [header, *found, ["  if calibrated", *(ends(entry["null"]) for entry in errors.values())]]


def _abstention_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["abstention by", *_ABSTAINED.values()]]
    for name, entry in report["selection"].items():
        areas = [figure(entry, key, within=".4f") for key in _ABSTAINED if "au" in key]
        points = [figure(entry, key, ".1%", ".1%") for key in _ABSTAINED if "au" not in key]
        rows += with_intervals(SCORE_LABELS[name], [*areas, *points])
    return rows


def _shift_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["corruption, severity", *(str(severity) for severity in range(6))]]
    for name in report["shift"]:
        for key, label, form, within in _SHIFTED:
            found = [figure(entry, key, form, within) for entry in severities(report, name)]
            rows += with_intervals(f"{name}, {label}", found)
    return rows


def _notes(report: Mapping[str, Any]) -> list[str]:
    notes = [
        'NLL in nats per image. A calibrated model\'s error falls into the range "if calibrated" 19 times in 20.',
        *uncertainty_notes(report),
        "Risk: share of errors among the surest images; kept: largest share of images with at most that risk.",
        *(STRANGE_NOTES if report["ood"] else []),
    ]
    if report.get("calibrated"):
        notes.append("Recalibrated on held-out images by bayesconv calibrate.")
    elif report.get("split") == "validation":
        notes.append("No temperature scaling: these are the validation images, which it is fitted to.")
    elif report["temperature_scaled"] is None:
        notes.append("No temperature scaling: the validation images were trained on.")
    elif report["temperature_scaled"]["scaled"] != "logits":
        notes.append("The softmax temperature divides the logarithms of the probabilities.")
    return notes

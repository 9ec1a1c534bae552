"""The report on a classifier as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import aligned, manner_of

_SCORE_LABELS = {
    "max_probability": "max. prob.",
    "predictive_entropy": "total",
    "expected_entropy": "aleatoric",
    "mutual_information": "epistemic",
    "energy": "energy",
    "variation_ratio": "votes",
    "top_class_stddev": "top std.",
}


def tables(report: Mapping[str, Any]) -> str:
    """The report as text, at most 100 columns wide for names of usual length.

    Args:
      report: What `classification.report` returned.
    """
    rows = [_score_rows(report), _uncertainty_rows(report), _calibration_rows(report), _abstention_rows(report)]
    blocks = [[_heading(report)], *map(aligned, rows)]
    if report["ood"]:
        blocks.append(_ood_lines(report))
    if report["shift"]:
        blocks.append(aligned(_shift_rows(report)))
    return "\n\n".join("\n".join(block) for block in [*blocks, _notes(report)]) + "\n"


def _heading(report: Mapping[str, Any]) -> str:
    return f"{report['dataset']}: {report['num_images']} test images, {manner_of(report)}"


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["", "accuracy", "NLL", "Brier", "ECE", "ECE if calibrated"], *_score_pair(_label(report), report)]
    scaled = None if report.get("calibrated") else report["temperature_scaled"]
    if scaled:
        rows += _score_pair(f"softmax temperature {scaled['softmax_temperature']:.2f}", scaled)
    return rows


def _label(report: Mapping[str, Any]) -> str:
    return "recalibrated" if report.get("calibrated") else "as trained"


def _score_pair(label: str, scores: Mapping[str, Any]) -> list[list[str]]:
    """The scores, and under them their intervals if there are any."""
    null = scores["ece_null"]
    numbers = [f"{scores[key]:.4f}" for key in ("nll", "brier", "ece")]
    rows = [[label, f"{scores['accuracy']:.1%}", *numbers, f"{null['lower']:.4f} to {null['upper']:.4f}"]]
    if ends := scores["intervals"]:
        percent = [f"{100 * ends['accuracy'][end]:.1f}" for end in ("lower", "upper")]
        others = [_ends(ends[key], ".3f", "-") for key in ("nll", "brier", "ece")]
        rows.append(["  95 % interval", "-".join(percent), *others, ""])
    return rows


def _ends(interval: Mapping[str, float | None], form: str, between: str = " to ") -> str:
    if interval["lower"] is None or interval["upper"] is None:
        return "-"
    return f"{interval['lower']:{form}}{between}{interval['upper']:{form}}"


def _uncertainty_rows(report: Mapping[str, Any]) -> list[list[str]]:
    header = ["uncertainty [nats]", "epistemic", "aleatoric", "total", "AUROC epist.", "AUROC total"]
    sets = {"test images": report, **report["ood"]}
    return [header, *([name, *_uncertainty_cells(entry)] for name, entry in sets.items())]


def _uncertainty_cells(entry: Mapping[str, Any]) -> list[str]:
    means = [f"{entry[key]:.4f}" for key in ("mutual_information", "expected_entropy", "predictive_entropy")]
    auroc = entry.get("auroc", {})
    return [*means, *(_or_dash(auroc.get(key)) for key in ("mutual_information", "predictive_entropy"))]


def _calibration_rows(report: Mapping[str, Any]) -> list[list[str]]:
    errors = report["calibration"]
    header = ["calibration error", *(name.replace("_squared", " sq.") for name in errors)]
    found = [_label(report), *(f"{entry['value']:.4f}" for entry in errors.values())]
    nulls = [_ends(entry["null"], ".3f") for entry in errors.values()]
    return [header, found, ["  if calibrated", *nulls]]


def _abstention_rows(report: Mapping[str, Any]) -> list[list[str]]:
    entries = report["selection"]
    header = ["abstention by", "AURC", "E-AURC", "AUGRC", "risk at 80 %", "at 90 %", "kept at risk 1 %", "at 5 %"]
    rows = [header]
    for name, entry in entries.items():
        areas = [f"{entry[key]:.4f}" for key in ("aurc", "e_aurc", "augrc")]
        points = ("risk_at_coverage_0.8", "risk_at_coverage_0.9", "coverage_at_risk_0.01", "coverage_at_risk_0.05")
        rows.append([_SCORE_LABELS[name], *areas, *(f"{entry[key]:.1%}" for key in points)])
    return rows


def _ood_lines(report: Mapping[str, Any]) -> list[str]:
    """A block of rows for each set, under its name, which may be longer than a column."""
    rows = [["strange by", *_SCORE_LABELS.values()]]
    blocks = [_ood_rows(entry) for entry in report["ood"].values()]
    header, *lines = aligned(rows + [row for block in blocks for row in block])
    written, remaining = [header], iter(lines)
    for name, block in zip(report["ood"], blocks, strict=True):
        written += [name, *(next(remaining) for _ in block)]
    return written


def _ood_rows(entry: Mapping[str, Any]) -> list[list[str]]:
    rows = [["  AUROC", *(_or_dash(entry["auroc"][score]) for score in _SCORE_LABELS)]]
    if ends := entry["intervals"]["auroc"]:
        cells = [_ends(ends[score], ".2f", "-") if score in ends else "-" for score in _SCORE_LABELS]
        rows.append(["    95 % interval", *cells])
    return [*rows, ["  FPR95", *(_or_dash(entry["fpr95"][score]) for score in _SCORE_LABELS)]]


def _shift_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["corruption, severity", *(str(severity) for severity in range(6))]]
    for name, worse in report["shift"].items():
        for key, label, form in (("accuracy", "accuracy", ".1%"), ("nll", "NLL", ".4f"), ("ece", "ECE", ".4f")):
            rows.append([f"{name}, {label}", *(format(entry[key], form) for entry in (report, *worse))])
    return rows


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _notes(report: Mapping[str, Any]) -> list[str]:
    notes = [
        'NLL in nats per image. A calibrated model\'s error falls into the range "if calibrated"',
        "19 times in 20. Epistemic is mutual information, aleatoric expected entropy, total",
        "predictive entropy, all means; AUROC: a set against test images. Risk: share of errors",
        "among the surest images; kept: largest share of images with at most that risk.",
    ]
    if report.get("calibrated"):
        notes.append("Recalibrated on held-out images by bayesconv calibrate.")
    elif report["temperature_scaled"] is None:
        notes.append("No temperature scaling: the validation images were trained on.")
    elif report["temperature_scaled"]["scaled"] != "logits":
        notes.append("The softmax temperature divides the logarithms of the probabilities.")
    return notes

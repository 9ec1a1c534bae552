"""The report on a run as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(report: Mapping[str, Any]) -> str:
    """The report as text, at most 80 columns wide for names of usual length."""
    blocks = [[_heading(report)], _aligned(_score_rows(report)), _aligned(_uncertainty_rows(report))]
    if report["shift"]:
        blocks.append(_aligned(_shift_rows(report)))
    return "\n\n".join("\n".join(block) for block in [*blocks, _notes(report)]) + "\n"


def _heading(report: Mapping[str, Any]) -> str:
    start, temperature = f"{report['dataset']}: {report['num_images']} test images", report["temperature"]
    if temperature is None:
        return f"{start}, point weights, seed {report['seed']}"
    if report["method"] == "moments":
        return f"{start}, single pass of moments, KL temperature {temperature:g}"
    return f"{start}, {_draws(report['num_samples'])} draws, KL temperature {temperature:g}, seed {report['seed']}"


def _draws(num_samples: Any) -> str:
    return str(num_samples) if isinstance(num_samples, int) else " to ".join(map(str, sorted(set(num_samples))))


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["", "accuracy", "NLL", "Brier", "ECE", "ECE if calibrated"], ["as trained", *_scores(report)]]
    if scaled := report["temperature_scaled"]:
        rows.append([f"softmax temperature {scaled['softmax_temperature']:.2f}", *_scores(scaled)])
    return rows


def _scores(scores: Mapping[str, Any]) -> list[str]:
    null = scores["ece_null"]
    numbers = [f"{scores[key]:.4f}" for key in ("nll", "brier", "ece")]
    return [f"{scores['accuracy']:.1%}", *numbers, f"{null['lower']:.4f} to {null['upper']:.4f}"]


def _uncertainty_rows(report: Mapping[str, Any]) -> list[list[str]]:
    header = ["uncertainty [nats]", "epistemic", "aleatoric", "total", "AUROC epist.", "AUROC total"]
    sets = {"test images": report, **report["ood"]}
    return [header, *([name, *_uncertainty_cells(entry)] for name, entry in sets.items())]


def _uncertainty_cells(entry: Mapping[str, Any]) -> list[str]:
    means = [f"{entry[key]:.4f}" for key in ("mutual_information", "expected_entropy", "predictive_entropy")]
    auroc = entry.get("auroc", {})
    return [*means, *(_or_dash(auroc.get(key)) for key in ("mutual_information", "predictive_entropy"))]


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
        "NLL in nats per image. A calibrated model's ECE falls into the last column's",
        "range nine times in ten. Epistemic is mutual information, aleatoric expected",
        "entropy, total predictive entropy, all means; AUROC: a set against test images.",
    ]
    if report["temperature_scaled"] is None:
        notes.append("No temperature scaling: the validation images were trained on.")
    elif report["temperature_scaled"]["scaled"] != "logits":
        notes.append("The softmax temperature divides the logarithms of the probabilities.")
    return notes


def _aligned(rows: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]

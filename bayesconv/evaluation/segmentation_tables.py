"""The report on predicted classes of pixels as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import manner_of

_SCORES = (("accuracy", "accuracy"), ("mean_iou", "mean IoU"), ("nll", "NLL"), ("brier", "Brier"), ("ece", "ECE"))


def tables(report: Mapping[str, Any]) -> str:
    """The report as text, at most 80 columns wide for names of usual length."""
    blocks = [
        [_heading(report)],
        _aligned(_score_rows(report)),
        _aligned(_class_rows(report)),
        _aligned(_uncertainty_rows(report)),
    ]
    if report["shift"]:
        blocks.append(_aligned(_shift_rows(report)))
    return "\n\n".join("\n".join(block) for block in [*blocks, _NOTES]) + "\n"


_NOTES = [
    "NLL in nats a pixel; IoU of all images together. Epistemic is mutual information,",
    "aleatoric expected entropy, total predictive entropy, means over pixels. AUROC of",
    "wrong pixels: against right ones; of a set: mean uncertainties of its images",
    "against those of the test images.",
]


def _heading(report: Mapping[str, Any]) -> str:
    return f"{report['dataset']}: {report['num_images']} test images, {manner_of(report)}"


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["pixels", *(label for _, label in _SCORES)], ["as trained", *(f"{report[key]:.4f}" for key, _ in _SCORES)]]
    for end in ("lower", "upper"):
        if report["intervals"]:
            ends = [report["intervals"].get(key) for key, _ in _SCORES]
            rows.append([f"95 % interval, {end}", *("" if e is None else f"{e[end]:.4f}" for e in ends)])
    return rows


def _class_rows(report: Mapping[str, Any]) -> list[list[str]]:
    return [["class", "IoU"], *([name, _or_dash(value)] for name, value in report["iou"].items())]


def _uncertainty_rows(report: Mapping[str, Any]) -> list[list[str]]:
    header = ["uncertainty [nats]", "epistemic", "aleatoric", "total", "AUROC epist.", "AUROC total"]
    rows = [header, ["test images", *_means(report), "", ""]]
    rows.append(["wrong pixels", "", "", "", *_aurocs(report["error_auroc"])])
    return [*rows, *([name, *_means(found), *_aurocs(found["auroc"])] for name, found in report["ood"].items())]


def _means(entry: Mapping[str, Any]) -> list[str]:
    return [f"{entry[key]:.4f}" for key in ("mutual_information", "expected_entropy", "predictive_entropy")]


def _aurocs(auroc: Mapping[str, Any]) -> list[str]:
    return [_or_dash(auroc[key]) for key in ("mutual_information", "predictive_entropy")]


def _shift_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["corruption, severity", *(str(severity) for severity in range(6))]]
    for name, worse in report["shift"].items():
        for key, label in (("accuracy", "accuracy"), ("mean_iou", "mean IoU"), ("nll", "NLL")):
            rows.append([f"{name}, {label}", *(f"{entry[key]:.4f}" for entry in (report, *worse))])
    return rows


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]

"""The report on predicted real numbers as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import manner_of

_SCORES = (("rmse", "RMSE"), ("mae", "MAE"), ("nll", "NLL"), ("crps", "CRPS"), ("pinball", "pinball"))


def tables(report: Mapping[str, Any]) -> str:
    """The report as text, at most 80 columns wide for names of usual length."""
    blocks = [[_heading(report)], _aligned(_score_rows(report))]
    if report["credible"]:
        blocks.append(_aligned(_interval_rows(report)))
    blocks.append(_aligned(_spread_rows(report)))
    if report["shift"]:
        blocks.append(_aligned(_shift_rows(report)))
    return "\n\n".join("\n".join(block) for block in [*blocks, _notes(report)]) + "\n"


def _heading(report: Mapping[str, Any]) -> str:
    start = f"{report['dataset']}: {report['num_examples']} test examples, {', '.join(report['targets'])}"
    return f"{start}, {manner_of(report)}"


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    known = [(key, label) for key, label in _SCORES if report[key] is not None]
    rows = [["", *(label for _, label in known)], ["test examples", *(f"{report[key]:.4f}" for key, _ in known)]]
    for end in ("lower", "upper"):
        ends = [report["intervals"].get(key) for key, _ in known]
        if all(ends):
            rows.append([f"95 % interval, {end}", *(f"{interval[end]:.4f}" for interval in ends if interval)])
    return rows


def _interval_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["credible interval", "coverage", "mean width", "interval score"]]
    for level, found in report["credible"].items():
        numbers = [f"{found['picp']:.1%}", f"{found['mpiw']:.4f}", f"{found['interval_score']:.4f}"]
        rows.append([f"{float(level):.0%}", *numbers])
    return rows


def _spread_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["standard deviation", "epistemic", "aleatoric", "total", "AUROC epist.", "AUROC total"]]
    stds = [_or_dash(report[f"{kind}_std"], 4) for kind in ("epistemic", "aleatoric", "total")]
    rows.append(["test examples", *stds, "-", "-"])
    for name, found in report["ood"].items():
        auroc = [_or_dash(found["auroc"][key], 3) for key in ("epistemic_std", "spread")]
        total = "-" if report["total_std"] is None else _or_dash(found["spread"], 4)
        rows.append([name, _or_dash(found["epistemic_std"], 4), "", total, *auroc])
    return rows


def _shift_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["corruption, severity", *(str(severity) for severity in range(6))]]
    shown = [(key, label) for key, label in _SCORES if key in ("rmse", "nll", "pinball") and report[key] is not None]
    for name, worse in report["shift"].items():
        for key, label in shown:
            rows.append([f"{name}, {label}", *(f"{entry[key]:.4f}" for entry in (report, *worse))])
    return rows


def _or_dash(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _notes(report: Mapping[str, Any]) -> list[str]:
    calibration, notes = report["calibration"], []
    if calibration is not None:
        null = calibration["null"]
        band = f"; {null['lower']:.4f} to {null['upper']:.4f} if calibrated, 19 times in 20" if null else ""
        notes.append(f"Quantile calibration error {calibration['value']:.4f}{band}.")
    if report["ause"] is not None:
        notes.append(f"AUSE {report['ause']:.3f}: 0 if the largest errors are the most uncertain.")
    notes.append("NLL in nats per example, the rest in the unit of the target. AUROC: a set against")
    notes.append("test examples, by the epistemic and by the total spread.")
    if report["pinball"] is not None:
        notes.append("Quantiles have no density: no NLL and no CRPS, and the interval gives the spread.")
    return notes


def _aligned(rows: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]

"""The report on predicted real numbers as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import aligned, counted, ends, figure, manner_of, scored, severities, with_intervals
from bayesconv.evaluation.uncertainty_tables import STRANGE_NOTES, strange_lines

_SCORES = (("rmse", "RMSE"), ("mae", "MAE"), ("nll", "NLL"), ("crps", "CRPS"), ("pinball", "pinball"))
_STRANGE_BY = {"epistemic_std": "epistemic", "spread": "total"}
_WITHIN = ".4g"  # of intervals, in units that may be large


def tables(report: Mapping[str, Any]) -> str:
    """The report as text, at most 120 columns wide for names of usual length."""
    blocks = [[_heading(report)], aligned(_score_rows(report))]
    if report["credible"]:
        blocks.append(aligned(_interval_rows(report)))
    blocks.append(aligned(_spread_rows(report)))
    if report["ood"]:
        blocks.append(strange_lines(report, _STRANGE_BY))
    if report["shift"]:
        blocks.append(aligned(_shift_rows(report)))
    return "\n\n".join("\n".join(block) for block in [*blocks, _notes(report)]) + "\n"


def _heading(report: Mapping[str, Any]) -> str:
    start = f"{report['dataset']}: {counted(report['num_examples'], scored(report))}, {', '.join(report['targets'])}"
    return f"{start}, {manner_of(report)}"


def _score_rows(report: Mapping[str, Any]) -> list[list[str]]:
    known = [(key, label) for key, label in _SCORES if report[key] is not None]
    found = [figure(report, key, within=_WITHIN) for key, _ in known]
    return [["", *(label for _, label in known)], *with_intervals(scored(report), found)]


def _interval_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["credible interval", "coverage", "mean width", "interval score"]]
    for level, found in report["credible"].items():
        others = [figure(found, key, within=_WITHIN) for key in ("mpiw", "interval_score")]
        rows += with_intervals(f"{float(level):.0%}", [figure(found, "picp", ".1%", ".1%"), *others])
    return rows


def _spread_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["standard deviation", "epistemic", "aleatoric", "total"]]
    kinds = ("epistemic", "aleatoric", "total")
    rows += with_intervals(scored(report), [figure(report, f"{kind}_std", within=_WITHIN) for kind in kinds])
    for name, found in report["ood"].items():
        total = ("-", "-") if report["total_std"] is None else figure(found, "spread", within=_WITHIN)
        rows += with_intervals(name, [figure(found, "epistemic_std", within=_WITHIN), ("", ""), total])
    return rows


def _shift_rows(report: Mapping[str, Any]) -> list[list[str]]:
    rows = [["corruption, severity", *(str(severity) for severity in range(6))]]
    shown = [(key, label) for key, label in _SCORES if key in ("rmse", "nll", "pinball") and report[key] is not None]
    for name in report["shift"]:
        for key, label in shown:
            found = [figure(entry, key, within=".3g") for entry in severities(report, name)]
            rows += with_intervals(f"{name}, {label}", found)
    return rows


def _notes(report: Mapping[str, Any]) -> list[str]:
    calibration, notes = report["calibration"], []
    if calibration is not None:
        null = calibration["null"]
        band = f"; {ends(null, '.4f')} if calibrated, 19 times in 20" if null else ""
        notes.append(f"Quantile calibration error {_in_words(calibration, 'value', '.4f')}{band}.")
    if report["ause"] is not None:
        notes.append(f"AUSE {_in_words(report, 'ause', '.3f')}: 0 if the largest errors are the most uncertain.")
    unit = "Errors, CRPS, widths and standard deviations are in the unit of the target."
    notes.append(unit if report["nll"] is None else f"NLL in nats per example. {unit}")
    if report["pinball"] is not None:
        notes.append("Quantiles have no density: no NLL and no CRPS, and the interval gives the spread.")
    return notes + (STRANGE_NOTES if report["ood"] else [])


def _in_words(entry: Mapping[str, Any], key: str, form: str) -> str:
    value, within = figure(entry, key, form, form)
    return value if within == "-" else f"{value} (95 % interval {within})"

"""What a report says of a classifier's evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayesconv.evaluation.text import counted, scored
from bayesconv.report import readings as read
from bayesconv.report.document import Block, Headline, Numbers, Paragraph
from bayesconv.report.wording import (
    BELOW,
    DASH,
    ends,
    figure,
    number,
    percent,
    percent_ends,
    share,
    table,
    words,
)

_UNCERTAINTIES = {
    "mutual_information": "epistemic (mutual information) [nats]",
    "mutual_information_corrected": "the same, corrected [nats]",
    "expected_entropy": "aleatoric (expected entropy) [nats]",
    "predictive_entropy": "total (predictive entropy) [nats]",
    "disagreement": "pairs of draws that disagree",
    "variation_ratio": "draws not with the most (variation ratio)",
}
_SCORES = {
    "max_probability": "1 - largest probability",
    "predictive_entropy": "predictive entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
    "energy": "energy",
    "variation_ratio": "variation ratio",
    "top_class_stddev": "standard deviation of the top class",
}
_SEVERITIES = ("0", "1", "2", "3", "4", "5")
_REMEDY = "bayesconv calibrate fits a remedy to held-out images."
_ABSTAINED = {
    "aurc": "AURC",
    "e_aurc": "E-AURC",
    "augrc": "AUGRC",
    "risk_at_coverage_0.8": "wrong among the surest 80 %",
    "risk_at_coverage_0.9": "wrong among the surest 90 %",
    "coverage_at_risk_0.01": "kept at 1 % wrong",
    "coverage_at_risk_0.05": "kept at 5 % wrong",
}


def headlines(report: Numbers) -> Iterator[Headline]:
    """Accuracy, NLL, ECE, Brier score, and how well strange images are found, each with its interval."""
    of = report["intervals"]
    yield Headline("accuracy", percent(report["accuracy"]), _interval(percent_ends(of.get("accuracy"))))
    yield Headline("NLL, nats per image", number(report["nll"]), _interval(ends(of.get("nll"), ".3f")))
    null = ends(report["ece_null"], ".3f")
    yield Headline("ECE", number(report["ece"]), f"calibrated models: {null}")
    yield Headline("Brier score", number(report["brier"]), _interval(ends(of.get("brier"), ".3f")))
    for name, entry in report["ood"].items():
        if score := _finds_by(entry):
            about = _interval(ends(entry["intervals"].get("auroc", {}).get(score), ".2f"))
            yield Headline(f"AUROC, {words(name)}", number(entry["auroc"][score], ".3f"), about)


def readings(report: Numbers) -> Iterator[str]:
    """The same in sentences."""
    within = percent_ends(report["intervals"].get("accuracy"))
    about = "" if within == DASH else f", 95 % interval {within}"
    count = counted(report["num_images"], scored(report))
    yield f"{percent(report['accuracy'])} of {count} are classified right{about}."
    yield read.calibration("ECE", report["ece"], report["ece_null"], _remedy(report))
    abstained = report["selection"].get("predictive_entropy")
    if abstained:
        risk = abstained["risk_at_coverage_0.8"]
        yield (
            f"Where it abstains from the fifth of the images that it is least sure of, {percent(risk)} of the rest are "
            f"wrong, in place of {percent(1 - report['accuracy'])}."
        )
    if report["predictive_entropy"] > 0 and report["mutual_information"] > 0:
        share = report["mutual_information"] / report["predictive_entropy"]
        yield (
            f"{percent(share, 0)} of its uncertainty on {scored(report)} is epistemic: what more data could take away."
        )
    for name, entry in report["ood"].items():
        if score := _finds_by(entry):
            interval = entry["intervals"].get("auroc", {}).get(score)
            yield read.tells_apart(_SCORES[score].capitalize(), name, entry["auroc"][score], interval)
    if worst := read.worst_shift(report, "accuracy", lower_is_worse=True):
        yield f"The worst corruption at its highest severity is {worst[0]}: {percent(worst[1])} are classified right."


def _remedy(report: Numbers) -> str:
    scaled = report.get("temperature_scaled")
    if not scaled:
        return _REMEDY
    temperature = scaled["softmax_temperature"]
    sure = "too sure" if temperature > 1 else "not sure enough"
    return f"The best softmax temperature is {temperature:.2f}: the model is {sure}. {_REMEDY}"


def _finds_by(entry: Numbers) -> str | None:
    """The mutual information, or where there is none the total uncertainty."""
    known = [name for name in ("mutual_information", "predictive_entropy") if entry["auroc"].get(name) is not None]
    return known[0] if known else None


def _interval(text: str) -> str:
    return "" if text == DASH else f"95 % interval {text}"


def scores(report: Numbers) -> Iterator[Block]:
    """Tables of quality and calibration, of uncertainty, and of abstention."""
    scaled = None if report.get("calibrated") else report.get("temperature_scaled")
    label = "recalibrated" if report.get("calibrated") else "as trained"
    header = ["score", label, "95 % interval", "calibrated models"]
    if scaled:
        header += [f"at softmax temperature {scaled['softmax_temperature']:.2f}", "its 95 % interval"]
    note = (
        "NLL in nats per image. Nineteen of twenty models whose probabilities are right have calibration errors in the "
        "range of the column calibrated models."
    )
    yield table(f"Scores of the {scored(report)}", header, [*_score_rows(report, scaled)], note)
    if not scaled and not report.get("calibrated"):
        yield Paragraph("There is no temperature-scaled row: the validation images were trained on.")
    yield _uncertainty_table(report)
    yield _abstention_table(report)


def _score_rows(report: Numbers, scaled: Numbers | None) -> Iterator[list[str]]:
    for name, key in (("accuracy", "accuracy"), ("NLL", "nll"), ("Brier score", "brier"), ("ECE", "ece")):
        value, within = (percent, percent_ends) if key == "accuracy" else (number, ends)
        null = ends(report["ece_null"]) if key == "ece" else ""
        row = [name, value(report[key]), within(report["intervals"].get(key)), null]
        yield row + ([value(scaled[key]), within(scaled["intervals"].get(key))] if scaled else [])
    rest = ["", ""] if scaled else []
    if top := report.get("top_k"):
        found = percent_ends(top["intervals"].get("accuracy"))
        yield [f"top-{top['k']} accuracy", percent(top["accuracy"]), found, "", *rest]
    for name, entry in report.get("calibration", {}).items():
        found = ends(entry["intervals"].get("value"))
        yield [f"{words(name)} calibration error", number(entry["value"]), found, ends(entry["null"]), *rest]
    parts = report.get("brier_decomposition") or {}
    for name in parts:
        yield [f"Brier score, {words(name)}", number(parts[name]), "", "", *rest]


def _uncertainty_table(report: Numbers) -> Block:
    sets = {scored(report): report, **report["ood"]}
    rows = [[label, *(figure(entry, key) for entry in sets.values())] for key, label in _UNCERTAINTIES.items()]
    note = f"Corrected: what the mutual information would be with more draws. {BELOW}"
    return table("Mean uncertainty", ["", *map(words, sets)], _known(rows), note)


def _abstention_table(report: Numbers) -> Block:
    by = report["selection"]
    rows = [
        [label, *((figure if "AU" in label else share)(e, key) for e in by.values())]
        for key, label in _ABSTAINED.items()
    ]
    note = (
        "AURC: mean share of errors among the images that are kept, over all numbers of them. Kept: the largest share "
        f"of the images among which no more are wrong. {BELOW}"
    )
    return table("Abstaining from the most uncertain images", ["", *(_SCORES[name] for name in by)], rows, note)


def strange(report: Numbers) -> Iterator[Block]:
    """A table of scores for each strange set."""
    for name, entry in report["ood"].items():
        header = ["told apart by", *read.TOLD_APART.values()]
        rows = _known([[label, *read.told_apart(entry, score)] for score, label in _SCORES.items()])
        yield table(
            f"{scored(report).capitalize()} against {entry['num_images']} of {words(name)}", header, rows, BELOW
        )
    if report["ood"]:
        yield Paragraph(read.STRANGE)


def _known(rows: list[list[str]]) -> list[list[str]]:
    return [row for row in rows if any(cell != DASH for cell in row[1:])]


def shift(report: Numbers) -> Iterator[Block]:
    """Tables of scores by corruption and severity."""
    if not report["shift"]:
        return
    header = ["corruption", *_SEVERITIES]
    shown: tuple[tuple[str, str, Any], ...] = (("accuracy", "Accuracy", share), ("nll", "NLL", figure))
    for key, name, form in (*shown, ("ece", "ECE", figure)):
        yield table(f"{name} by severity", header, [*read.shift_rows(report, key, form)], BELOW)

"""What a report says of the evaluation of predicted classes of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayesconv.evaluation.text import counted, scored
from bayesconv.report import readings as read
from bayesconv.report.document import Block, Headline, Numbers, Paragraph
from bayesconv.report.wording import BELOW, DASH, ends, figure, number, percent, percent_ends, share, table, words

_SCORES = {"accuracy": "accuracy", "mean_iou": "mean IoU", "nll": "NLL", "brier": "Brier score", "ece": "ECE"}
_UNCERTAINTIES = {"mutual_information": "epistemic", "expected_entropy": "aleatoric", "predictive_entropy": "total"}
_FOUND_BY = {"mutual_information": "Mutual information", "predictive_entropy": "Predictive entropy"}


def headlines(report: Numbers) -> Iterator[Headline]:
    """Accuracy, IoU, NLL and ECE of pixels."""
    for key in ("accuracy", "mean_iou", "nll", "ece"):
        interval = report["intervals"].get(key)
        within = percent_ends(interval) if key == "accuracy" else ends(interval)
        value = percent(report[key]) if key == "accuracy" else number(report[key])
        yield Headline(_SCORES[key], value, "" if within == DASH else f"95 % interval {within}")


def readings(report: Numbers) -> Iterator[str]:
    """The same in sentences."""
    images = counted(report["num_images"], scored(report))
    yield f"{percent(report['accuracy'])} of the pixels of {images} have the right class."
    known = {name: value for name, value in report["iou"].items() if value is not None}
    if known:
        worst = min(known, key=lambda name: known[name])
        yield f"The class with the least overlap is {worst}, IoU {number(known[worst], '.3f')}."
    for score, label in _FOUND_BY.items():
        if report["error_auroc"][score] is not None:
            auroc = number(report["error_auroc"][score], ".3f")
            yield f"{label} finds wrong pixels with AUROC {auroc}; 0.5 is guessing."
            break
    for name, entry in report["ood"].items():
        for score, label in _FOUND_BY.items():
            if entry["auroc"][score] is not None:
                interval = read.interval_by(entry, "auroc", score)
                yield read.tells_apart(label, name, entry["auroc"][score], interval)
                break
    if worst_shift := read.worst_shift(report, "mean_iou", lower_is_worse=True):
        name, value = worst_shift
        yield f"The worst corruption at its highest severity is {name}: mean IoU {number(value, '.3f')}."


def scores(report: Numbers) -> Iterator[Block]:
    """Tables of quality, of classes, and of uncertainty."""
    rows = [
        [label, number(report[key]), ends(report["intervals"].get(key))] for key, label in _SCORES.items()
    ]  # accuracy as a number, like the rest
    for name, entry in report.get("calibration", {}).items():
        rows.append([f"{name} calibration error", number(entry["value"]), ends(entry["intervals"].get("value"))])
    note = "NLL in nats a pixel; IoU of all images together."
    yield table(f"Scores of the pixels of {scored(report)}", ["score", "value", "95 % interval"], rows, note)
    overlap = [
        [name, number(iou, ".3f"), ends(read.interval_by(report, "iou", name), ".3f")]
        for name, iou in report["iou"].items()
    ]
    yield table("Overlap", ["class", "IoU", "95 % interval"], overlap)
    sets = {scored(report): report, **report["ood"]}
    means = [[label, *(figure(entry, key) for entry in sets.values())] for key, label in _UNCERTAINTIES.items()]
    yield table("Mean uncertainty of pixels [nats]", ["", *map(words, sets)], means, BELOW)
    auroc = {key: number(report["error_auroc"][key], ".3f") for key in _FOUND_BY}
    within = {key: ends(read.interval_by(report, "error_auroc", key), ".3f") for key in _FOUND_BY}
    found = [[label, auroc[key], within[key]] for key, label in _FOUND_BY.items()]
    yield table("Wrong pixels against right ones", ["told apart by", "AUROC", "95 % interval"], found)


def strange(report: Numbers) -> Iterator[Block]:
    """A table of each strange set."""
    for name, entry in report["ood"].items():
        header = ["told apart by", *read.TOLD_APART.values()]
        rows = [[label, *read.told_apart(entry, key)] for key, label in _FOUND_BY.items()]
        yield table(
            f"{scored(report).capitalize()} against {entry['num_images']} of {words(name)}", header, rows, BELOW
        )
    if report["ood"]:
        yield Paragraph(read.STRANGE)


def shift(report: Numbers) -> Iterator[Block]:
    """Tables of scores by corruption and severity."""
    shown: tuple[tuple[str, Any], ...] = (("accuracy", share), ("mean_iou", figure), ("nll", figure))
    for key, form in shown:
        if report["shift"]:
            label, rows = _SCORES[key], [*read.shift_rows(report, key, form)]
            yield table(f"{label[0].upper()}{label[1:]} by severity", ["corruption", *map(str, range(6))], rows, BELOW)

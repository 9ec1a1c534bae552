"""What a report says of the evaluation of predicted real numbers."""

from __future__ import annotations

from collections.abc import Iterator

from scipy.stats import binomtest

from bayesconv.evaluation.text import scored
from bayesconv.report import readings as read
from bayesconv.report.document import Block, Headline, Numbers, Paragraph
from bayesconv.report.wording import BELOW, DASH, ends, figure, number, percent, percent_ends, table, words

_SCORES = {"rmse": "RMSE", "mae": "MAE", "nll": "NLL", "crps": "CRPS", "pinball": "pinball loss"}
_STDS = {"epistemic_std": "epistemic", "aleatoric_std": "aleatoric", "total_std": "total"}
_SPREADS = {"epistemic_std": "epistemic spread", "spread": "total spread"}
_REMEDY = "bayesconv conformal moves the ends of its intervals by held-out examples."


def headlines(report: Numbers) -> Iterator[Headline]:
    """Errors, densities and coverage, each with its interval."""
    for key, label in _SCORES.items():
        if report[key] is not None and key != "mae":
            within = ends(report["intervals"].get(key))
            yield Headline(label, number(report[key]), "" if within == DASH else f"95 % interval {within}")
    for level, found in report["credible"].items():
        name = f"coverage of {percent(float(level), 0)} intervals"
        within = percent_ends(_coverage(found["picp"], report["num_examples"]))
        about = f"95 % interval {within}, mean width {number(found['mpiw'], '.4g')}"
        yield Headline(name, percent(found["picp"]), about)


def readings(report: Numbers) -> Iterator[str]:
    """The same in sentences."""
    targets = ", ".join(report["targets"])
    yield f"Predictions of {targets} are off by {number(report['rmse'], '.4g')} (root mean square of {scored(report)})."
    for level, found in report["credible"].items():
        yield _judged(float(level), found["picp"], report["num_examples"])
    found = report["calibration"]
    if found and found["null"]:
        yield _calibration(report, found)
    if report["ause"] is not None:
        yield f"AUSE {number(report['ause'], '.3f')}: 0 if the largest errors were the most uncertain ones."
    for name, entry in report["ood"].items():
        for score, label in (("epistemic_std", "Epistemic spread"), ("spread", "Total spread")):
            if entry["auroc"][score] is not None:
                interval = read.interval_by(entry, "auroc", score)
                yield read.tells_apart(label, name, entry["auroc"][score], interval)
                break
    if worst := read.worst_shift(report, "rmse", lower_is_worse=False):
        yield f"The worst corruption at its highest severity is {worst[0]}: RMSE {number(worst[1], '.4g')}."


def _coverage(share: float, count: int) -> dict[str, float]:
    """The interval of Clopper and Pearson; that of a share over several targets of each example is at most as wide."""
    low, high = binomtest(round(share * count), count).proportion_ci(0.95, method="exact")
    return {"lower": float(low), "upper": float(high)}


def _side(level: float, share: float, count: int) -> str:
    """Whether intervals are `narrow` or `wide`; an empty text if chance alone may make the difference."""
    within = _coverage(share, count)
    return "narrow" if within["upper"] < level else "wide" if within["lower"] > level else ""


def _judged(level: float, share: float, count: int) -> str:
    within = percent_ends(_coverage(share, count))
    start = f"The {percent(level, 0)} intervals hold {percent(share)} of the test targets (95 % interval {within})"
    side = _side(level, share, count)
    return f"{start}: they are too {side}. {_REMEDY}" if side else f"{start}, as many as they say within chance."


def _calibration(report: Numbers, found: Numbers) -> str:
    off = [k for k, e in report["credible"].items() if _side(float(k), e["picp"], report["num_examples"])]
    if off and read.place(found["value"], found["null"]) != "above":
        return (
            f"The quantile calibration error of {number(found['value'])} is not above the band of a calibrated model "
            f"({ends(found['null'])}), but it is a mean over all quantiles, and the intervals above are off."
        )
    return read.calibration("quantile calibration error", found["value"], found["null"], _REMEDY)


def scores(report: Numbers) -> Iterator[Block]:
    """Tables of errors, of intervals and of spreads."""
    known = [(key, label) for key, label in _SCORES.items() if report[key] is not None]
    rows = [[label, number(report[key]), ends(report["intervals"].get(key))] for key, label in known]
    found = report["calibration"]
    if found:
        within = ends((found.get("intervals") or {}).get("value"))
        rows.append(["quantile calibration error", number(found["value"]), within])
    if report["ause"] is not None:
        rows.append(["AUSE", number(report["ause"]), ends(report["intervals"].get("ause"))])
    note = "NLL in nats per example, errors in the unit of the target."
    yield table(f"Scores of the {scored(report)}", ["score", "value", "95 % interval"], rows, note)
    if found and found["null"]:
        yield Paragraph(
            f"Nineteen of twenty calibrated models have a quantile calibration error of {ends(found['null'])}."
        )
    if report["credible"]:
        intervals = [
            [
                percent(float(level), 0),
                percent(e["picp"]),
                percent_ends(_coverage(e["picp"], report["num_examples"])),
                figure(e, "mpiw"),
                figure(e, "interval_score"),
            ]
            for level, e in report["credible"].items()
        ]
        header = ["level", "coverage", "its 95 % interval", "mean width", "interval score"]
        yield table("Central intervals", header, intervals, BELOW)
    spreads = [[label, figure(report, key)] for key, label in _STDS.items() if report[key] is not None]
    if spreads:
        header = ["part", "in the unit of the target"]
        yield table("Mean standard deviation of test targets", header, spreads, BELOW)


def strange(report: Numbers) -> Iterator[Block]:
    """A table of the spreads of the strange sets, and one of how well these tell each apart."""
    rows = [[words(name), *(figure(entry, key) for key in _SPREADS)] for name, entry in report["ood"].items()]
    if rows:
        yield table("Mean spread of strange sets", ["set", *_SPREADS.values()], rows, BELOW)
    for name, entry in report["ood"].items():
        found = [[label, *read.told_apart(entry, key)] for key, label in _SPREADS.items()]
        header = ["told apart by", *read.TOLD_APART.values()]
        yield table(f"{scored(report).capitalize()} against {words(name)}", header, found, BELOW)
    if rows:
        yield Paragraph(read.STRANGE)


def shift(report: Numbers) -> Iterator[Block]:
    """Tables of scores by corruption and severity."""
    for key in ("rmse", "nll", "pinball"):
        if report["shift"] and report[key] is not None:
            rows = [*read.shift_rows(report, key, figure)]
            yield table(f"{_SCORES[key]} by severity", ["corruption", *map(str, range(6))], rows, BELOW)

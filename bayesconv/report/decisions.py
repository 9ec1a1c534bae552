"""What a report says of the decisions that were fitted to a run: calibration, abstention, conformal sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bayesconv.decisions.wording import kind_of, source_of, wrong_beyond
from bayesconv.report.document import Block, Numbers, Paragraph
from bayesconv.report.wording import ends, number, percent, percent_ends, table

COMMANDS = {"calibration": "calibrate", "selection": "select", "conformal": "conformal"}


def blocks(decided: Mapping[str, Numbers], missing: Mapping[str, str]) -> Iterator[Block]:
    """What was decided, and which of it is missing and why.

    Args:
      decided: What `calibration.json`, `selection.json` and `conformal.json` hold, by these names.
      missing: Why others are not there.
    """
    shown = {"calibration": calibration, "selection": selection, "conformal": conformal}
    for name, of in shown.items():
        if name in decided:
            yield from of(decided[name])
        elif name in missing:
            yield Paragraph(missing[name], is_warning=True)


def calibration(found: Numbers) -> Iterator[Block]:
    """The scores before and after, and the gain."""
    before, after = found["before"], found["after"]
    rows = [
        ["accuracy", percent(before["accuracy"]), percent(after["accuracy"]), ""],
        *([name, number(before[k]), number(after[k]), _gain(found, k)] for k, name in _GAINS.items()),
        ["ECE", number(before["ece"]), number(after["ece"]), ""],
        ["ECE of calibrated models", ends(before["ece_null"]), ends(after["ece_null"]), ""],
    ]
    how = f"{found['method']} scaling of the {found['on']}"
    if found["method"] == "temperature":
        how = f"softmax temperature {found['parameters']['temperature']:.4g} of the {found['on']}"
    yield table(
        f"Calibration: {how}", [f"test {kind_of(found)}", "before", "after", "falls by"], rows, _fitted_to(found)
    )


_GAINS = {"nll": "NLL", "brier": "Brier score"}


def _gain(found: Numbers, key: str) -> str:
    entry = found["gain"][key]
    within = f", 95 % interval {ends(entry)}" if "lower" in entry else ""
    return f"{number(entry['value'])}{within}"


def selection(found: Numbers) -> Iterator[Block]:
    """The threshold and what it does."""
    goal = found["target"]
    level = goal.get("confidence_level")
    target = f"a coverage of {goal['coverage']:.4g}" if "coverage" in goal else f"a risk of {goal['risk']:.4g}"
    target += "" if level is None else f" at a confidence of {level:.4g}"
    if found["threshold"] is None:
        text = f"Abstention: no threshold of {found['score']} keeps {target}, so that everything is abstained from."
        yield Paragraph(f"{text} {wrong_beyond(found)}".rstrip(), is_warning=True)
        return
    test, known = found["test"], found["validation"]
    rows = [
        ["answered", percent(known["coverage"]), percent(test["coverage"]["value"]), percent_ends(test["coverage"])],
        ["wrong among them", percent(known["risk"]), percent(test["risk"]["value"]), percent_ends(test["risk"])],
        ["wrong among all", "", percent(test["risk_of_all"]["value"]), percent_ends(test["risk_of_all"])],
    ]
    caption = f"Abstention where {found['score']} > {found['threshold']:.6g}, for {target}"
    header = [f"share of {kind_of(found)}", "chosen on", "test", "95 % interval"]
    yield table(caption, header, rows, f"{_fitted_to(found)} {wrong_beyond(found)}".rstrip())


def conformal(found: Numbers) -> Iterator[Block]:
    """The coverage of sets or of intervals, and their size."""
    if found["method"] == "cqr":
        yield _intervals(found)
        return
    test = found["test"]
    rows = [
        ["coverage asked for", percent(found["coverage"]), ""],
        ["coverage of test labels", percent(test["coverage"]["value"]), percent_ends(test["coverage"])],
        ["mean number of classes in a set", number(test["mean_set_size"], ".2f"), ""],
    ]
    counts = [(size, count) for size, count in enumerate(test["num_of_size"]) if count]
    rows += [[f"sets of {size} class{'' if size == 1 else 'es'}", number(count, ","), ""] for size, count in counts]
    caption = f"Conformal sets by {found['method']}"
    yield table(caption, [f"test {kind_of(found)}", "value", "95 % interval"], rows, _fitted_to(found))


def _intervals(found: Numbers) -> Block:
    rows: list[Sequence[str]] = []
    for t, margin in enumerate(found["margins"]):
        for label, entries in (("as predicted", found["test"]["before"]), ("conformal", found["test"]["after"])):
            entry = entries[t]
            share = [percent(entry["coverage"]["value"]), percent_ends(entry["coverage"])]
            name = f"{label}, target {t}" if len(found["margins"]) > 1 else label
            rows.append([name, *share, number(entry["mean_width"], ".4g")])
        rows[-1] = [f"{rows[-1][0]}, {'unbounded' if margin is None else f'{margin:+.4g} at both ends'}", *rows[-1][1:]]
    caption = f"Conformal intervals of coverage {found['coverage']:g}"
    return table(caption, ["intervals", "coverage", "95 % interval", "mean width"], rows, _fitted_to(found))


def _fitted_to(found: Numbers) -> str:
    return f"Fitted to {source_of(found)}."

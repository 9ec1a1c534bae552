"""Decisions as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayesconv.decisions.wording import kind_of, source_of, wrong_beyond
from bayesconv.evaluation.class_scores import SHORT
from bayesconv.evaluation.text import aligned, counted


def calibration_table(result: Mapping[str, Any]) -> str:
    """What `calibrate` returned, as text.

    Args:
      result: The calibration and the scores before and after it.
    """
    rows = [[f"test {kind_of(result)}", "accuracy", "NLL", "Brier", "ECE", "ECE if calibrated"]]
    for label, scores in (("as trained", result["before"]), ("calibrated", result["after"])):
        null = scores["ece_null"]
        numbers = [f"{scores[key]:.4f}" for key in ("nll", "brier", "ece")]
        rows.append([label, f"{scores['accuracy']:.1%}", *numbers, f"{null['lower']:.4f} to {null['upper']:.4f}"])
        if scores["intervals"]:
            ends, (share, *others) = scores["intervals"], SHORT.values()
            rows.append(
                ["  95 % interval", _ends(ends[share], ".1%"), *(_ends(ends[key], ".3f") for key in others), ""]
            )
    heading = f"{_parameters(result)}, fitted to {source_of(result)}{_posterior(result)}"
    return "\n".join([heading, "", *aligned(rows), "", *_gains(result["gain"])]) + "\n"


def selection_table(result: Mapping[str, Any]) -> str:
    """What `select` returned, as text.

    Args:
      result: The threshold and what it does.
    """
    test, target = result["test"], result["target"]
    if result["threshold"] is None:
        what = (
            f"No threshold of {result['score']} keeps {_target(target)} on {source_of(result)}: all is abstained from."
        )
        way_out = "Tolerate a larger risk, choose a lower level, or give more images by --held-out."
        return "\n".join([what, *_wrong(result), way_out]) + "\n"
    rows = [
        ["", "answered", "wrong among them", "wrong among all"],
        [source_of(result), *_shares(result["validation"]), ""],
        [
            counted(test["num_images"], f"test {kind_of(result)}"),
            *(_share(test[key]) for key in ("coverage", "risk", "risk_of_all")),
        ],
        ["  95 % interval", *(_ends(test[key], ".1%") for key in ("coverage", "risk", "risk_of_all"))],
    ]
    heading = f"abstain where {result['score']} > {result['threshold']:.6g}, for {_target(target)}{_posterior(result)}"
    return "\n".join([heading, *_wrong(result), "", *aligned(rows)]) + "\n"


def conformal_table(result: Mapping[str, Any]) -> str:
    """What `conformal` returned, as text.

    Args:
      result: What was fitted, and what it does on the test images.
    """
    if result["method"] == "cqr":
        return _intervals_table(result)
    test = result["test"]
    too_few = f"\n{_too_few(result)}" if result["threshold"] is None else ""
    fitted = f"fitted to {source_of(result)}{_posterior(result)}"
    rows = [
        ["classes in a set", *(str(size) for size in range(len(test["num_of_size"])))],
        [f"test {kind_of(result)}", *(str(count) for count in test["num_of_size"])],
    ]
    return (
        "\n".join(
            [
                f"{result['method']} sets of coverage {result['coverage']:g}, {fitted}{too_few}",
                "",
                f"{_share(test['coverage'])} of {test['num_images']} test labels are in their sets, 95 % interval "
                f"{_ends(test['coverage'], '.1%')}; {test['mean_set_size']:.2f} classes in a set on average.",
                "",
                *aligned(rows),
            ]
        )
        + "\n"
    )


def _intervals_table(result: Mapping[str, Any]) -> str:
    rows = [["", "coverage", "95 % interval", "mean width"]]
    for t, margin in enumerate(result["margins"]):
        for label, entries in (("as predicted", result["test"]["before"]), ("conformal", result["test"]["after"])):
            entry, name = entries[t], f"{label}, target {t}" if len(result["margins"]) > 1 else label
            width = "-" if entry["mean_width"] is None else f"{entry['mean_width']:.4g}"
            rows.append([name, _share(entry["coverage"]), _ends(entry["coverage"], ".1%"), width])
        rows[-1][0] += ", unbounded" if margin is None else f", {margin:+.4g} at both ends"
    heading = f"intervals of coverage {result['coverage']:g}, fitted to {source_of(result)}{_posterior(result)}"
    if None in result["margins"]:
        heading += f"\n{_too_few(result)}"
    return "\n".join([heading, "", *aligned(rows)]) + "\n"


def _posterior(result: Mapping[str, Any]) -> str:
    """Of which KL temperature the predictions are, which is no softmax temperature."""
    temperature = result.get("temperature")
    return "" if temperature is None else f", KL temperature {temperature:g}"


def _wrong(result: Mapping[str, Any]) -> list[str]:
    said = wrong_beyond(result)
    return [said] if said else []


def _too_few(result: Mapping[str, Any]) -> str:
    # The quantile of n scores that is needed is number (n + 1) * coverage, which there must be.
    fewest = math.ceil((1 - 1e-9) / (1 - result["coverage"]) - 1)
    return f"These are too few, so that everything is held: a coverage of {result['coverage']:g} takes {fewest}."


def _target(target: Mapping[str, Any]) -> str:
    if "coverage" in target:
        return f"a coverage of {target['coverage']:.4g}"
    level = target["confidence_level"]
    return f"a risk of {target['risk']:.4g}" + ("" if level is None else f" at a confidence of {level:.4g}")


def _parameters(result: Mapping[str, Any]) -> str:
    if result["method"] == "temperature":
        return f"softmax temperature {result['parameters']['temperature']:.4g} of the {result['on']}"
    return f"{result['method']} scaling of the {result['on']}"


def _gains(gain: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, name in (("nll", "NLL"), ("brier", "Brier score")):
        entry, sign = gain[key], 1 if gain[key]["value"] >= 0 else -1
        ends = sorted(sign * entry[end] for end in ("lower", "upper") if end in entry)
        interval = f", 95 % interval {ends[0]:.4f} to {ends[1]:.4f}" if ends else ""
        lines.append(f"{name} {'falls' if sign > 0 else 'rises'} by {abs(entry['value']):.4f}{interval}.")
    return lines


def _shares(entry: Mapping[str, float | None]) -> list[str]:
    return ["-" if entry[key] is None else f"{entry[key]:.1%}" for key in ("coverage", "risk")]


def _share(entry: Mapping[str, float | None]) -> str:
    return "-" if entry["value"] is None else f"{entry['value']:.1%}"


def _ends(entry: Mapping[str, Any], form: str = ".4f") -> str:
    return "-" if entry["lower"] is None else f"{entry['lower']:{form}} to {entry['upper']:{form}}"

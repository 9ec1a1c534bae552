"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.bars import bar
from benchmarks.results import UNITS, by_task

DIGITS = {"ms": 1, "s": 2, "MiB": 0}
TITLES = {
    "training": "Training step",
    "bfloat16, training": "Training step in bfloat16, relative to float32",
    "prediction": "Prediction",
    "bfloat16, prediction": "Prediction in bfloat16, relative to float32",
    "one image": "Prediction of one image",
    "tracing": "First training step, in a new process",
    "memory": "Peak memory of five training steps, in a new process",
    "peers, training": "Training step of other libraries",
    "peers, prediction": "Prediction of other libraries",
}


def table(section: str, net: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """Rows of a section of a net; what misses its bar is marked."""
    unit = UNITS.get(section, "ms")
    lines = [
        f"| `{net}` | {unit} | ratio | lowest - highest | bar | |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        limit = bar(section, net, name)
        verdict = "" if limit is None else "met" if row["ratio"] <= limit else "**missed**"
        value = f"{row['value']:.{DIGITS[unit]}f}"
        spread = f"{row['lowest']:.2f} - {row['highest']:.2f}"
        lines.append(f"| {name} | {value} | {row['ratio']:.3f} | {spread} | {_shown(limit)} | {verdict} |")
    return "\n".join(lines)


def _shown(limit: float | None) -> str:
    return "" if limit is None else f"{limit:.2f}"


def page(results: Mapping[str, Any]) -> str:
    """All tables, each with the machine, the versions and the number of rounds."""
    return "\n\n".join(_parts(results)) or "Nothing has been measured yet."


def _parts(results: Mapping[str, Any]) -> Iterator[str]:
    shown = by_task(results)
    for section in (name for name in TITLES if name in shown):
        yield f"### {TITLES[section]}"
        for net, entry in shown[section].items():
            yield table(section, net, entry["rows"])
            yield " ".join(provenance(one) for one in entry["entries"])


def provenance(entry: Mapping[str, Any]) -> str:
    """Where and with what a table was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    loads = "" if entry.get("load_average") is None else f", load average {entry['load_average'][0]}"
    return f"{entry['machine']}; {versions}; {entry['rounds']} rounds, {entry['date']}{loads}."

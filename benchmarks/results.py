"""What a run of the benchmark keeps: rows by section and net, each with the machine that they were measured on."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bayesconv import files
from benchmarks.interleaved import Timing

PATH = Path("benchmarks/results/performance.json")
UNITS = {"tracing": "s", "memory": "MiB"}  # of the others: ms
NARROW = "bfloat16, "  # begins the sections of what computes in it
PEERS = "peers"  # begins the sections of other libraries


class Row(NamedTuple):
    """One contender.

    Attributes:
      value: Median, in the unit of the section.
      ratio: Median of the ratios to the reference of the same round.
      lowest: Of these ratios.
      highest: Of these ratios.
    """

    value: float
    ratio: float
    lowest: float
    highest: float


def row(section: str, timing: Timing) -> Row:
    """A timing in the unit of its section."""
    return Row(timing.seconds * (1e3 if UNITS.get(section, "ms") == "ms" else 1.0), *timing[1:])


def load(path: Path = PATH) -> dict[str, Any]:
    """The results so far: `{section: {net: {"rows": .., "rounds": .., "machine": .., ..}}}`."""
    return json.loads(path.read_text()) if path.exists() else {}


def merge(
    path: Path,
    section: str,
    net: str,
    rows: Mapping[str, Row],
    rounds: int,
    versions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Puts a section of a net in the place of an earlier one, writes the file whole and returns all results."""
    kept, facts = load(path), about()
    facts["versions"] |= versions or {}
    entry = {**facts, "rounds": rounds, "rows": {name: row._asdict() for name, row in rows.items()}}
    kept.setdefault(section, {})[net] = entry
    files.write_text(path, json.dumps(kept, indent=1) + "\n")
    return kept


def by_task(results: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """The results as they are shown: `{section: {net: {"rows": .., "entries": ..}}}`.

    Other libraries, of which each has a section of its own, are brought together in one for each task.
    """
    shown: dict[str, dict[str, dict[str, Any]]] = {}
    for section, nets in results.items():
        for net, entry in nets.items():
            for name, one in entry["rows"].items():
                place, label = section, name
                if section.startswith(PEERS):
                    contender, _, task = name.rpartition(", ")
                    place, label = f"{PEERS}, {task}", f"{section.removeprefix(PEERS)[2:]}: {contender}"
                found = shown.setdefault(place, {}).setdefault(net, {"rows": {}, "entries": []})
                found["rows"][label] = one
                if entry not in found["entries"]:
                    found["entries"].append(entry)
    return shown


def about() -> dict[str, Any]:
    """The machine and the versions."""
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import bayesconv as bc

    modules = {"tensorflow": tf, "tensorflow-probability": tfp, "keras": keras, "numpy": np, "bayesconv": bc}
    versions = {name: module.__version__ for name, module in modules.items()}
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    # Others at work on the machine spoil a ratio: how many were says how far to trust it.
    loads = [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    python = {"python": platform.python_version()}
    return {"machine": machine, "versions": {**python, **versions}, "date": date, "load_average": loads}


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16; without them it computes in float32 and rounds."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(_of_processor("flags").split()))


def _processor() -> str:
    return _of_processor("model name") or platform.processor() or "processor unknown"


def _of_processor(fact: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(fact)), "")

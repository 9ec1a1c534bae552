"""What a run depends on besides its configuration: versions, machine, seeds."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bayesconv as bc
from bayesconv import random
from bayesconv.report.document import Block
from bayesconv.report.wording import table

_PACKAGES = (
    "tensorflow", "tensorflow-probability", "keras", "tf-keras", "numpy", "scipy", "scikit-learn", "matplotlib",
)  # fmt: skip
_PROCESSORS = Path("/proc/cpuinfo")


def blocks(run_seed: int, trained_with: str, evaluation: Mapping[str, Any] | None) -> Iterator[Block]:
    """A table of versions and machine, and one of seeds.

    Args:
      run_seed: The configuration's seed.
      trained_with: The version of this package that the run was trained with.
      evaluation: The evaluation, if there is one, whose seeds are its own.
    """
    versions = [["bayesconv", bc.__version__], ["bayesconv, of the training", trained_with]]
    versions += [["Python", platform.python_version()], *([name, _version(name)] for name in _PACKAGES)]
    machine = [["system", platform.platform()], ["processor", processor()], ["cores", str(os.cpu_count())]]
    note = "Of the machine that wrote this report."
    yield table("Versions and machine", ["what", "version"], [*versions, *machine], note)
    seeds = [["of initial weights, batches and training draws", str(run_seed)]]
    if evaluation is not None:
        seeds.append(["of draws at prediction", "-" if evaluation["seed"] is None else str(evaluation["seed"])])
        seeds.append(["of bootstrap intervals", str(evaluation["bootstrap"]["seed"])])
    seeds.append(["random number sequence", random.ALGORITHM])
    yield table("Seeds", ["what", "seed"], seeds)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def processor() -> str:
    """The model of the processor, or its kind where the system does not tell."""
    if _PROCESSORS.is_file():
        for line in _PROCESSORS.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

"""A class for every pixel: the U-Net on scenes of digits with Bayesian and with point weights, three seeds.

    python -m benchmarks.scenes_seeds [--seeds 3] [--out benchmarks/results/scenes.json] [--runs runs/scenes]

Prints the table of docs/segmentation.md. Runs are kept, so that an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

import bayesconv as bc
from bayesconv import files
from benchmarks.digits_seeds import report_of
from benchmarks.seed_summary import mean_and_error

CONFIG = "scenes_unet"
NETS: dict[str, tuple[str, ...]] = {
    "`scenes_unet`": (),
    "the same with `model.posterior=deterministic`": ("model.posterior=deterministic", "evaluation.num_samples=1"),
}
Reports = Mapping[str, Sequence[Mapping[str, Any]]]


def _digits_iou(report: Mapping[str, Any]) -> float:
    values = [value for name, value in report["iou"].items() if name != "background"]
    return sum(values) / len(values)


SCORES: dict[str, tuple[Callable[[Mapping[str, Any]], float], str]] = {
    "accuracy of pixels": (lambda report: report["accuracy"], ".2%"),
    "mean IoU": (lambda report: report["mean_iou"], ".3f"),
    "of the digits alone": (_digits_iou, ".3f"),
    "NLL a pixel": (lambda report: report["nll"], ".4f"),
    "ECE of pixels": (lambda report: report["ece"], ".4f"),
    "AUROC of wrong pixels": (lambda report: report["error_auroc"]["predictive_entropy"], ".3f"),
}


def collect(seeds: int, root: Path) -> dict[str, list[dict[str, Any]]]:
    """The evaluations of all nets and seeds."""
    return {name: [report_of(CONFIG, seed, root, *edits)[1] for seed in range(seeds)] for name, edits in NETS.items()}


def table(reports: Reports) -> str:
    """Means and standard errors over the seeds, as Markdown."""
    lines = [f"| net | {' | '.join(SCORES)} |", "|---" * (1 + len(SCORES)) + "|"]
    for name, several in reports.items():
        cells = [_cell([read(report) for report in several], form) for read, form in SCORES.values()]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float], form: str) -> str:
    mean, error = mean_and_error(values)
    return f"{mean:{form}} ± {100 * error:{form[:-1]}f}" if form.endswith("%") else f"{mean:{form}} ± {error:{form}}"


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    names = ("accuracy", "mean_iou", "iou", "nll", "brier", "ece", "calibration", "error_auroc")
    others = ("predictive_entropy", "mutual_information", "num_images", "num_samples", "seed", "temperature")
    return {name: report[name] for name in (*names, *others)}


def main() -> None:
    """Runs, prints and writes everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/scenes.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/scenes"))
    arguments = parser.parse_args()
    reports = collect(arguments.seeds, arguments.runs)
    print(table(reports))
    versions = {"tensorflow": tf.__version__, "bayesconv": bc.__version__, "python": platform.python_version()}
    kept = {name: [_figures(report) for report in several] for name, several in reports.items()}
    result = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "versions": versions, "reports": kept}
    print(f"Written to {files.write_text(arguments.out, json.dumps(result, indent=1) + chr(10))}")


if __name__ == "__main__":
    main()

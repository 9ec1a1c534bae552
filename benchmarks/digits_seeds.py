"""Accuracy, calibration and out-of-distribution detection on the digits: every shipped configuration, five seeds.

    python -m benchmarks.digits_seeds [--seeds 5] [--configs digits_flipout ...]
        [--out benchmarks/results/digits.json] [--runs runs/results]

Prints the tables of the README. Runs are kept, so that an interrupted benchmark goes on where it stopped. What the file
has of other configurations than those that are named is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tqdm import tqdm

import bayesconv as bc
from bayesconv import config, evaluation, experiment, files, metrics, runs

CONFIGS = (
    "digits_deterministic",
    "digits_flipout",
    "digits_reparameterization",
    "digits_laplace_prior",
    "digits_flipout_temperature1",
    "digits_mc_dropout",
    "digits_ensemble",
)
SCORES = ("accuracy", "nll", "brier", "ece")
UNCERTAINTIES = ("mutual_information", "predictive_entropy")
REFERENCE, SCALED = "digits_deterministic", "digits_deterministic, temperature-scaled"


def report_of(name: str, seed: int, root: Path, *settings: str) -> tuple[runs.Run, dict[str, Any]]:
    """Trains a configuration with a seed, unless that was done before, and scores it."""
    folder = root / "-".join([name, *settings, str(seed)]).replace("=", "_")
    loaded = config.load_config(Path("configs") / f"{name}.yaml", [f"seed={seed}", *settings])
    if not (folder / "evaluation.json").exists():
        experiment.train(loaded, folder, resume=runs.has_started(folder), progress=False)
        experiment.evaluate(folder)
    return runs.load_run(folder), json.loads((folder / "evaluation.json").read_text())


def temperature_scaled(run: runs.Run, seed: int, root: Path) -> dict[str, Any]:
    """Scores of a run after temperature scaling.

    A run that was refitted on its validation images has none left to choose the temperature on, so it comes from the
    same configuration trained without them.
    """
    held_out, _ = report_of(REFERENCE, seed, root, "data.refit=false")
    labelled = held_out.dataset()
    logits = evaluation.predict(held_out, labelled.validation.x).logits
    temperature = metrics.temperature_scale(logits, labelled.validation.y)
    test = evaluation.predict(run, labelled.test.x)
    probs = metrics.apply_temperature(test.logits, temperature).mean(axis=0)
    return {**metrics.classification_report(probs, labelled.test.y), "ood": {}}


def collect(names: Sequence[str], seeds: int, root: Path) -> dict[str, list[dict[str, Any]]]:
    """All reports, by configuration."""
    reports: dict[str, list[dict[str, Any]]] = {}
    for name in tqdm(names, unit="configuration"):
        for seed in range(seeds):
            run, report = report_of(name, seed, root)
            reports.setdefault(name, []).append(report)
            if name == REFERENCE:
                reports.setdefault(SCALED, []).append(temperature_scaled(run, seed, root))
    return reports


def spread(reports: list[dict[str, Any]], read: Callable[[Mapping[str, Any]], float]) -> tuple[float, float]:
    """Mean and standard deviation over the seeds."""
    values = [read(report) for report in reports]
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def scores_table(reports: Mapping[str, list[dict[str, Any]]]) -> str:
    """Scores on the test images, as Markdown."""
    lines = [
        "| configuration | KL temperature | accuracy | NLL | Brier | ECE | ECE if calibrated |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, several in reports.items():
        cells = [_titled(name), _temperature(several)]
        for score in SCORES:
            mean, sd = spread(several, lambda report, score=score: report[score])
            cells.append(f"{mean:.2%} ± {100 * sd:.2f}" if score == "accuracy" else f"{mean:.4f} ± {sd:.4f}")
        cells.append(f"{spread(several, lambda report: report['ece_null']['mean'])[0]:.4f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _temperature(several: list[dict[str, Any]]) -> str:
    temperature = several[0].get("temperature")
    return "-" if temperature is None else f"{temperature:g}"


def ood_table(reports: Mapping[str, list[dict[str, Any]]]) -> str:
    """AUROC of the uncertainties, as Markdown."""
    with_sets = {name: several for name, several in reports.items() if several[0]["ood"]}
    sets = list(next(iter(with_sets.values()))[0]["ood"])
    columns = [f"{name.replace('_', ' ')}, {by}" for name in sets for by in ("MI", "entropy")]
    lines = [f"| configuration | KL temperature | {' | '.join(columns)} |"]
    lines.append("|---" * (2 + 2 * len(sets)) + "|")
    for name, several in with_sets.items():
        cells = [_temperature(several), *(_auroc(several, s, u) for s in sets for u in UNCERTAINTIES)]
        lines.append(f"| {_titled(name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _titled(name: str) -> str:
    configuration, *others = name.split(", ")
    return ", ".join([f"`{configuration}`", *others])


def _auroc(reports: list[dict[str, Any]], name: str, uncertainty: str) -> str:
    if reports[0]["ood"][name]["auroc"][uncertainty] is None:
        return "-"
    mean, sd = spread(reports, lambda report: report["ood"][name]["auroc"][uncertainty])
    return f"{mean:.3f} ± {sd:.3f}"


def comparison(reports: Mapping[str, list[dict[str, Any]]]) -> str:
    """Flipout against the deterministic net, seed by seed."""
    pairs = list(zip(reports["digits_flipout"], reports[REFERENCE], strict=True))
    differences = [bayesian["ece"] - point["ece"] for bayesian, point in pairs]
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    ratio = statistics.mean(b["nll"] for b, _ in pairs) / statistics.mean(p["nll"] for _, p in pairs)
    return (
        f"Flipout against deterministic: NLL ratio {ratio:.3f}; ECE difference {statistics.mean(differences):+.4f}, "
        f"standard error of the paired difference {error:.4f}."
    )


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the tables are made of, and how it was predicted."""
    names = (*SCORES, "ece_null", *UNCERTAINTIES, "num_samples", "seed", "temperature")
    strange = {name: {"auroc": entry["auroc"]} for name, entry in (report["ood"] or {}).items()}
    return {**{name: report[name] for name in names if name in report}, "ood": strange}


def _written(path: Path) -> dict[str, list[dict[str, Any]]]:
    return dict(json.loads(path.read_text(encoding="utf-8"))["reports"]) if path.is_file() else {}


def main() -> None:
    """Runs, prints and writes everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--configs", nargs="+", choices=CONFIGS, default=list(CONFIGS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/digits.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/results"))
    arguments = parser.parse_args()
    reports = {**_written(arguments.out), **collect(arguments.configs, arguments.seeds, arguments.runs)}
    print("\n\n".join([scores_table(reports), ood_table(reports), comparison(reports)]))
    versions = {"tensorflow": tf.__version__, "bayesconv": bc.__version__, "python": platform.python_version()}
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    kept = {name: [_figures(report) for report in several] for name, several in reports.items()}
    result = {"machine": machine, "versions": versions, "reports": kept}
    print(f"\nWritten to {files.write_text(arguments.out, json.dumps(result, indent=1) + chr(10))}")


if __name__ == "__main__":
    main()

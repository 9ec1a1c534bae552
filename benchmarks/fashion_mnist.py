"""LeNet-5 on Fashion-MNIST in every way that a configuration is shipped for, with several seeds.

    python -m benchmarks.fashion_mnist [--configs fashion_mnist_vi ...] [--seeds 0 1 2]
        [--out benchmarks/results/fashion_mnist.json] [--runs runs/fashion_mnist]
        [--epochs 1] [--set evaluation.bootstrap=0 ...]

Trains and scores what was not before, so that an interrupted benchmark goes on where it stopped, and after every run
writes the figures as JSON, the table as Markdown (`.md`) and the picture (`.png`) beside it. What the JSON has of the
same configuration and seed is kept, without its run folder too. The deterministic network has a second row, at the
softmax temperature that suits its validation images best. `--epochs` and `--set` are for a quick look: such runs have
folders of their own, and want an `--out` of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tqdm import tqdm

import bayesconv as bc
from bayesconv import config, decisions, evaluation, experiment, files, members, records, runs
from bayesconv.checkpoints import RunFolder
from benchmarks import seed_summary

CONFIGS = (
    "fashion_mnist_deterministic",
    "fashion_mnist_vi",
    "fashion_mnist_vi_snapshots",
    "fashion_mnist_last_layer",
    "fashion_mnist_mc_dropout",
    "fashion_mnist_ensemble",
)
SCALED = ("fashion_mnist_deterministic",)  # which have a row at their softmax temperature as well
Rows = dict[str, list[dict[str, Any]]]


def configuration(name: str, seed: int, edits: Sequence[str] = ()) -> config.RunConfig:
    """The shipped configuration of that name, with a seed."""
    return config.load_config(Path("configs") / f"{name}.yaml", [f"seed={seed}", *edits])


def fingerprint(loaded: config.RunConfig) -> str:
    """What tells apart configurations that differ in more than the seed."""
    return hashlib.sha256(config.dump(loaded.model_copy(update={"seed": 0})).encode()).hexdigest()[:16]


def evaluated(name: str, seed: int, root: Path, edits: Sequence[str] = ()) -> Path:
    """The folder of a configuration's run with a seed, which is trained and scored if it was not before.

    Args:
      name: Of a file in `configs/`, without its ending.
      seed: The seed.
      root: Where the run folders are.
      edits: `key.path=value`, which the folder is named by too.
    """
    folder = root / re.sub(r"[^\w.-]+", "_", "-".join([name, *edits, str(seed)]))
    loaded = configuration(name, seed, edits)
    if not (folder / runs.EVALUATION).is_file():
        experiment.train(loaded, folder, resume=(folder / records.CONFIG).is_file())
        with evaluation.manner(keeps=True, progress=True):
            experiment.evaluate(folder)
    return folder


def scaled(folder: Path) -> dict[str, Any]:
    """The report on a run at the softmax temperature that is fitted to its validation images."""
    path = experiment.evaluation_path(folder, calibrated=True)
    if not path.is_file():
        with evaluation.manner(keeps=True, progress=True):
            decisions.calibrate(folder, method="temperature")
            experiment.evaluate(folder, calibrated=True)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def best_epochs(folder: Path) -> list[int]:
    """The epoch whose weights each member ends with."""
    stored, _ = records.read_record(folder)
    alone = members.folders(folder, stored.training.members)
    return [RunFolder(one).read_state()["best_epoch"] for one in alone]


def measured(name: str, seed: int, root: Path, edits: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The rows that a run gives: its own, and for some that at the softmax temperature, by their titles."""
    folder = evaluated(name, seed, root, edits)
    others = {"seed": seed, "best_epochs": best_epochs(folder), "minutes": training_minutes(folder)}
    report = json.loads((folder / runs.EVALUATION).read_text(encoding="utf-8"))
    rows = {name: {**seed_summary.summary_of(report), **others}}
    if name in SCALED:
        row = {**seed_summary.summary_of(scaled(folder)), **others}
        row["softmax_temperature"] = report["temperature_scaled"]["softmax_temperature"]
        rows[f"{name}, temperature-scaled"] = row
    return rows


def training_minutes(folder: Path) -> float:
    """Time in training steps, of all members together."""
    run = runs.load_run(folder)
    histories = [runs.read_history(one) for one in members.folders(folder, run.config.training.members)]
    seconds = sum(1.0 / row["images_per_second"] for rows in histories for row in rows)
    return len(run.dataset().train.y) * seconds / 60


def collect(names: Sequence[str], seeds: Sequence[int], root: Path, out: Path, edits: Sequence[str] = ()) -> Rows:
    """For each configuration the summaries of its seeds, and of those that `out` has already."""
    rows = _written(out)
    for name in tqdm(names, unit="configuration"):
        for seed in seeds:
            mark = fingerprint(configuration(name, seed, edits))
            if any(row["seed"] == seed and row["configuration"] == mark for row in rows.get(name, [])):
                continue
            for title, row in measured(name, seed, root, edits).items():
                kept = [r for r in rows.get(title, []) if r["seed"] != seed and r["configuration"] == mark]
                rows[title] = sorted([*kept, {**row, "configuration": mark}], key=lambda r: r["seed"])
            write(rows, out, edits)
    return rows


def _written(out: Path) -> Rows:
    return dict(json.loads(out.read_text(encoding="utf-8"))["rows"]) if out.is_file() else {}


def write(rows: Rows, out: Path, edits: Sequence[str] = ()) -> list[Path]:
    """Writes the figures, the table and the picture, and returns the paths."""
    versions = {"tensorflow": tf.__version__, "bayesconv": bc.__version__, "python": platform.python_version()}
    result = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "versions": versions, "edits": list(edits)}
    drawn = {name.removeprefix("fashion_mnist_").replace("_", " "): several for name, several in rows.items()}
    return [
        files.write_text(out, json.dumps({**result, "rows": rows}, indent=1) + "\n"),
        files.write_text(out.with_suffix(".md"), seed_summary.markdown(rows)),
        seed_summary.draw(drawn, out.with_suffix(".png")),
    ]


def main() -> None:
    """Trains, scores, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", nargs="+", default=list(CONFIGS), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="in place of the configurations'")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fashion_mnist.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/fashion_mnist"))
    arguments = parser.parse_args()
    epochs = [] if arguments.epochs is None else [f"training.epochs={arguments.epochs}"]
    edits = [*epochs, *arguments.set]
    rows = collect(arguments.configs, arguments.seeds, arguments.runs, arguments.out, edits)
    print(seed_summary.markdown(rows))
    print("Written to", ", ".join(map(str, write(rows, arguments.out, edits))))


if __name__ == "__main__":
    main()

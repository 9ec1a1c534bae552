"""How the settings of the digits were chosen: grids of them, by the NLL of validation images, three seeds.

    python -m benchmarks.digits_choice [--seeds 3] [--jobs 1] [--grids flipout deterministic]
        [--out benchmarks/results/digits_choice.json] [--runs runs/digits_choice]

Test images are not looked at. Runs are kept, so that an interrupted search goes on where it stopped. It writes the
figures as JSON and the tables as Markdown (`.md`) beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bayesconv import comparison, files, sweeps
from bayesconv.checkpoints import RunFolder

GRIDS: dict[str, dict[str, list[Any]]] = {
    "flipout": {"objective.temperature": [0.01, 0.03, 0.1], "model.prior.scale": [0.1, 0.3, 1.0]},
    "deterministic": {
        "training.optimizer.weight_decay": [0.1, 0.5, 1.0],
        "training.learning_rate": [1e-3, 2e-3, 4e-3],
        "training.learning_rate_schedule": ["constant", "cosine"],
    },
}
EDITS = ("data.refit=false", "evaluation.ood=[]", "evaluation.corruptions=[]", "evaluation.bootstrap=0")
EPOCHS = {"deterministic": ("training.epochs=130",)}  # twice as many as are best; a cosine schedule is as long as that
Rows = list[dict[str, Any]]


def search(grid: str, seeds: int, jobs: int, root: Path) -> Rows:
    """For each combination of settings the mean NLL of the validation images, from the best on.

    Args:
      grid: One of `GRIDS`, which is also the name of a configuration.
      seeds: How many.
      jobs: Runs at once.
      root: Where the sweep's folder is.
    """
    config, folder = Path("configs") / f"digits_{grid}.yaml", root / grid
    edits = [*EDITS, *EPOCHS.get(grid, ())]
    options: dict[str, Any] = {"jobs": jobs, "split": "validation", "extend": (folder / "sweep.json").is_file()}
    done = sweeps.sweep(config, GRIDS[grid], seeds=seeds, edits=edits, out=folder, **options)
    if failed := done.with_status(sweeps.manifest.FAILED):
        raise RuntimeError(f"A choice is made among all settings. {len(failed)} runs failed: see {folder / 'logs'}.")
    found = comparison.compare([folder], metrics=["nll", "accuracy"], per_image=False, split="validation")
    return sorted(map(_row, found.rows), key=lambda row: row["nll"])


def _row(row: Any) -> dict[str, Any]:
    nll = list(row.scores["nll"].by_seed.values())
    epochs = [RunFolder(Path(folder)).read_state()["best_epoch"] for folder in row.folders]
    return {
        "settings": dict(row.settings),
        "nll": statistics.mean(nll),
        "standard_error": statistics.stdev(nll) / len(nll) ** 0.5 if len(nll) > 1 else None,
        "accuracy": row.scores["accuracy"].mean,
        "best_epochs": epochs,
    }


def markdown(found: Mapping[str, Rows]) -> str:
    """A table for each grid, the best settings first."""
    blocks = []
    for grid, rows in found.items():
        keys = list(rows[0]["settings"])
        lines = [
            f"| `digits_{grid}`: {' | '.join(keys)} | NLL | accuracy | best epochs |",
            "|---" * (len(keys) + 3) + "|",
        ]
        for row in rows:
            error = "" if row["standard_error"] is None else f" ± {row['standard_error']:.4f}"
            cells = [*row["settings"].values(), f"{row['nll']:.4f}{error}", f"{row['accuracy']:.2%}"]
            lines.append(f"| {' | '.join([*cells, ', '.join(map(str, sorted(row['best_epochs'])))])} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    """Searches, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--grids", nargs="+", choices=list(GRIDS), default=list(GRIDS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/digits_choice.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/digits_choice"))
    arguments = parser.parse_args()
    found = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.is_file() else {}
    for grid in arguments.grids:
        found[grid] = search(grid, arguments.seeds, arguments.jobs, arguments.runs)
        files.write_text(arguments.out, json.dumps(found, indent=1) + "\n")
        files.write_text(arguments.out.with_suffix(".md"), markdown(found))
    print(markdown(found))


if __name__ == "__main__":
    main()

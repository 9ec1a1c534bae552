"""Prediction in a single pass of moments against 256 draws: what it costs, and how far the two agree.

    python -m benchmarks.single_pass [--nets small_cnn digits_cnn] [--epochs 20] [--seeds 0 1 2]
    python -m benchmarks.single_pass --nets --runs runs/fashion_mnist_vi

Nets of mean-field normals are trained on the digits of `bc.data`, enlarged to 28x28 except for digits_cnn. Agreement is
on its test images, and on rotated and inverted ones together (OOD); two sets of 256 draws against one another say how
much of a difference is chance. Of a run of the command line it is on its own test images, and member by member. Cost is
the time of 128 images, relative to a pass of the mean weights.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from scipy import stats

import bayesconv as bc
from bayesconv import files, runs
from benchmarks.interleaved import time_interleaved

NETS = {"digits_cnn": 8, "small_cnn": 28, "lenet5": 28}
NUM_DRAWS = 256
TEMPERATURE = 0.03


def enlarged(images: np.ndarray, size: int) -> np.ndarray:
    """Images `[N, 8, 8, 1]` in another size."""
    return tf.image.resize(images, [size, size]).numpy()


def trained(net: str, epochs: int, seed: int) -> tuple[bc.Layer, bc.data.Dataset]:
    """A net and its data."""
    data = bc.data.digits(refit=True)
    bc.set_seed(seed)
    model = bc.models.get(net)((NETS[net], NETS[net], 1), 10, bc.make_kernel_bias_variational)
    train = enlarged(data.train.x, NETS[net]), data.train.y
    bc.fit(
        model, train, epochs=epochs, temperature=TEMPERATURE, seed=seed, scale_learning_rate_factor=5, progress=False
    )
    return model, data


def nll(predictive: bc.Predictive, y: np.ndarray) -> float:
    """Mean negative log likelihood of the labels, in nats."""
    return float(-np.log(predictive.mean[np.arange(len(y)), y]).mean())


def agreement(model: bc.Layer, x: np.ndarray, y: np.ndarray | None = None) -> dict[str, float]:
    """Of a single pass with 256 draws, and of 256 draws with 256 others."""
    single = bc.predict(model, x, method="moments")
    options = {"num_samples": NUM_DRAWS, "keep_samples": False}
    first, second = (bc.predict(model, x, seed=seed, **options) for seed in (0, 1))
    result = {"mean_mutual_information": float(single.mutual_information.mean())}
    result["mean_mutual_information_sampling"] = float(first.mutual_information.mean())
    for name in ("predictive_entropy", "mutual_information"):
        for other, suffix in ((single, ""), (second, "_sampling")):
            correlation = stats.spearmanr(getattr(first, name), getattr(other, name)).statistic
            result[f"rank_correlation_of_{name}{suffix}"] = float(correlation)
    if y is not None:
        for name, predictive in (("", single), ("_sampling", first)):
            result[f"accuracy{name}"] = float((predictive.mean.argmax(-1) == y).mean())
            result[f"nll{name}"] = nll(predictive, y)
            result[f"ece{name}"] = bc.metrics.expected_calibration_error(predictive.mean, y)
    return result


def cost(model: bc.Layer, size: int) -> float:
    """Time of a single pass relative to that of the mean weights."""
    x = tf.constant(np.random.default_rng(0).random((128, size, size, 1), np.float32))
    spec = [tf.TensorSpec([None, size, size, 1])]
    likelihood = bc.likelihoods.categorical()

    def moments(batch: tf.Tensor) -> Any:
        return bc.moments.predictive(bc.moments.propagate(model, batch), likelihood)

    def mean(batch: tf.Tensor) -> Any:
        return tf.nn.softmax(model(batch, is_training=False, weights="mean"))

    passes: dict[str, Callable[[], object]] = {}
    for name, function in (("mean", mean), ("moments", moments)):
        compiled = tf.function(function, spec, autograph=False)
        passes[name] = lambda compiled=compiled: tf.nest.map_structure(lambda t: t.numpy(), compiled(x))
    return time_interleaved(passes, rounds=9, calls=5)["moments"].ratio


def measure(net: str, epochs: int, seed: int) -> dict[str, Any]:
    """All figures of a net."""
    model, data = trained(net, epochs, seed)
    strange = np.concatenate([bc.data.rotated(data), bc.data.inverted(data)])
    test = enlarged(data.test.x, NETS[net])
    return {
        "cost": cost(model, NETS[net]),
        "test": agreement(model, test, data.test.y),
        "ood": agreement(model, enlarged(strange, NETS[net])),
    }


def measure_run(folder: str) -> dict[str, Any]:
    """Agreement of a trained run on its test images, and behind each member of its model on the first hundred."""
    run = runs.load_run(folder)
    test = run.dataset().test
    members = bc.moments.compare_with_sampling(run.model, test.x[:100], num_samples=NUM_DRAWS)
    return {"test": agreement(run.model, test.x, test.y), "members": [member._asdict() for member in members]}


def describe_run(folder: str, row: dict[str, Any]) -> str:
    """The figures of a run as two tables."""
    names = sorted(name.removesuffix("_sampling") for name in row["test"] if name.endswith("_sampling"))
    lines = [f"| {folder} | single pass | 256 draws, or two sets of them", "|---|---|---|"]
    lines += [f"| {name} | {row['test'][name]:.4f} | {row['test'][f'{name}_sampling']:.4f} |" for name in names]
    lines += [
        "",
        "| behind | error of the mean / std | variance / that of draws | correlation of variances |",
        "|---|---|---|---|",
    ]
    for member in row["members"]:
        cells = (f"{member[key]:.3f}" for key in ("mean_error", "variance_ratio", "variance_correlation"))
        lines.append(f"| {member['name']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def averaged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and, with several seeds, standard deviation of every figure."""
    return {
        key: averaged([row[key] for row in rows]) if isinstance(value, dict) else _summary([row[key] for row in rows])
        for key, value in rows[0].items()
    }


def _summary(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def line(net: str, row: dict[str, Any]) -> str:
    """A row of the table, sampling's own figure in brackets."""

    def pair(part: str, name: str, digits: int = 3) -> str:
        own, other = row[part][name]["mean"], row[part][f"{name}_sampling"]["mean"]
        return f"{own:.{digits}f} ({other:.{digits}f})"

    cells = [f"{row['cost']['mean']:.1f}", pair("test", "accuracy", 4), pair("test", "nll", 4)]
    cells += [pair("test", f"rank_correlation_of_{name}") for name in ("predictive_entropy", "mutual_information")]
    cells += [pair("test", "mean_mutual_information"), pair("ood", "rank_correlation_of_mutual_information")]
    return f"| `{net}` | {' | '.join(cells)} |"


HEADER = (
    "| net | time / mean weights | accuracy | NLL | rank correlation of predictive entropy | of mutual information | "
    "mean mutual information | OOD: rank correlation of mutual information |\n|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Runs the comparison, prints a table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="*", choices=sorted(NETS), default=list(NETS))
    parser.add_argument("--runs", nargs="*", default=[], help="folders of trained runs")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/single_pass.json"))
    arguments = parser.parse_args()
    rows = {}
    for net in arguments.nets:
        rows[net] = averaged([measure(net, arguments.epochs, seed) for seed in arguments.seeds])
        print(HEADER if len(rows) == 1 else "", line(net, rows[net]), sep="\n" if len(rows) == 1 else "", flush=True)
    of_runs = {folder: measure_run(folder) for folder in arguments.runs}
    for folder, row in of_runs.items():
        print(describe_run(folder, row))
    about = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "tensorflow": tf.__version__}
    settings = {"epochs": arguments.epochs, "seeds": arguments.seeds, "temperature": TEMPERATURE, "draws": NUM_DRAWS}
    files.write_text(arguments.out, json.dumps({**about, **settings, "nets": rows, "runs": of_runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()

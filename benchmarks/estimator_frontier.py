"""Noise of the gradient against the time of a step, for every estimator, relative to flipout per example.

    python -m benchmarks.estimator_frontier [--net resnet20] [--batch 64 128] [--rounds 20] [--only sliced flipout]

A net is trained briefly with flipout on handwritten digits enlarged to its images. Then all estimators take turns: a
step is the gradient of the ELBO on one fixed batch of digits, without an optimizer, with fresh noise. Its time is the
median of the ratios of the rounds; its variance is the trace of the covariance of the gradients over the rounds, for
locations and for scales (the logarithms that are trained) apart. Half the noise costs as much as twice the steps, so
what counts is the product. Writes JSON, by net and batch, and a figure of all that the file holds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import bayesconv as bc
from bayesconv import files, optimization
from benchmarks.interleaved import Timing, time_interleaved

IMAGES = {"resnet20": (32, 32, 3), "lenet5": (28, 28, 1), "small_cnn": (28, 28, 1)}
NUM_DATA = 60_000
REFERENCE = "flipout"
MEMBERS = ("loc", "scale")


def by_rank(convolutional: Any, dense: Any) -> Callable[..., Any]:
    """A factory with one estimator for convolutions and another for dense layers."""

    def factory(kernel_shape: Any, bias_shape: Any, *args: Any, **options: Any) -> Any:
        estimator = dense if len(kernel_shape) == 2 else convolutional
        return bc.make_kernel_bias_variational(kernel_shape, bias_shape, *args, estimator=estimator, **options)

    return factory


def _estimators() -> dict[str, Callable[..., Any]]:
    choices: dict[str, Any] = {name: name for name in (REFERENCE, "reparameterization", "antithetic")}
    for num in (4, 8, 16):
        choices[f"sliced {num}"] = {"name": "sliced", "num_slices": num}
    for num in (4, 8, 16):
        choices[f"balanced {num}"] = {"name": "sliced", "num_slices": num, "draws": "balanced"}
    choices["independent 8"] = {"name": "sliced", "draws": "independent"}
    choices["grouped flipout 8"] = "grouped_flipout"
    choices["automatic"] = "automatic"
    made = {name: by_rank(choice, choice) for name, choice in choices.items()}
    for num in (4, 8, 16):
        for draws in ("sliced", "balanced"):
            made[f"{draws} {num}, dense flipout"] = by_rank(choices[f"{draws} {num}"], "flipout")
            made[f"{draws} {num}, dense local"] = by_rank(choices[f"{draws} {num}"], "local_reparameterization")
    made["antithetic, dense local"] = by_rank("antithetic", "local_reparameterization")
    for num in (16, 32):
        choice = {"name": "automatic", "num_slices": num}
        made[f"automatic {num}"] = by_rank(choice, choice)
    return made


ESTIMATORS = _estimators()


def digits(net: str, num: int) -> tuple[tf.Tensor, tf.Tensor]:
    """`num` handwritten digits, enlarged to the images of a net, with their labels."""
    *size, channels = IMAGES[net]
    split = bc.data.digits().train
    images = tf.image.resize(tf.constant(split.x[:num], tf.float32), size)
    return tf.repeat(images, channels, axis=-1), tf.constant(split.y[:num], tf.int32)


def gradient_step(model: bc.Layer, net: str) -> Callable[..., Any]:
    """Compiled gradients of the ELBO with respect to the model's variables, for a seed and batches of any size."""

    def step(x: tf.Tensor, y: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = bc.elbo(model, x, y, num_data=NUM_DATA, seed=seed).loss
        return tape.gradient(loss, model.trainable_variables)

    specs = [tf.TensorSpec([None, *IMAGES[net]]), tf.TensorSpec([None], tf.int32), tf.TensorSpec([2], tf.int32)]
    return tf.function(step, autograph=False, input_signature=specs)


def trained(net: str, steps: int) -> list[np.ndarray]:
    """Values of the variables of a net after some steps of Adam with flipout, on batches of 64."""
    bc.set_seed(0)
    model = bc.models.get(net)(IMAGES[net], 10, ESTIMATORS[REFERENCE])
    step, optimizer = gradient_step(model, net), optimization.make_optimizer("adam", 1e-3, "constant", steps)
    x, y = digits(net, 1024)
    for i in range(steps):
        rows = np.random.default_rng(i).integers(0, len(y), 64)
        gradients = step(tf.gather(x, rows), tf.gather(y, rows), tf.constant([i, 1]))
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return [variable.numpy() for variable in model.trainable_variables]


@dataclasses.dataclass
class Contender:
    """An estimator in a net, and the gradients that it has given.

    Attributes:
      step: The compiled gradient step.
      is_scale: Of each variable, whether it is a scale.
      salt: Second part of the seeds.
      batch: Images and labels.
      draws: Gradients of all variables, call by call.
    """

    step: Callable[..., Any]
    is_scale: list[bool]
    salt: int
    batch: tuple[tf.Tensor, ...] = ()
    draws: list[list[np.ndarray]] = dataclasses.field(default_factory=list)

    def __call__(self) -> None:
        """Takes a step with fresh noise."""
        seed = tf.constant([len(self.draws), self.salt])
        self.draws.append([gradient.numpy() for gradient in self.step(*self.batch, seed)])

    def variance(self, member: str) -> tuple[float, float]:
        """Trace of the covariance of the gradients of locations or scales, and its relative standard error."""
        wanted = [i for i, is_scale in enumerate(self.is_scale) if is_scale == (member == "scale")]
        total: Any = 0.0
        for index in wanted:
            values = np.stack([draw[index].ravel() for draw in self.draws])
            total = total + np.square(values - values.mean(axis=0)).sum(axis=1, dtype=np.float64)
        num = len(total)
        return float(total.sum() / (num - 1)), float(total.std(ddof=1) / total.mean() / math.sqrt(num))


def contender(net: str, estimator: str, values: list[np.ndarray]) -> Contender:
    """A net with an estimator and the values that training gave its variables."""
    model = bc.models.get(net)(IMAGES[net], 10, ESTIMATORS[estimator])
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
    names = {variable.ref(): path for path, variable in model.named_variables.items()}
    is_scale = [names[variable.ref()].endswith("untransformed_scale") for variable in model.trainable_variables]
    return Contender(gradient_step(model, net), is_scale, list(ESTIMATORS).index(estimator))


def measure(contenders: Mapping[str, Contender], batch: tuple[tf.Tensor, ...], rounds: int) -> dict[str, Any]:
    """Time, variance and their product by estimator, all relative to the reference."""
    for made in contenders.values():
        made.batch, made.draws = batch, []
    timings = time_interleaved(contenders, rounds=rounds, calls=1)
    rows = {name: _row(contenders[name], timing) for name, timing in timings.items()}
    reference = rows[REFERENCE]
    for row in rows.values():
        for member in MEMBERS:
            row[f"{member}_relative"] = row[f"{member}_variance"] / reference[f"{member}_variance"]
            row[f"{member}_gain"] = 1.0 / (row[f"{member}_relative"] * row["ratio"])
    return rows


def _row(made: Contender, timing: Timing) -> dict[str, float]:
    row = timing._asdict()
    for member in MEMBERS:
        row[f"{member}_variance"], row[f"{member}_error"] = made.variance(member)
    return row


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The rows as Markdown; a gain is how many times better variance x time is than the reference's."""
    lines = [
        "| estimator | time | variance of loc | of scale | gain for loc | for scale |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        cells = [f"{row['ratio']:.2f}"]
        cells += [f"{row[f'{m}_relative']:.2f} ± {row[f'{m}_relative'] * row[f'{m}_error']:.2f}" for m in MEMBERS]
        cells += [f"{row[f'{m}_gain']:.2f}" for m in MEMBERS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw_figure(results: Mapping[str, Any], path: Path) -> None:
    """Variance against time on logarithmic axes, a row for each net and batch, with a key; lines are equal products."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    size = {"figsize": (13, 4.2 * len(results)), "width_ratios": [4, 4, 1.6]}
    figure, axes = plt.subplots(len(results), 3, squeeze=False, layout="constrained", **size)
    for (*panels, key), (title, rows) in zip(axes, results.items(), strict=True):
        for ax, member in zip(panels, MEMBERS, strict=True):
            _draw_panel(ax, rows["estimators"], member)
            ax.set_title(f"{title}: gradient of the {member}s")
        key.axis("off")
        names = "\n".join(f"{number:>2}  {name}" for number, name in enumerate(rows["estimators"], 1))
        key.text(0, 1, names, va="top", fontsize=8, linespacing=1.25, transform=key.transAxes)
    figure.savefig(path, dpi=110)


def _draw_panel(ax: Any, rows: Mapping[str, Mapping[str, float]], member: str) -> None:
    times = [row["ratio"] for row in rows.values()]
    line = np.array([0.9 * min(times), 1.1 * max(times)])
    for product in (0.25, 0.5, 1.0, 2.0, 4.0):
        ax.plot(line, product / line, color="0.85", linewidth=1, zorder=0)
    for number, (name, row) in enumerate(rows.items(), 1):
        at = row["ratio"], row[f"{member}_relative"]
        ax.plot(*at, "o", color="C3" if name == REFERENCE else "C0", markersize=11, alpha=0.35, markeredgewidth=0)
        ax.annotate(str(number), at, fontsize=7, ha="center", va="center")
    ax.set(xscale="log", yscale="log", xlabel="time of a step / flipout", ylabel="gradient variance / flipout")


def main() -> None:
    """Runs the comparison, prints tables, and writes JSON and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=sorted(IMAGES), default="resnet20")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100, help="of training beforehand; 0 for fresh weights")
    parser.add_argument("--only", nargs="+", default=list(ESTIMATORS), help="of the estimators; flipout always")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/estimator_frontier.json"))
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(ESTIMATORS):
        parser.error(f"--only takes {', '.join(map(repr, ESTIMATORS))}. Received {', '.join(map(repr, unknown))}.")
    names = list(dict.fromkeys([REFERENCE, *arguments.only]))
    values = trained(arguments.net, arguments.steps)
    contenders = {name: contender(arguments.net, name, values) for name in names}
    for batch in arguments.batch:
        rows = measure(contenders, digits(arguments.net, batch), arguments.rounds)
        title = f"{arguments.net}, batch {batch}"
        print(f"\n{title}, {arguments.steps} steps of training, {arguments.rounds} rounds\n\n{table(rows)}", flush=True)
        machine = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "tensorflow": tf.__version__}
        options = {"rounds": arguments.rounds, "steps": arguments.steps}
        kept = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
        kept[title] = {**machine, **options, "estimators": rows}
        files.write_text(arguments.out, json.dumps(kept, indent=1) + "\n")
        draw_figure(kept, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()

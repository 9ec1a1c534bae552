"""How time and memory grow with draws, inputs, batch, image size, width, depth and number of kernels.

    python -m benchmarks.growth [--rounds 9] [--out benchmarks/results/growth.json] [--page docs/growth.md]

One factor at a time is doubled, or nearly, in a net of 3x3 convolutions with a global average; the sizes of a factor
take turns. The exponent is the slope of log time against log size over the three largest, where fixed costs count for
least: 1 is linear. The same slope against multiply-adds says whether what exceeds 1 is the net's own work.
Peak memory is that of a new process for every size. Writes JSON, a figure beside it and the table of the page.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from matplotlib import pyplot as plt
from matplotlib import ticker

import bayesconv as bc
from bayesconv import files
from bayesconv.loop import TrainingLoop
from bayesconv.optimization import GroupedOptimizer, make_optimizer
from bayesconv.plotting import theme
from benchmarks.fresh import peak_memory
from benchmarks.interleaved import time_interleaved
from benchmarks.results import about

BEGIN, END = "<!-- begin: written by `python -m benchmarks.growth` -->", "<!-- end -->"
NUM_CLASSES, NUM_DATA = 10, 60_000


@dataclasses.dataclass(frozen=True)
class Case:
    """A net and what it is given.

    Attributes:
      image: Height and width.
      width: Filters of every convolution.
      depth: Number of convolutions.
      kernels: B of `batch_shape`, or 0 for none.
      inputs: Images of a prediction.
      batch: Images in flight.
      samples: Draws of a prediction.
    """

    image: int = 16
    width: int = 16
    depth: int = 4
    kernels: int = 0
    inputs: int = 256
    batch: int = 256
    samples: int = 16

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image."""
        return (self.image, self.image, *([self.kernels] if self.kernels else []), 1)

    def multiply_adds(self, images: int) -> int:
        """Of one pass over so many images, times a batch of kernels."""
        sizes = [1, *[self.width] * self.depth]
        convolutions = 9 * self.image**2 * sum(a * b for a, b in itertools.pairwise(sizes))
        return images * max(self.kernels, 1) * (convolutions + self.width * NUM_CLASSES)


@dataclasses.dataclass(frozen=True)
class Factor:
    """What grows.

    Attributes:
      task: A key of `TASKS`.
      field: Of `Case`.
      name: What it is called.
      sizes: Its values.
      case: The rest.
    """

    task: str
    field: str
    name: str
    sizes: Sequence[int]
    case: Case = Case()

    def cases(self) -> dict[int, Case]:
        """A case for every size; that of an image is its number of pixels."""
        made = {size: dataclasses.replace(self.case, **{self.field: size}) for size in self.sizes}
        return {size**2 if self.field == "image" else size: case for size, case in made.items()}


FACTORS = (
    Factor("prediction", "samples", "draws S", (8, 16, 32, 64, 128), Case(inputs=128)),
    Factor("prediction", "inputs", "images N", (64, 128, 256, 512, 1024)),
    Factor("prediction", "batch", "batch", (16, 32, 64, 128, 256, 512), Case(inputs=512, samples=8)),
    Factor("prediction", "image", "pixels", (8, 16, 24, 32, 48), Case(inputs=64)),
    Factor("prediction", "width", "width", (8, 16, 32, 64, 128), Case(inputs=64, samples=8)),
    Factor("prediction", "depth", "depth", (2, 4, 8, 16), Case(inputs=64)),
    Factor("training", "batch", "batch", (32, 64, 128, 256, 512)),
    Factor("training", "image", "pixels", (8, 16, 24, 32, 48), Case(batch=64)),
    Factor("training", "width", "width", (8, 16, 32, 64, 128), Case(batch=32)),
    Factor("training", "depth", "depth", (2, 4, 8, 16), Case(batch=64)),
    Factor("training", "kernels", "kernels B", (1, 2, 4, 8, 16, 32), Case(batch=32, depth=2)),
    # With 113,000 weights the draws reach their budget of memory at some 600 of them.
    Factor("memory", "samples", "draws S", (64, 256, 1024, 2048, 4096), Case(image=4, width=64, inputs=4)),
    Factor("memory", "inputs", "images N", (1024, 4096, 16384, 65536), Case(image=8, width=8, depth=2)),
)


@functools.cache
def net_of(case: Case) -> bc.Layer:
    """The net, the same one for the same case; parts of a batch of kernels meet in the last layer."""
    batch: dict[str, Any] = {"batch_shape": case.kernels} if case.kernels else {}
    make = bc.make_kernel_bias_variational
    common = {"padding": "SAME", "activation_fn": tf.nn.relu, "make_kernel_bias_fn": make, **batch}
    sizes = itertools.pairwise([1, *[case.width] * case.depth])
    average = bc.Lambda(lambda x: tf.reduce_mean(x, axis=[1, 2]), name="average")
    head = bc.Affine(max(case.kernels, 1) * case.width, NUM_CLASSES, make_kernel_bias_fn=make)
    return bc.Sequential([*(bc.Convolution(a, b, 3, **common) for a, b in sizes), average, bc.Flatten(), head])


def images_of(case: Case, num: int) -> np.ndarray:
    """Random images."""
    return np.random.default_rng(0).random((num, *case.shape), np.float32)


def _net_only(case: Case) -> Case:
    """The case of all that have the same net."""
    return dataclasses.replace(case, inputs=0, batch=0, samples=0)


def prediction(case: Case) -> Callable[[], object]:
    """A prediction, draws included."""
    net, x = net_of(_net_only(case)), images_of(case, case.inputs)
    return lambda: bc.predict(net, x, num_samples=case.samples, batch_size=case.batch, keep_samples=False)


@functools.cache
def _step(case: Case) -> Callable[..., Any]:
    """The step that `fit` compiles."""
    net = net_of(case)
    optimizer = GroupedOptimizer(make_optimizer("adam", 1e-3, "constant", 1), net.trainable_variables)

    class Batches:
        specs = (tf.TensorSpec([None, *case.shape]), tf.TensorSpec([None], tf.int32))

    def objective(step: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tuple[Any, tf.Tensor]:
        seed = bc.random.fold_in(bc.random.as_seed(0), step)
        return bc.elbo(net, x, y, num_data=NUM_DATA, seed=seed), tf.constant(1.0)

    return TrainingLoop(net, Batches(), objective, optimizer, None, {}, None).compiled_step  # type: ignore[arg-type]


def training(case: Case) -> Callable[[], object]:
    """A training step."""
    step, x = _step(_net_only(case)), tf.constant(images_of(case, case.batch))
    y = tf.constant(np.arange(case.batch) % NUM_CLASSES, tf.int32)
    return lambda: step(x, y)[0].numpy()


TASKS = {"prediction": prediction, "training": training}
UNITS = {"prediction": "ms", "training": "ms", "memory": "MiB"}


def measure(factor: Factor, rounds: int) -> list[float]:
    """Milliseconds for every size."""
    contenders = {str(size): TASKS[factor.task](case) for size, case in factor.cases().items()}
    timings = time_interleaved(contenders, rounds=rounds, calls=1)
    return [1e3 * timing.seconds for timing in timings.values()]


def _in_new_process(case: Case) -> float:
    """Peak MiB."""
    command = [sys.executable, "-m", "benchmarks.growth", "--memory-of", json.dumps(dataclasses.asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.splitlines()[-1])


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Slope of log value against log size over the three largest."""
    return float(np.polyfit(np.log(sizes[-3:]), np.log(values[-3:]), 1)[0])


def row_of(factor: Factor, rounds: int) -> dict[str, Any]:
    """All that is measured of a factor."""
    sizes, cases = zip(*factor.cases().items(), strict=True)
    values = [_in_new_process(case) for case in cases] if factor.task == "memory" else measure(factor, rounds)
    work = [multiply_adds(factor.task, case) for case in cases]
    has_work = factor.task != "memory" and len(set(work)) > 1
    return {
        **{"task": factor.task, "factor": factor.name, "sizes": sizes, "unit": UNITS[factor.task], "values": values},
        "exponent": exponent(sizes, values),
        "multiply_adds": work,
        "exponent_of_work": exponent(work, values) if has_work else None,
    }


def multiply_adds(task: str, case: Case) -> int:
    """Of the forward passes of a case; a training step's backward pass is in proportion to them."""
    return case.multiply_adds(case.batch) if task == "training" else case.samples * case.multiply_adds(case.inputs)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| | factor | sizes | measured | exponent | against multiply-adds |", "|---|---|---|---|---|---|"]
    for row in rows:
        sizes = ", ".join(map(str, row["sizes"]))
        values = ", ".join(f"{value:.{1 if value < 100 else 0}f}" for value in row["values"])
        work = "" if row["exponent_of_work"] is None else f"{row['exponent_of_work']:.2f}"
        cells = [row["task"], row["factor"], sizes, f"{values} {row['unit']}", f"{row['exponent']:.2f}", work]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rewritten(page: str, block: str) -> str:
    """A page with another block between the marks.

    Raises:
      ValueError: If it does not have both marks, once and in order.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(END) < page.index(BEGIN):
        raise ValueError(f"The page needs the lines {BEGIN!r} and {END!r}, once and in this order: put them back.")
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{block}\n\n{END}{rest.split(END)[1]}"


def draw_figure(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A panel for every factor, on logarithmic axes, with the line that linear growth to the largest size would be."""
    with theme.style():
        figure, axes = plt.subplots(-(-len(rows) // 3), 3, figsize=(15, 1.25 * len(rows)))
        for ax in axes.flat[len(rows) :]:
            ax.set_visible(False)
        for ax, row in zip(axes.flat, rows, strict=False):
            _draw_panel(theme.own_axes(ax), row)
        axes.flat[0].legend(loc="upper left")
        theme.save(figure, path, close=True)


def _draw_panel(ax: Any, row: Mapping[str, Any]) -> None:
    sizes, values = np.array(row["sizes"]), np.array(row["values"])
    ax.set(xscale="log", yscale="log", xlabel=row["factor"], ylabel=row["unit"])
    ax.plot(sizes, values, "o-", color=theme.BLUE, zorder=3)
    work = row["exponent_of_work"]
    if work is not None:
        ax.plot(sizes, values[-1] * sizes / sizes[-1], "--", color=theme.GREY, linewidth=1.2, label="linear")
    # At least a factor of three, or what is flat would look steep.
    middle, reach = np.sqrt(min(values) * max(values)), max(1.2 * np.sqrt(max(values) / min(values)), np.sqrt(3))
    ax.set_ylim(middle / reach, middle * reach)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    ax.yaxis.set_minor_locator(ticker.NullLocator())
    shown = f"exponent {row['exponent']:.2f}" + ("" if work is None else f", of work {work:.2f}")
    ax.set_title(f"{row['task']}: {shown}")


def memory_of(case: Case) -> float:
    """Peak MiB of this process after a prediction."""
    prediction(case)()
    return peak_memory()


def main() -> None:
    """Runs everything, prints a table and writes JSON, figure and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/growth.json"))
    parser.add_argument("--page", type=Path, default=Path("docs/growth.md"))
    parser.add_argument("--memory-of", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(memory_of(Case(**arguments.memory_of)))
        return
    rows = []
    for factor in FACTORS:
        rows.append(row_of(factor, arguments.rounds))
        print(table(rows) if len(rows) == 1 else table(rows).splitlines()[-1], flush=True)
    facts = {**about(), "rounds": arguments.rounds}
    said = f"{facts['machine']}, {facts['date'][:10]}, load {facts['load_average'][0]}, median of {arguments.rounds}."
    print(files.write_text(arguments.out, json.dumps({**facts, "rows": rows}, indent=1) + "\n"))
    draw_figure(rows, arguments.out.with_suffix(".png"))
    files.write_text(arguments.page, rewritten(arguments.page.read_text(), f"{said}\n\n{table(rows)}"))


if __name__ == "__main__":
    main()

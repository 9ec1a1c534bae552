"""Other libraries side by side with the plain net: their processes and this one take turns."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks import results, training
from benchmarks.architectures import NETS
from benchmarks.interleaved import Pair, measure_of, time_pairs
from benchmarks.peers import environments
from benchmarks.peers.client import Worker
from benchmarks.peers.worker import PASSES
from benchmarks.plain import PlainNet, example

TOLERANCE = 1e-3  # next to no spread is not none
WHAT = ("training", "prediction")


class Comparison(NamedTuple):
    """What was measured of a library.

    Attributes:
      rows: By contender and task, such as `"flipout, training"`.
      versions: Of its packages.
    """

    rows: dict[str, results.Row]
    versions: dict[str, str]


def measured(net: str, name: str, rounds: int) -> Comparison | None:
    """Training steps and predictions of a library, or None, with a message, if it is not to be had."""
    try:
        environments.install(name)
        with Worker(name) as worker:
            return _measured_by(worker, net, rounds)
    except (RuntimeError, ArithmeticError) as error:
        print(f"{name} is left out: {error}", flush=True)
        return None


def _measured_by(worker: Worker, net: str, rounds: int) -> Comparison:
    facts = worker.ask(ask="facts")
    plain, (x, y) = PlainNet(net), example(net)
    pairs: dict[str, Pair] = {}
    for contender in facts["contenders"]:
        with tempfile.TemporaryDirectory() as folder:
            check_same_work(worker, plain, net, contender, Path(folder))
        pairs |= _pairs(worker, plain, x, y, net, contender)
    timings = time_pairs(pairs, rounds=rounds)
    return Comparison({key: results.row(results.PEERS, timing) for key, timing in timings.items()}, facts["versions"])


def _pairs(worker: Worker, plain: PlainNet, x: tf.Tensor, y: tf.Tensor, net: str, contender: str) -> dict[str, Pair]:
    step = measure_of(lambda: plain.train_step(x, y).numpy())
    passes = measure_of(lambda: tf.stack([plain.predict(x) for _ in range(PASSES)]).numpy())
    calls = {"training": training.CALLS[net], "prediction": 1}
    references = {"training": step, "prediction": passes}
    return {
        f"{contender}, {what}": Pair(worker.measure(net, contender, what), references[what], calls[what])
        for what in WHAT
    }


def check_same_work(worker: Worker, plain: PlainNet, net: str, contender: str, folder: Path) -> None:
    """Compares a library's logits at the plain net's weights with the plain net's, and the numbers of parameters.

    Raises:
      ArithmeticError: If it is not the same net, so that its times would say nothing.
    """
    images = example(net)[0][:4]
    parts = {"kernel": plain.kernels, "bias": plain.biases, "scale": plain.scales, "offset": plain.offsets}
    arrays: dict[str, Any] = {f"{kind}/{name}": v.numpy() for kind, part in parts.items() for name, v in part.items()}
    path = folder / "weights.npz"
    np.savez(path, images=images, **arrays)
    answer = worker.ask(ask="check", net=net, contender=contender, weights=str(path))
    expected, logits = plain.predict(images).numpy(), np.asarray(answer["logits"])
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    if not difference <= TOLERANCE:
        raise ArithmeticError(f"{contender} on {net} gives other logits, by {difference:.1e}: another net.")
    check_num_parameters(answer["num_parameters"], net, contender)


def check_num_parameters(received: int, net: str, contender: str) -> None:
    """Checks that all kernels have a scale each, if they are not deterministic.

    Biases may have one or not, and layers that need none may have a bias: libraries differ in that.

    Raises:
      ArithmeticError: If the number of parameters is not possible.
    """
    spec = NETS[net]
    kernels = sum(int(np.prod(linear.shape)) for linear in spec.linears.values())
    biases = sum(linear.shape[-1] for linear in spec.linears.values())
    least = spec.num_parameters + (0 if contender == "deterministic" else kernels)
    most = least + (1 if contender == "deterministic" else 2) * biases
    if not least <= received <= most:
        raise ArithmeticError(f"{contender} on {net} has {received} parameters, but {least} to {most} are the net's.")

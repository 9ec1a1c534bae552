"""Where the time of a Bayesian step goes: the step with parts left out, relative to the plain net's.

    python -m benchmarks.parts [--nets small_cnn resnet20] [--estimator reparameterization] [--rounds 15]

A part is left out by putting something next to free in its place while the step is traced. What is left out of two
steps at once is not always the sum: parts wait for one another, and run side by side.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from bayesconv import loop, random
from bayesconv.divergences import closed_forms
from benchmarks.architectures import NETS
from benchmarks.contenders import CONTENDERS
from benchmarks.interleaved import Pair, Timing, measure_of, time_pairs
from benchmarks.plain import PlainNet, example
from benchmarks.training import CALLS, step_of


def _no_normals(shape: Any, seed: Any, dtype: Any = tf.float32) -> tf.Tensor:
    number = 1e-9 * tf.cast(random.as_seed(seed)[0], dtype)  # of the seed still, or all draws would be constants
    return tf.fill(shape, number)


PARTS: dict[str, tuple[Any, str, Any]] = {
    "the normals": (random, "normal", _no_normals),
    "the KL": (closed_forms, "_kl_of_normals", lambda q, p, shape: tf.zeros([])),
    "the check that all is finite": (loop, "_sum_of_squares", lambda values: values[0]),
}


@contextlib.contextmanager
def without(*parts: str) -> Iterator[None]:
    """Leaves parts out of what is traced in the block."""
    with contextlib.ExitStack() as stack:
        for part in parts:
            module, name, substitute = PARTS[part]
            stack.enter_context(mock.patch.object(module, name, substitute))
        yield


def pairs(net: str, estimator: str) -> dict[str, Pair]:
    """The plain net again, the whole step, and the step without each part and without all of them."""
    x, y = example(net)
    plain = PlainNet(net)
    reference = measure_of(lambda: plain.train_step(x, y).numpy())
    found = {"plain TensorFlow again": Pair(reference, reference, CALLS[net])}
    left_out = {"all of the step": (), **{f"without {part}": (part,) for part in PARTS}, "without these": tuple(PARTS)}
    for name, parts in left_out.items():
        step = step_of(CONTENDERS[estimator], net)
        with without(*parts):
            step(x, y)
        found[name] = Pair(measure_of(functools.partial(_done, step, x, y)), reference, CALLS[net])
    return found


def _done(step: Any, x: tf.Tensor, y: tf.Tensor) -> None:
    step(x, y)[0].numpy()


def table(net: str, timings: Mapping[str, Timing]) -> str:
    """The ratios as Markdown."""
    rows = [f"| {name} | {t.ratio:.3f} | {t.lowest:.2f} - {t.highest:.2f} |" for name, t in timings.items()]
    return "\n".join([f"| `{net}` | ratio | lowest - highest |", "|---|---|---|", *rows])


def main() -> None:
    """Prints a table for each net."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=sorted(NETS), default=sorted(NETS, reverse=True))
    parser.add_argument("--estimator", choices=list(CONTENDERS), default="reparameterization")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    for net in arguments.nets:
        print(f"\n{table(net, time_pairs(pairs(net, arguments.estimator), rounds=arguments.rounds))}", flush=True)


if __name__ == "__main__":
    main()

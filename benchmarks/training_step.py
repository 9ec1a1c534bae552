"""Cost of a training step of `small_cnn`, batch 128, relative to the same network written by hand.

python -m benchmarks.training_step [--rounds 15] [--out benchmarks/results/training_step.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import bayesconv as bc
from bayesconv import files
from bayesconv.optimization import GroupedOptimizer, make_optimizer
from benchmarks.interleaved import time_interleaved
from benchmarks.plain import PlainSmallCnn

BATCH = 128
FACTORIES = {
    "point weights": bc.make_kernel_bias,
    "reparameterization": bc.make_kernel_bias_reparameterization,
    "flipout": bc.make_kernel_bias_flipout,
}


def training_step(factory: object) -> tf.types.experimental.GenericFunction:
    """The step that `fit` compiles, for `small_cnn` with these weights."""
    from bayesconv import objectives
    from bayesconv.loop import TrainingLoop

    model = bc.models.get("small_cnn")((28, 28, 1), 10, factory)
    optimizer = GroupedOptimizer(make_optimizer("adam", 1e-3, "constant", 1), model.trainable_variables)

    class Batches:
        specs = (tf.TensorSpec([None, 28, 28, 1]), tf.TensorSpec([None], tf.int32))

    def objective(x: tf.Tensor, y: tf.Tensor, step: tf.Tensor) -> tuple[objectives.Elbo, tf.Tensor]:
        seed = bc.random.fold_in(bc.random.as_seed(0), step)
        return bc.elbo(model, x, y, num_data=60_000, seed=seed), tf.constant(1.0)

    return TrainingLoop(model, Batches(), objective, optimizer, None, {}, None).compiled_step


def main() -> None:
    """Runs the comparison, prints a table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", default="benchmarks/results/training_step.json")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    x = tf.constant(random.random((BATCH, 28, 28, 1), np.float32))
    y = tf.constant(random.integers(0, 10, BATCH), tf.int32)
    plain = PlainSmallCnn()
    contenders = {"plain TensorFlow": lambda: plain.train_step(x, y).numpy()}
    for name, factory in FACTORIES.items():
        step = training_step(factory)
        contenders[name] = lambda step=step: step(x, y)[0].numpy()
    timings = time_interleaved(contenders, rounds=arguments.rounds)
    print(f"small_cnn, training step of {BATCH}: milliseconds, ratio to plain TensorFlow (lowest - highest)")
    for name, timing in timings.items():
        print(
            f"{name:<20} {1e3 * timing.seconds:7.2f} {timing.ratio:6.2f} ({timing.lowest:.2f} - {timing.highest:.2f})"
        )
    result = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__, "bayesconv": bc.__version__},
        "rounds": arguments.rounds,
        "timings": {name: timing._asdict() for name, timing in timings.items()},
    }
    print(files.write_text(arguments.out, json.dumps(result, indent=2) + "\n"))


if __name__ == "__main__":
    main()

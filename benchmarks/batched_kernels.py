"""Ways to apply a batch of B kernels, each to inputs of its own: forward and backward pass, relative to a Python loop.

python -m benchmarks.batched_kernels [--rounds 11] [--out benchmarks/results/batched_kernels.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import bayesconv as bc
from bayesconv import files
from bayesconv.layers import native
from benchmarks.interleaved import time_interleaved


class Shape(NamedTuple):
    """A batch of convolutions: B kernels of 3 in each of the axes."""

    rank: int
    num: int
    size: int
    count: int
    inputs: int
    outputs: int

    def __str__(self) -> str:
        return (
            f"rank {self.rank}, N {self.num}, {self.size}^{self.rank}, B {self.count}, {self.inputs} -> {self.outputs}"
        )


SHAPES = (
    Shape(1, 64, 64, 8, 16, 16),
    Shape(2, 64, 28, 4, 1, 16),
    Shape(2, 64, 14, 4, 16, 32),
    Shape(2, 64, 14, 32, 4, 8),
    Shape(2, 16, 14, 8, 32, 32),
    Shape(3, 8, 10, 2, 8, 16),
    Shape(3, 8, 10, 8, 8, 8),
)


def one(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A single convolution."""
    rank = x.shape.rank - 2
    return native.convolve(x, kernel, (1,) * rank, (1,) * rank)


def loop(x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """One convolution after the other."""
    pairs = zip(tf.unstack(x, axis=-2), tf.unstack(kernels), strict=True)
    return tf.stack([one(part, kernel) for part, kernel in pairs], axis=-2)


def vectorized(x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """`tf.vectorized_map` over the kernels."""
    rank = x.shape.rank - 3
    front = tf.transpose(x, [rank + 1, *range(rank + 1), rank + 2])
    outputs = tf.vectorized_map(lambda pair: one(*pair), (front, kernels))
    return tf.transpose(outputs, [*range(1, rank + 2), 0, rank + 2])


def dense(x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """One convolution with zeros outside of the groups."""
    rank, count = x.shape.rank - 3, kernels.shape[0]
    shape = x.shape
    stacked = tf.transpose(kernels, [*range(1, rank + 2), 0, rank + 2])
    stacked = tf.reshape(stacked, [*kernels.shape[1 : rank + 2], count * kernels.shape[-1]])
    kernel = native.written_out(stacked, (1,) * rank, count)
    outputs = one(tf.reshape(x, [*shape[:-2], -1]), kernel)
    return tf.reshape(outputs, [*outputs.shape[:-1], count, kernels.shape[-1]])


def layer(shape: Shape) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """What `bayesconv.Convolution` does."""
    op = bc.Convolution(shape.inputs, shape.outputs, 3, rank=shape.rank, batch_shape=shape.count).linear_op
    return lambda x, kernels: op(x, bc.KernelBias(kernels))


def contender(
    apply: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], x: tf.Tensor, kernels: tf.Tensor
) -> Callable[[], Any]:
    """The compiled forward and backward pass."""

    def step(x: tf.Tensor, kernels: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, kernels])
            loss = tf.reduce_sum(tf.square(apply(x, kernels)))
        return tape.gradient(loss, [x, kernels])

    compiled = tf.function(step, autograph=False)
    return lambda: compiled(x, kernels)[1].numpy()


def measure(shape: Shape, rounds: int) -> dict[str, Any]:
    """Timings of all ways for one shape, after a check that they agree."""
    random = np.random.default_rng(0)
    spatial = [shape.size] * shape.rank
    x = tf.constant(random.normal(size=[shape.num, *spatial, shape.count, shape.inputs]), tf.float32)
    filters = [shape.count, *[3] * shape.rank, shape.inputs, shape.outputs]
    kernels = tf.constant(random.normal(size=filters), tf.float32)
    ways = {"loop": loop, "layer": layer(shape), "dense": dense, "vectorized_map": vectorized}
    contenders = {name: contender(way, x, kernels) for name, way in ways.items()}
    expected = contenders["loop"]()
    for name, run in contenders.items():
        np.testing.assert_allclose(run(), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max(), err_msg=name)
    return {name: timing._asdict() for name, timing in time_interleaved(contenders, rounds=rounds).items()}


def main() -> None:
    """Runs the comparison, prints a table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--out", default="benchmarks/results/batched_kernels.json")
    arguments = parser.parse_args()
    results = {}
    for shape in SHAPES:
        results[str(shape)] = timings = measure(shape, arguments.rounds)
        cells = [f"{name} {timing['ratio']:.2f}" for name, timing in timings.items()]
        print(f"{shape!s:<48} loop {1e3 * timings['loop']['seconds']:7.2f} ms;  ratios: {', '.join(cells)}", flush=True)
    machine = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "tensorflow": tf.__version__}
    text = json.dumps({**machine, "rounds": arguments.rounds, "timings": results}, indent=2)
    print(files.write_text(arguments.out, text + "\n"))


if __name__ == "__main__":
    main()

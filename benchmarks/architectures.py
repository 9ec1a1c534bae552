"""The two nets that everything is timed on: what they consist of and how it is put together, for any framework.

Free of TensorFlow, so that the environments of other libraries can read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

NUM_CLASSES = 10
NUM_DATA = 60_000  # examples that a KL is divided by
LEARNING_RATE, BETA_1, BETA_2, ADAM_EPSILON = 1e-3, 0.9, 0.999, 1e-7
NORM_EPSILON = 1e-6


class Linear(NamedTuple):
    """A convolution `[H, W, C_in, C_out]` with padding "SAME", or a matrix `[C_in, C_out]`.

    Attributes:
      shape: Of the kernel.
      stride: Of the convolution.
      use_bias: Whether there is a bias.
    """

    shape: tuple[int, ...]
    stride: int = 1
    use_bias: bool = True


class Ops(Protocol):
    """What a framework has to bring along."""

    def linear(self, name: str, x: Any) -> Any:
        """Applies the layer of that name."""

    def normalize(self, name: str, x: Any) -> Any:
        """Filter response normalization, without a threshold, after the layer of that name."""

    def relu(self, x: Any) -> Any:
        """Rectifies."""

    def pool(self, x: Any) -> Any:
        """Maxima of 2x2 positions."""

    def flatten(self, x: Any) -> Any:
        """`[N, H * W * C]`, channels last."""

    def average(self, x: Any) -> Any:
        """Means over all positions, `[N, C]`."""


class Net(NamedTuple):
    """A net.

    Attributes:
      image: `(H, W, C)`.
      batch: Images of a step and of a prediction.
      linears: Its layers with weights, in the order of evaluation.
      forward: Logits `[N, 10]` by a framework's operations.
    """

    image: tuple[int, int, int]
    batch: int
    linears: Mapping[str, Linear]
    forward: Callable[[Ops, Any], Any]

    @property
    def normalized(self) -> list[str]:
        """Layers that are followed by a normalization: those without a bias."""
        return [name for name, linear in self.linears.items() if not linear.use_bias]

    @property
    def num_parameters(self) -> int:
        """Parameters of the deterministic net."""
        return sum(count(linear) for linear in self.linears.values())


def count(linear: Linear) -> int:
    """Parameters of a layer with its bias, or with the scale and offset of its normalization."""
    weights = 1
    for size in linear.shape:
        weights *= size
    return weights + linear.shape[-1] * (1 if linear.use_bias else 2)


def _small_cnn(ops: Ops, x: Any) -> Any:
    for name in ("conv1", "conv2"):
        x = ops.pool(ops.relu(ops.linear(name, x)))
    return ops.linear("head", ops.relu(ops.linear("dense1", ops.flatten(x))))


def _resnet20(ops: Ops, x: Any) -> Any:
    def conv(name: str, inputs: Any) -> Any:
        return ops.normalize(name, ops.linear(name, inputs))

    x = ops.relu(conv("stem", x))
    for block in range(1, 10):
        inner = conv(f"block{block}_conv2", ops.relu(conv(f"block{block}_conv1", x)))
        short = conv(f"block{block}_projection", x) if block in (4, 7) else x
        x = ops.relu(inner + short)
    return ops.linear("head", ops.average(x))


def _blocks() -> dict[str, Linear]:
    layers, before = {"stem": Linear((3, 3, 3, 16), use_bias=False)}, 16
    for block in range(1, 10):
        size = 16 * 2 ** ((block - 1) // 3)
        stride = 1 if size == before else 2
        layers[f"block{block}_conv1"] = Linear((3, 3, before, size), stride, use_bias=False)
        layers[f"block{block}_conv2"] = Linear((3, 3, size, size), use_bias=False)
        if size != before:
            layers[f"block{block}_projection"] = Linear((1, 1, before, size), stride, use_bias=False)
        before = size
    return {**layers, "head": Linear((before, NUM_CLASSES))}


_SMALL = {
    "conv1": Linear((5, 5, 1, 16)),
    "conv2": Linear((5, 5, 16, 32)),
    "dense1": Linear((7 * 7 * 32, 128)),
    "head": Linear((128, NUM_CLASSES)),
}
NETS = {
    "small_cnn": Net((28, 28, 1), 128, _SMALL, _small_cnn),
    "resnet20": Net((32, 32, 3), 64, _blocks(), _resnet20),
}

"""The nets of libraries that build on TensorFlow: everything but the layers with weights is the plain net's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from benchmarks.architectures import NUM_DATA, Linear
from benchmarks.plain import Adam, TensorFlowOps, example


class Kit(Protocol):
    """A library's layers."""

    def make(self, name: str, linear: Linear, contender: str) -> Callable[[tf.Tensor], tf.Tensor]:
        """A layer."""

    def variables(self, layer: Any) -> list[tf.Variable]:
        """What is trained of it."""

    def penalty(self, layer: Any) -> Any:
        """Its KL after a call, in nats."""

    def assign(self, layer: Any, kernel: np.ndarray, bias: np.ndarray | None) -> None:
        """Sets the means of its weights, with next to no spread."""


class TensorFlowSubject(TensorFlowOps):
    """A net with a library's layers.

    Args:
      kit: The library.
      net: Name of the net.
      contender: Which of its layers.
    """

    def __init__(self, kit: Kit, net: str, contender: str) -> None:
        super().__init__(net)
        self._kit, (self._x, self._y) = kit, example(net)
        self.layers = {name: kit.make(name, linear, contender) for name, linear in self.net.linears.items()}
        self._forward(self._x[:1])  # layers make their variables when they are called first
        own = [variable for layer in self.layers.values() for variable in kit.variables(layer)]
        self.variables = [*own, *self.scales.values(), *self.offsets.values()]
        self.num_parameters = sum(int(np.prod(variable.shape)) for variable in self.variables)
        self._adam = Adam(self.variables)
        images, labels = tf.TensorSpec([None, *self.net.image]), tf.TensorSpec([None], tf.int32)
        self._predict = tf.function(self._forward, [images], autograph=False)
        self._train_step = tf.function(self._train, [images, labels], autograph=False)

    def linear(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """The library's layer."""
        return self.layers[name](x)

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        return self.net.forward(self, x)

    def _train(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self._forward(x))
            penalties = [self._kit.penalty(layer) for layer in self.layers.values()]
            loss = tf.reduce_mean(losses) + tf.add_n(penalties) / NUM_DATA
        self._adam.apply(tape.gradient(loss, self.variables))
        return loss

    def step(self) -> None:
        """One step."""
        self._train_step(self._x, self._y).numpy()

    def predict(self, passes: int) -> None:
        """Compiled passes in a loop, as these libraries have it."""
        tf.stack([self._predict(self._x) for _ in range(passes)]).numpy()

    def logits(self, weights: str) -> list[list[float]]:
        """Logits at given weights."""
        with np.load(weights) as arrays:
            given = dict(arrays)
        for name, layer in self.layers.items():
            self._kit.assign(layer, given[f"kernel/{name}"], given.get(f"bias/{name}"))
        for kind, variables in (("scale", self.scales), ("offset", self.offsets)):
            _assign(variables, kind, given)
        return self._predict(tf.constant(given["images"])).numpy().tolist()


def _assign(variables: Mapping[str, tf.Variable], kind: str, given: Mapping[str, np.ndarray]) -> None:
    for name, variable in variables.items():
        variable.assign(given[f"{kind}/{name}"])

"""`tfp.layers`, in Keras 2. Its layers have a point bias, and a KL of the kernel in closed form."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from benchmarks.architectures import Linear
from benchmarks.peers.tensorflow_nets import TensorFlowSubject
from benchmarks.peers.worker import serve

TINY = -20.0  # softplus of it is 2e-9


class Library:
    """The library."""

    versions: ClassVar = {name: version(name) for name in ("tensorflow-probability", "tf-keras")}
    contenders = ("deterministic", "reparameterization", "flipout")

    def subject(self, net: str, contender: str) -> TensorFlowSubject:
        """A net."""
        return TensorFlowSubject(self, net, contender)

    def make(self, name: str, linear: Linear, contender: str) -> Any:
        """A layer."""
        suffix = {"deterministic": "", "reparameterization": "Reparameterization", "flipout": "Flipout"}[contender]
        module = tf_keras.layers if contender == "deterministic" else tfp.layers
        without_bias = {} if linear.use_bias else {"bias_posterior_fn": None}
        options = {"use_bias": linear.use_bias} if contender == "deterministic" else without_bias
        outputs = linear.shape[-1]
        if len(linear.shape) == 2:
            return getattr(module, f"Dense{suffix}")(outputs, **options)
        kind = "Conv2D" if contender == "deterministic" else "Convolution2D"
        size = linear.shape[:2]
        return getattr(module, f"{kind}{suffix}")(outputs, size, linear.stride, padding="same", **options)

    def variables(self, layer: Any) -> list[tf.Variable]:
        """What is trained."""
        return layer.trainable_variables

    def penalty(self, layer: Any) -> Any:
        """Its KL."""
        return tf.add_n(layer.losses) if layer.losses else tf.constant(0.0)

    def assign(self, layer: Any, kernel: np.ndarray, bias: np.ndarray | None) -> None:
        """Sets the means."""
        for variable in layer.trainable_variables:
            if "untransformed_scale" in variable.name:
                variable.assign(tf.fill(variable.shape, TINY))
            else:
                variable.assign(bias if "bias" in variable.name else kernel)


if __name__ == "__main__":
    serve(Library)

"""`tfp.experimental.nn`. Its layers have a bias always, with a posterior too, and a KL by Monte Carlo."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from benchmarks.architectures import Linear
from benchmarks.peers.tensorflow_nets import TensorFlowSubject
from benchmarks.peers.worker import serve

TINY = -20.0  # before the bijector, which adds 1e-5 to the softplus of it


class Library:
    """The library."""

    versions: ClassVar = {"tensorflow-probability": version("tensorflow-probability")}
    contenders = ("deterministic", "reparameterization", "flipout")

    def subject(self, net: str, contender: str) -> TensorFlowSubject:
        """A net."""
        return TensorFlowSubject(self, net, contender)

    def make(self, name: str, linear: Linear, contender: str) -> Any:
        """A layer."""
        kinds = {
            "deterministic": "",
            "reparameterization": "VariationalReparameterization",
            "flipout": "VariationalFlipout",
        }
        *size, inputs, outputs = linear.shape
        nn = tfp.experimental.nn
        if not size:
            return getattr(nn, f"Affine{kinds[contender]}")(inputs, outputs)
        layer = getattr(nn, f"Convolution{kinds[contender]}")
        return layer(inputs, outputs, size, strides=linear.stride, padding="SAME")

    def variables(self, layer: Any) -> list[tf.Variable]:
        """What is trained."""
        return list(layer.trainable_variables)

    def penalty(self, layer: Any) -> Any:
        """Its KL."""
        if not hasattr(layer, "posterior"):
            return tf.constant(0.0)
        return tfp.experimental.nn.losses.compute_extra_loss(layer)

    def assign(self, layer: Any, kernel: np.ndarray, bias: np.ndarray | None) -> None:
        """Sets the means."""
        bias = np.zeros(kernel.shape[-1], np.float32) if bias is None else bias
        if not hasattr(layer, "posterior"):
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
            return
        for distribution, value in zip(layer.posterior.sample_distributions()[0], (kernel, bias), strict=True):
            normal = distribution.distribution
            normal.loc.assign(value)
            untransformed = normal.scale.pretransformed_input
            untransformed.assign(tf.fill(untransformed.shape, TINY))


if __name__ == "__main__":
    serve(Library)

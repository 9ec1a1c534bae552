"""The nets written by hand in plain TensorFlow, with a fused Adam step: what there is to compare with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.rows import along_rows, mean_square
from benchmarks.architectures import ADAM_EPSILON, BETA_1, BETA_2, LEARNING_RATE, NETS, NORM_EPSILON


class Adam:
    """Adam by TensorFlow's fused kernel."""

    def __init__(self, variables: Sequence[tf.Variable]) -> None:
        self._variables = variables
        self._moments = [[tf.Variable(tf.zeros_like(v), trainable=False) for _ in range(2)] for v in variables]
        self._step = tf.Variable(tf.zeros([]), trainable=False)

    def apply(self, gradients: Sequence[Any]) -> None:
        """One step."""
        self._step.assign_add(1.0)
        for variable, gradient, (m, v) in zip(self._variables, gradients, self._moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=tf.pow(BETA_1, self._step),
                beta2_power=tf.pow(BETA_2, self._step),
                lr=LEARNING_RATE,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=ADAM_EPSILON,
                grad=gradient,
            )


class TensorFlowOps:
    """Operations of a net in TensorFlow but for its linear layers, with the weights of the normalizations.

    Args:
      name: Of the net.
    """

    def __init__(self, name: str) -> None:
        self.net = NETS[name]
        sizes = {layer: self.net.linears[layer].shape[-1:] for layer in self.net.normalized}
        self.scales = {layer: tf.Variable(tf.ones(size)) for layer, size in sizes.items()}
        self.offsets = {layer: tf.Variable(tf.zeros(size)) for layer, size in sizes.items()}

    def normalize(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """Each channel by its mean square over the positions of an example."""
        mean_square = tf.reduce_mean(tf.square(tf.cast(x, tf.float32)), [1, 2], keepdims=True)
        factor = tf.cast(tf.math.rsqrt(mean_square + NORM_EPSILON), x.dtype)
        return x * factor * tf.cast(self.scales[name], x.dtype) + tf.cast(self.offsets[name], x.dtype)

    def relu(self, x: tf.Tensor) -> tf.Tensor:
        """Rectifies."""
        return tf.nn.relu(x)

    def pool(self, x: tf.Tensor) -> tf.Tensor:
        """Maxima of 2x2 positions."""
        return tf.nn.max_pool2d(x, 2, 2, "VALID")

    def flatten(self, x: tf.Tensor) -> tf.Tensor:
        """`[N, H * W * C]`."""
        return tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])

    def average(self, x: tf.Tensor) -> tf.Tensor:
        """Means over all positions."""
        return tf.reduce_mean(x, [1, 2])


class PlainNet(TensorFlowOps):
    """A net with point weights, its compiled forward pass and its compiled training step.

    Args:
      name: Of the net.
      seed: Of its initial weights.
      dtype: In which it computes; its weights, losses and mean squares are in float32.
    """

    def __init__(self, name: str, seed: int = 0, dtype: str = "float32") -> None:
        super().__init__(name)
        self._dtype = dtype
        random = np.random.default_rng(seed)
        self.kernels = {layer: _he_normal(linear.shape, random) for layer, linear in self._linears()}
        self.biases = {
            layer: tf.Variable(tf.zeros(linear.shape[-1:])) for layer, linear in self._linears() if linear.use_bias
        }
        parts = (self.kernels, self.biases, self.scales, self.offsets)
        self.variables = [variable for part in parts for variable in part.values()]
        images, labels = tf.TensorSpec([None, *self.net.image]), tf.TensorSpec([None], tf.int32)
        self.predict = tf.function(self.forward, [images], autograph=False)
        self.train_step = tf.function(self._train_step, [images, labels], autograph=False)
        self._adam = Adam(self.variables)

    def _linears(self) -> Any:
        return self.net.linears.items()

    def linear(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """A convolution or a product of matrices, and the bias."""
        x, kernel = (tf.cast(tensor, self._dtype) for tensor in (x, self.kernels[name]))
        stride = self.net.linears[name].stride
        outputs = x @ kernel if len(kernel.shape) == 2 else tf.nn.conv2d(x, kernel, stride, "SAME")
        return tf.nn.bias_add(outputs, tf.cast(self.biases[name], x.dtype)) if name in self.biases else outputs

    def forward(self, x: tf.Tensor) -> tf.Tensor:
        """Logits `[N, 10]` of images `[N, H, W, C]`."""
        return tf.cast(self.net.forward(self, x), tf.float32)

    def _train_step(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self.forward(x))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.variables)
        self._adam.apply(gradients)
        return loss


class FewPassesNet(PlainNet):
    """The plain net with the library's way to normalize: what the weights cost is told apart from it."""

    def normalize(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """The same numbers in fewer passes over the tensor."""
        wide = tf.cast(x, tf.float32)
        factor = tf.math.rsqrt(mean_square(wide, [-3, -2]) + NORM_EPSILON) * self.scales[name]
        return tf.cast(wide * along_rows(factor, wide) + along_rows(self.offsets[name], wide), x.dtype)


def copy_weights(named: Mapping[str, tf.Variable], plain: PlainNet) -> None:
    """Gives a plain net the weights of a `bayesconv` model of the same shape, of posteriors their locations.

    Args:
      named: `model.named_variables`.
      plain: The net; its layers are in the model's order.

    Raises:
      ValueError: If the model has other weights.
    """
    for kind in ("kernel", "bias", "scale", "offset"):
        found = [v for path, v in named.items() if path.endswith((f"/{kind}", f"/{kind}/loc"))]
        wanted = getattr(plain, {"kernel": "kernels", "bias": "biases"}.get(kind, f"{kind}s"))
        shapes = [[tuple(v.shape) for v in variables] for variables in (found, wanted.values())]
        if shapes[0] != shapes[1]:
            raise ValueError(f"The model and the plain net differ in their {kind}s: {shapes[0]} and {shapes[1]}.")
        for source, target in zip(found, wanted.values(), strict=True):
            target.assign(source)


def example(name: str, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch of random images in [0, 1] and labels for a net."""
    random, net = np.random.default_rng(seed), NETS[name]
    images = random.random((net.batch, *net.image), np.float32)
    return tf.constant(images), tf.constant(random.integers(0, 10, net.batch), tf.int32)


def _he_normal(shape: tuple[int, ...], random: np.random.Generator) -> tf.Variable:
    values = random.normal(0.0, math.sqrt(2.0 / math.prod(shape[:-1])), shape)
    return tf.Variable(tf.constant(values, tf.float32))

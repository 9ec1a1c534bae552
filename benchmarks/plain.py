"""`small_cnn` written by hand in plain TensorFlow, with a fused Adam step: what there is to compare with."""

from __future__ import annotations

import math

import tensorflow as tf

SHAPES = {
    "conv1": (5, 5, 1, 16),
    "conv2": (5, 5, 16, 32),
    "dense1": (1568, 128),
    "head": (128, 10),
}


class PlainSmallCnn:
    """Point weights, forward pass and training step of `small_cnn` on 28x28x1 images."""

    def __init__(self, seed: int = 0) -> None:
        generator = tf.random.Generator.from_seed(seed)
        self.kernels = {
            name: tf.Variable(generator.normal(shape) * math.sqrt(2.0 / math.prod(shape[:-1])))
            for name, shape in SHAPES.items()
        }
        self.biases = {name: tf.Variable(tf.zeros(shape[-1:])) for name, shape in SHAPES.items()}
        self.variables = [*self.kernels.values(), *self.biases.values()]
        self._moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in self.variables]
        self._step = tf.Variable(0.0)

    def forward(self, x: tf.Tensor) -> tf.Tensor:
        """Logits `[N, 10]` of images `[N, 28, 28, 1]`."""
        for name in ("conv1", "conv2"):
            x = tf.nn.relu(tf.nn.conv2d(x, self.kernels[name], 1, "SAME") + self.biases[name])
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.reshape(x, [-1, 1568])
        x = tf.nn.relu(x @ self.kernels["dense1"] + self.biases["dense1"])
        return x @ self.kernels["head"] + self.biases["head"]

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28, 1]), tf.TensorSpec([None], tf.int32)], autograph=False)
    def train_step(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """One Adam step; returns the loss."""
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self.forward(x))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.variables)
        self._step.assign_add(1.0)
        for variable, gradient, (m, v) in zip(self.variables, gradients, self._moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=tf.pow(0.9, self._step),
                beta2_power=tf.pow(0.999, self._step),
                lr=1e-3,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-7,
                grad=gradient,
            )
        return loss

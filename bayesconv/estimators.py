"""Estimators: how one stochastic pass uses the posterior.

A registered estimator is `piece(linear_op, posterior, *, options) -> StochasticPass`. It checks at construction that
the posterior and the operator have what it needs, and returns the pass `(inputs, draw, seed) -> Estimate`, where
`draw()` gives the weights that the layer drew in this call and `seed` is fresh for every use of the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions, random
from bayesconv.registry import Registry
from bayesconv.weights import KernelBias, map_kernel_bias

tfd = tfp.distributions
_TINY = 1e-30  # of a variance; its square root is far below any that matters

_REGISTRY = Registry("estimator")
register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options


class LinearOp(Protocol):
    """What an estimator knows of a layer's operator.

    Attributes:
      name: What messages call it.
      batch_ndims: Number of batch dimensions of the kernel, which stand before the channels of inputs and outputs.
      event_ndims: Number of axes of an example.
      shares_weights: Whether one weight meets several positions of an example.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def batch_ndims(self) -> int: ...  # noqa: D102

    @property
    def event_ndims(self) -> int: ...  # noqa: D102

    @property
    def shares_weights(self) -> bool: ...  # noqa: D102

    def check_inputs(self, name: str, inputs: tf.Tensor, input_size: int) -> None:
        """Raises a ValueError if a layer of that name cannot take the inputs."""

    def __call__(self, inputs: tf.Tensor, weights: KernelBias) -> tf.Tensor:
        """The operator applied with a kernel, plus the bias if there is one."""


class Estimate(NamedTuple):
    """Outputs of a stochastic pass, and the draw it used or None if it drew no weights."""

    outputs: tf.Tensor
    weights: KernelBias | None


StochasticPass = Callable[[tf.Tensor, Callable[[], KernelBias], tf.Tensor], Estimate]


@register("reparameterization")
def reparameterization(linear_op: LinearOp, posterior: KernelBias) -> StochasticPass:
    """One draw of the weights, shared by all examples of the batch.

    `y = f(x, w)` with `w = g(noise)` differentiable in the posterior's parameters. One application of the operator;
    the examples' gradients share their noise, so averaging over a larger batch does not lower its variance.

    References:
      Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014. arXiv:1312.6114
    """
    _require_reparameterized(posterior, "reparameterization")

    def stochastic_pass(inputs: tf.Tensor, draw: Callable[[], KernelBias], seed: tf.Tensor) -> Estimate:
        weights = draw()
        return Estimate(linear_op(inputs, weights), weights)

    return stochastic_pass


@register("flipout")
def flipout(linear_op: LinearOp, posterior: KernelBias) -> StochasticPass:
    """One draw of the weights, whose deviation from the mean gets signs of its own for every example and channel.

    `y_n = f(x_n, mean) + r_n f(x_n s_n, w - mean)` with random signs `s_n` of shape `[N, 1.., C_in]` and `r_n` of
    shape `[N, 1.., C_out]`. The signs do not vary over space, so a single kernel explains all positions of an
    example. Two applications of the operator; noise decorrelates between examples.

    Raises:
      ValueError: If the posterior's deviations may not be sign-flipped.

    References:
      Wen et al., Flipout: Efficient Pseudo-Independent Weight Perturbations on Mini-Batches, ICLR 2018.
      arXiv:1803.04386
    """
    _require_reparameterized(posterior, "flipout")
    _require_trait(
        posterior, distributions.SIGN_SYMMETRIC, "flipout", "independent weights, each symmetric about its mean"
    )

    def stochastic_pass(inputs: tf.Tensor, draw: Callable[[], KernelBias], seed: tf.Tensor) -> Estimate:
        weights, mean = draw(), map_kernel_bias(lambda d: d.mean(), posterior)
        seed_in, seed_out = random.split(seed)
        batch_shape = weights.kernel.shape[: linear_op.batch_ndims]
        flipped = inputs * _example_signs(inputs, batch_shape, seed_in)
        deviation = linear_op(flipped, map_kernel_bias(tf.subtract, weights, mean))
        signs_out = _example_signs(deviation, batch_shape, seed_out)
        return Estimate(linear_op(inputs, mean) + signs_out * deviation, weights)

    return stochastic_pass


@register("local_reparameterization")
def local_reparameterization(
    linear_op: LinearOp, posterior: KernelBias, *, approximate: bool = False
) -> StochasticPass:
    """Draws each output instead of the weights: `y ~ N(f(x, mean), f(x^2, stddev^2))`.

    Exact where every weight meets an example once, as in a dense layer. Where weights are shared over positions it
    treats positions as independent, which they are not: marginal variances stay right, covariances between
    positions become zero, and a later pooling averages the uncertainty away.

    Args:
      linear_op: The layer's operator.
      posterior: The distributions of kernel and bias; must be independent normals.
      approximate: Allow it where weights are shared, bias and all.

    Raises:
      ValueError: If the posterior is not normal, or weights are shared and `approximate` is False.

    References:
      Kingma et al., Variational Dropout and the Local Reparameterization Trick, NeurIPS 2015. arXiv:1506.02557
    """
    _require_trait(posterior, distributions.INDEPENDENT_NORMAL, "local_reparameterization", "independent normals")
    if linear_op.shares_weights and not approximate:
        raise ValueError(
            f"local_reparameterization is exact only where weights are not shared over positions, and {linear_op.name} "
            "shares them: covariances between positions would be lost. Use flipout or reparameterization, or accept "
            "the bias with estimator={'name': 'local_reparameterization', 'approximate': True}."
        )

    def stochastic_pass(inputs: tf.Tensor, draw: Callable[[], KernelBias], seed: tf.Tensor) -> Estimate:
        mean = linear_op(inputs, map_kernel_bias(lambda d: d.mean(), posterior))
        variance = linear_op(tf.square(inputs), map_kernel_bias(lambda d: d.variance(), posterior))
        _require_unshared(linear_op, inputs, approximate)
        # A dead input row has variance 0, where the square root has no finite slope.
        stddev = tf.sqrt(tf.maximum(variance, _TINY))
        return Estimate(mean + stddev * random.normal(tf.shape(mean), seed, mean.dtype), None)

    return stochastic_pass


def _require_unshared(linear_op: LinearOp, inputs: tf.Tensor, approximate: bool) -> None:
    if inputs.shape.rank > 2 + linear_op.batch_ndims and not approximate:
        raise ValueError(
            f"local_reparameterization in {linear_op.name} needs inputs of {2 + linear_op.batch_ndims} dimensions: "
            f"with more, weights are shared over positions. Received shape {inputs.shape}. Flatten the inputs, use "
            "flipout, or set approximate=True."
        )


def _example_signs(tensor: tf.Tensor, batch_shape: tf.TensorShape, seed: tf.Tensor) -> tf.Tensor:
    # The batch shape is the kernel's: where the inputs broadcast along it, every kernel still gets signs of its own.
    ones = [1] * (tensor.shape.rank - 2 - batch_shape.rank)
    static: list[Any] = [*ones, *batch_shape.as_list()]
    shape = tf.shape(tensor)
    shape = tf.concat([shape[:1], tf.cast(static, tf.int32), shape[-1:]], axis=0)
    return random.signs(shape, seed, tensor.dtype)


def _require_trait(posterior: KernelBias, trait: str, estimator: str, meaning: str) -> None:
    for member, distribution in posterior._asdict().items():
        if distribution is not None and trait not in distributions.traits(distribution):
            raise ValueError(
                f"{estimator} needs a posterior of {meaning}. Received {distribution.name!r} for the {member}. "
                "Use estimator='reparameterization', or register the trait "
                f"{trait!r} for it with bayesconv.distributions.element_traits."
            )


def _require_reparameterized(posterior: KernelBias, estimator: str) -> None:
    for member, distribution in posterior._asdict().items():
        if distribution is not None and distribution.reparameterization_type == tfd.NOT_REPARAMETERIZED:
            raise ValueError(
                f"{estimator} differentiates through the draw, so the posterior must be reparameterized. "
                f"Received {distribution.name!r} for the {member}, which is not."
            )

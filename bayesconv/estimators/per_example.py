"""Per example: as many kernels as examples."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv.estimators.base import Draw, Estimate, LinearOp, StochasticPass, register, require_reparameterized
from bayesconv.weights import KernelBias


@register("per_example")
def per_example(linear_op: LinearOp, posterior: KernelBias) -> StochasticPass:
    """An independent kernel for every example: what the other estimators are measured by, and slow.

    `y_n = f(x_n, w_n)`. It draws and keeps N kernels, applies the operator N times, one example after the other, and
    gives `extra_result` a leading axis of N. Use it to check another estimator on a small net, not to train.

    Raises:
      ValueError: If the posterior is not reparameterized; in a call, if a layer that is used several times meets
        other numbers of examples.

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> factory = functools.partial(bc.make_kernel_bias_variational, estimator="per_example")
      >>> layer = bc.Affine(2, 3, make_kernel_bias_fn=factory)
      >>> layer(tf.ones([5, 2])).shape, layer.extra_result.kernel.shape
      (TensorShape([5, 3]), TensorShape([5, 2, 3]))
    """
    require_reparameterized(posterior, "per_example")

    @tf.autograph.experimental.do_not_convert
    def apply_one(example: tuple[tf.Tensor, ...]) -> tf.Tensor:
        inputs, *weights = example
        return tf.squeeze(linear_op(inputs[tf.newaxis], KernelBias(*weights)), axis=0)

    def stochastic_pass(inputs: tf.Tensor, draw: Draw, seed: tf.Tensor) -> Estimate:
        num = tf.shape(inputs)[0] if inputs.shape[0] is None else inputs.shape[0]
        weights = draw(num)
        _check_number(weights.kernel, num)
        examples = (inputs, *(member for member in weights if member is not None))
        return Estimate(tf.map_fn(apply_one, examples, fn_output_signature=inputs.dtype), weights)

    return stochastic_pass


def _check_number(kernels: tf.Tensor, num: Any) -> None:
    message = (
        "per_example draws a kernel for every example at a layer's first use in a call, so all its uses must meet the "
        "same number of examples. Call the layer on equal batches, or use flipout or sliced."
    )
    drawn = kernels.shape[0]
    if isinstance(num, int) and drawn is not None and drawn != num:
        raise ValueError(f"{message} Received {num} examples after {drawn}.")
    tf.debugging.assert_equal(tf.shape(kernels)[0], num, message)

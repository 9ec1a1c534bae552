"""Independent normal weights whose scales are products."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.posteriors.registry import (
    batch_shape,
    check_count,
    location_variable,
    matrix_shape,
    register,
    starting_scale,
)
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

_SPREAD = 0.1  # of the initial log-factors, without which all ranks would stay equal


@register("k_tied_normal")
def k_tied_normal(
    specs: KernelBias, *, rank: int = 2, initial_scale: float | None = None, initial_scale_ratio: float = 0.25
) -> KernelBias:
    """Independent normals with scales of low rank: `scale_ij = sum_k u_ki v_kj` with positive `u` and `v`.

    The kernel is a matrix of its last axis against all others. `rank (rows + columns)` variables stand for the
    `rows x columns` scales of a mean-field normal; what they share makes their gradients less noisy.

    Args:
      specs: What is known of the kernel and the bias.
      rank: Number of terms, at most the number of rows or of columns.
      initial_scale: Initial standard deviation of every weight, within about a tenth.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the rank is not a positive integer, or the initial scale not positive.

    References:
      Swiatkowski et al., The k-tied Normal Distribution, ICML 2020. arXiv:2002.02655

    Example:
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((3, 3, 16, 32), tf.float32, 144, seed=0)
      >>> [v.shape.as_list() for v in k_tied_normal(KernelBias(spec)).kernel.trainable_variables[1:]]
      [[2, 32], [2, 144]]
    """
    check_count("The rank of a k-tied normal", rank)

    def one(spec: WeightSpec) -> Any:
        scale, terms = starting_scale(spec, initial_scale, initial_scale_ratio), min(rank, *matrix_shape(spec))
        seeds = random.split(random.fold_in(random.as_seed(spec.seed), 1))
        rows, columns = (
            _log_factors(f"{spec.name}/untransformed_{axis}_scale", spec, terms, size, scale / terms, seed)
            for axis, size, seed in zip(("row", "column"), matrix_shape(spec), seeds, strict=True)
        )
        product = distributions.derived(lambda u, v: _scales(u, v, spec.shape), rows, columns, shape=spec.shape)
        return distributions.independent(distributions.Normal(location_variable(spec, scale), product))

    return map_kernel_bias(one, specs)


def _log_factors(name: str, spec: WeightSpec, terms: int, size: int, product: float, seed: tf.Tensor) -> tf.Variable:
    shape = (*batch_shape(spec), terms, size)
    spread = _SPREAD * random.normal(shape, seed, spec.dtype) if terms > 1 else tf.zeros(shape, spec.dtype)
    return tf.Variable(0.5 * tf.math.log(tf.cast(product, spec.dtype)) + spread, name=name)


def _scales(rows: tf.Tensor, columns: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    return tf.reshape(tf.matmul(tf.exp(rows), tf.exp(columns), transpose_a=True), shape)

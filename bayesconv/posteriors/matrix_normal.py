"""Normal weights whose rows and columns are correlated."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from bayesconv import distributions
from bayesconv.posteriors.k_tied import k_tied_normal
from bayesconv.posteriors.registry import (
    batch_shape,
    filled,
    location_variable,
    matrix_shape,
    register,
    starting_scale,
)
from bayesconv.registry import unknown_name_message
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

LARGEST = 1024  # a factor then has half a million variables


@register("matrix_normal")
def matrix_normal(
    specs: KernelBias,
    *,
    covariance: str = "full",
    initial_scale: float | None = None,
    initial_scale_ratio: float = 0.25,
) -> KernelBias:
    """Matrix normal: `Cov(W_ij, W_kl) = A_ik B_jl`, with the kernel as the matrix of its last axis against all others.

    A has `taps x C_in` rows and B has `C_out`. With full covariances both have Cholesky factors that are learned, and
    begin as multiples of the identity; weights are then not independent, so flipout does not apply. Diagonal ones
    leave the weights independent, with `scale_ij = a_i b_j`: this is a k-tied normal of rank 1.

    Args:
      specs: What is known of the kernel and the bias.
      covariance: `"full"` or `"diagonal"`.
      initial_scale: Initial standard deviation of every weight.
      initial_scale_ratio: The same relative to `sqrt(2 / fan_in)`, used when `initial_scale` is None.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If a full covariance would have more than 1024 rows, if `covariance` is neither, or if the initial
        scale is not positive.

    References:
      Louizos and Welling, Structured and Efficient Variational Deep Learning with Matrix Gaussian Posteriors, ICML
      2016. arXiv:1603.04733

    Example:
      >>> import bayesconv as bc
      >>> spec = bc.WeightSpec((3, 3, 4, 8), tf.float32, 36, seed=0)
      >>> matrix_normal(KernelBias(spec)).kernel.matrix_shape
      (36, 8)
    """
    if covariance not in ("full", "diagonal"):
        raise ValueError(unknown_name_message("covariance of a matrix normal", covariance, ("full", "diagonal")))
    if covariance == "diagonal":
        return k_tied_normal(specs, rank=1, initial_scale=initial_scale, initial_scale_ratio=initial_scale_ratio)

    def one(spec: WeightSpec) -> Any:
        _check_size(spec)
        scale = starting_scale(spec, initial_scale, initial_scale_ratio)
        num_rows, num_columns = matrix_shape(spec)
        rows, columns = _factor("row", num_rows, scale, spec), _factor("column", num_columns, scale, spec)
        return distributions.MatrixNormal(location_variable(spec, scale), rows, columns, spec.batch_ndims)

    return map_kernel_bias(one, specs)


def _factor(axis: str, size: int, scale: float, spec: WeightSpec) -> distributions.CovarianceFactor:
    shape = batch_shape(spec)
    diagonal = filled((*shape, size), math.sqrt(scale), spec)
    entries = tf.zeros((*shape, size * (size - 1) // 2), spec.dtype)
    return distributions.CovarianceFactor(
        distributions.positive_variable(diagonal, f"{spec.name}/untransformed_{axis}_scale"),
        tf.Variable(entries, name=f"{spec.name}/{axis}_entries") if size > 1 else None,
    )


def _check_size(spec: WeightSpec) -> None:
    if max(matrix_shape(spec)) > LARGEST:
        raise ValueError(
            f"A matrix normal with full covariances has factors of at most {LARGEST} rows. Received `{spec.name}` of "
            f"shape {spec.shape}, a matrix of {' x '.join(map(str, matrix_shape(spec)))}. Use covariance='diagonal', "
            "or posterior='low_rank_normal'."
        )

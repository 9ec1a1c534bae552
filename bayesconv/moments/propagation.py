"""One pass of means and variances through a model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import precision
from bayesconv.examples import at_least
from bayesconv.inputs import dtype_of
from bayesconv.layers import Layer
from bayesconv.moments.options import Options, chosen
from bayesconv.moments.rules import Moments, apply_rule


def propagate(model: Layer, x: Any, *, covariance: str = "tracked", max_pool: str = "larger_mean") -> Moments:
    """Means and variances of a model's outputs over its posterior, in a single pass and without random numbers.

    Exact for one linear layer on inputs that are known; behind it activations count as normal, and as independent but
    for what `covariance` says. Layers behave as at prediction. docs/moments.md has the formulas and what is left out.

    Args:
      model: A layer whose parts all have rules; see `register_moments`.
      x: Inputs `[N, ..]`; N may be unknown.
      covariance: `"tracked"`: what positions of a channel share is kept through averages over positions, and what
        channels share through dense layers. `"ignored"`: all activations count as independent.
      max_pool: `"larger_mean"`: the maximum is the position with the larger mean. `"clark"`: Clark's moments of the
        maximum of independent normals.

    Returns:
      `Moments` of the outputs; half precision is given back in float32. `covariance` is `[N, K, K]` where the last
      layers are dense and K is at most 64, else None.

    Raises:
      TypeError: If a layer or a function has no rule.
      ValueError: If a choice is unknown, or a layer has no moments in a single pass.

    Example:
      >>> import bayesconv as bc
      >>> model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> moments = propagate(model, tf.ones([5, 4]))
      >>> moments.mean.shape, moments.variance.shape
      (TensorShape([5, 3]), TensorShape([5, 3]))

    References:
      Wang et al., Natural-Parameter Networks, NeurIPS 2016. arXiv:1611.00448
      Wu et al., Deterministic Variational Inference for Robust Bayesian Neural Networks, ICLR 2019. arXiv:1810.03958
    """
    options = Options(covariance, max_pool)
    inputs = tf.cast(tf.convert_to_tensor(x), dtype_of(model))
    examples, restored = at_least(inputs, 1)
    with chosen(options):
        outputs = apply_rule(model, Moments(examples))
    variance = tf.zeros_like(outputs.mean) if outputs.variance is None else outputs.variance
    parts = outputs.mean, variance, outputs.covariance
    mean, variance, pairs = (None if part is None else precision.widened(restored(part)) for part in parts)
    return Moments(mean, variance, covariance=pairs)

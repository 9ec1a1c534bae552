"""Closed forms of KL(q || p) for posteriors without a density in the space of weights: of their factors, or none."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.divergences.closed_forms import kl_of_normals

tfd = tfp.distributions


@tfd.RegisterKL(distributions.RankOneKernel, distributions.RankOneFactors)
def _kl_rank_one(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    # The mean over components of the KL of their independent normals. The KL of a mixture is convex in it, and at most
    # log K less.
    return (_kl_of_factor(q.inputs, p) + _kl_of_factor(q.outputs, p)) / q.inputs.loc.shape[0]


def _kl_of_factor(factor: Any, p: Any) -> tf.Tensor:
    scale = tf.convert_to_tensor(factor.scale)
    return kl_of_normals(scale, p.scale, (factor.loc - p.loc) / p.scale, factor.loc.shape)


@tfd.RegisterKL(distributions.PointMass, distributions.Flat)
@tfd.RegisterKL(distributions.FilterwiseDropout, distributions.Flat)
@tfd.RegisterKL(distributions.BatchEnsembleKernel, distributions.Flat)
def _kl_of_fixed_noise(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    return tf.zeros([], q.dtype)  # infinite, but of nothing that is learned

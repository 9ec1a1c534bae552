"""Closed forms of KL(q || p) for posteriors that are not mean-field normal, against independent normals.

All are `KL = -E log p(w) - H[q]`, and `E log p` of a normal needs only the mean and variance of every weight:
`-E log N(w; a, t^2) = 1/2 log 2 pi t^2 + (s^2 + (m - a)^2) / 2t^2`.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions

tfd = tfp.distributions

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)


def cross_entropy(q: Any, normal: Any) -> tf.Tensor:
    """`-E log p(w)` for every element, of any q with a mean and a variance."""
    scale = tf.convert_to_tensor(normal.scale)
    deviation, relative = (q.mean() - normal.loc) / scale, q.stddev() / scale
    return _HALF_LOG_2_PI + tf.math.log(scale) + 0.5 * (tf.square(relative) + tf.square(deviation))


def _kl_of_whole_weights(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    normal = distributions.elementwise(p)
    if not isinstance(normal, tfd.Normal):
        raise NotImplementedError("The cross-entropy is known for normal priors.")
    return tf.reduce_sum(cross_entropy(q, normal)) - q.entropy()


for _q, _p in itertools.product(
    (distributions.LowRankNormal, distributions.MatrixNormal, distributions.Radial), (tfd.Sample, tfd.Independent)
):
    tfd.RegisterKL(_q, _p)(_kl_of_whole_weights)


@tfd.RegisterKL(tfd.Laplace, tfd.Normal)
def _kl_laplace_normal(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    return cross_entropy(q, p) - q.entropy()


@tfd.RegisterKL(tfd.StudentT, tfd.Normal)
def _kl_student_t_normal(q: Any, p: Any, name: str | None = None) -> tf.Tensor:
    df = tf.get_static_value(tf.convert_to_tensor(q.df))
    if df is None or not (df > 2).all():
        raise NotImplementedError("With 2 degrees of freedom or fewer the variance is infinite.")
    return cross_entropy(q, p) - q.entropy()

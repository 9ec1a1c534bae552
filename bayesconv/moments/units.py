"""What the channels of a layer have in common: each is a sum over the same uncertain inputs.

Behind a mean kernel M, channels j and k have the correlation of the columns of M, as far as their deviations come from
the inputs and the inputs deviate alike: `Cov(a_j, a_k) = d_j d_k R_jk`. It is never written out for all channels, but
a dense layer with few outputs takes it along, so that its outputs have the variance of correlated sums.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from bayesconv.layers.shapes import static_sizes

MOST_OUTPUTS = 64  # of a layer that takes covariances along: the work grows with their number


class Units(NamedTuple):
    """Deviations that come from the inputs of a layer.

    Attributes:
      deviation: `[N, .., C]`, standard deviations with a sign.
      alike: `[C, C]`, the correlation of the channels' deviations.
    """

    deviation: Any
    alike: Any


def units_behind(kernel: tf.Tensor, deviation: tf.Tensor) -> Units:
    """The units behind a mean kernel `[C_in, C_out]`, whose inputs cause the deviations `[N, .., C_out]`."""
    columns = tf.math.l2_normalize(kernel, axis=0)
    return Units(deviation, tf.linalg.matmul(columns, columns, transpose_a=True))


def covariance_behind(units: Units, variance: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`[N, K, K]`: covariance of sums over units with a kernel, without what the kernel's own deviations add.

    Args:
      units: What the summands have in common, `[N, C]`.
      variance: `[N, C]`, of the summands.
      kernel: `[C, K]`.
    """
    own = tf.maximum(variance - tf.square(units.deviation), 0.0)
    num_units, num_outputs = static_sizes(kernel)
    paths = units.deviation[:, tf.newaxis] * tf.transpose(kernel)  # [N, K, C]
    alike = tf.linalg.matmul(tf.reshape(paths, [-1, num_units]), units.alike)
    common = tf.linalg.matmul(tf.reshape(alike, [-1, num_outputs, num_units]), paths, transpose_b=True)
    pairs = tf.reshape(kernel[:, :, tf.newaxis] * kernel[:, tf.newaxis], [num_units, num_outputs**2])
    return common + tf.reshape(tf.linalg.matmul(own, pairs), [-1, num_outputs, num_outputs])

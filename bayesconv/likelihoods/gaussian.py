"""Real targets with normal noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import special

from bayesconv.likelihoods.real import check_positive, fixed_scale, real_valued, scale_of_outputs
from bayesconv.likelihoods.registry import Likelihood, register

_LOG_NORMALIZER = 0.5 * math.log(2.0 * math.pi)


@register("normal")
def normal(*, scale: float = 1.0) -> Likelihood:
    """Regression with a known noise level: outputs are the means `[N, T]`, targets real numbers of the same shape.

    Args:
      scale: Standard deviation of the targets' noise, in their unit.

    Raises:
      ValueError: If the scale is not positive.
    """
    scale = check_positive("scale of a normal likelihood", scale)
    return _of_normal("normal", fixed_scale(scale), outputs_per_target=1, options={"scale": scale})


@register("heteroscedastic_normal")
def heteroscedastic_normal(*, beta: float = 0.0, min_scale: float = 1e-4) -> Likelihood:
    """Regression whose noise level depends on the input: outputs are T means and then T log scales, `[N, 2 T]`.

    The standard deviation of the noise is `exp(log scale) + min_scale`, in the unit of the targets; start from targets
    of order 1. The plain likelihood (`beta = 0`) learns the mean of targets that look noisy slowly, since it divides
    their gradients by the variance that it has found. With `beta > 0` training multiplies the term of every target by
    its variance to the power beta, taken as a constant; 0.5 is the paper's advice, and with 1 the gradients of the
    means are those of squared errors. That objective is no likelihood any more, so it is used in training alone:
    whatever is reported is the plain one.

    Args:
      beta: In [0, 1].
      min_scale: What keeps a target that is met exactly from having an infinite density.

    Raises:
      ValueError: If an option is out of its range.

    References:
      Seitzer et al., On the Pitfalls of Heteroscedastic Uncertainty Estimation with Probabilistic Neural Networks, ICLR
      2022. arXiv:2203.09168
    """
    if not 0.0 <= beta <= 1.0:
        raise ValueError(
            f"The `beta` of heteroscedastic_normal must lie in [0, 1]; 0 is the likelihood. Received {beta}."
        )
    min_scale = check_positive("min_scale of heteroscedastic_normal", min_scale)
    return _of_normal(
        "heteroscedastic_normal",
        scale_of_outputs(min_scale),
        outputs_per_target=2,
        options={"beta": beta, "min_scale": min_scale},
        training_power=2.0 * beta,
    )


def _of_normal(name: str, parameters: Any, **options: Any) -> Likelihood:
    return real_valued(
        name,
        parameters,
        lambda z: -0.5 * tf.square(z) - _LOG_NORMALIZER,
        entropy=0.5 + _LOG_NORMALIZER,
        variance=1.0,
        standard=(lambda z: -0.5 * np.square(z) - _LOG_NORMALIZER, special.ndtr, special.ndtri),
        **options,
    )

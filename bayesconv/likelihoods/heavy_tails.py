"""Real targets with outliers."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import special

from bayesconv.likelihoods.real import check_positive, fixed_scale, real_valued, scale_of_outputs
from bayesconv.likelihoods.registry import Likelihood, register


@register("student_t")
def student_t(*, df: float = 4.0, scale: float | None = None, min_scale: float = 1e-4) -> Likelihood:
    """Regression with outliers: Student's t with T locations and then T log scales as outputs, `[N, 2 T]`.

    The scale is `exp(log scale) + min_scale`, or one that is known; it is the distribution's own parameter, and the
    standard deviation is that times `sqrt(df / (df - 2))`, infinite for `df <= 2`.

    Args:
      df: Degrees of freedom; fewer have heavier tails, and with many it is a normal.
      scale: A known scale, in the unit of the targets; the outputs are then the locations alone, `[N, T]`.
      min_scale: What keeps a target that is met exactly from having an infinite density.

    Raises:
      ValueError: If an option is not positive.

    References:
      Lange et al., Robust Statistical Modeling Using the t Distribution, JASA 1989.
    """
    df, min_scale = check_positive("df of student_t", df), check_positive("min_scale of student_t", min_scale)
    known = None if scale is None else check_positive("scale of student_t", scale)
    # log Gamma((df + 1) / 2) - log Gamma(df / 2) - log(pi df) / 2
    log_normalizer = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - 0.5 * math.log(math.pi * df)

    def log_density(z: Any) -> tf.Tensor:
        return log_normalizer - 0.5 * (df + 1) * tf.math.log1p(tf.square(z) / df)

    def of_array(z: Any) -> Any:
        return log_normalizer - 0.5 * (df + 1) * np.log1p(np.square(z) / df)

    entropy = 0.5 * (df + 1) * (special.digamma((df + 1) / 2) - special.digamma(df / 2)) - log_normalizer
    return real_valued(
        "student_t",
        scale_of_outputs(min_scale) if known is None else fixed_scale(known),
        log_density,
        entropy=float(entropy),
        variance=df / (df - 2) if df > 2 else math.inf,
        outputs_per_target=2 if known is None else 1,
        standard=(of_array, functools.partial(special.stdtr, df), functools.partial(special.stdtrit, df)),
        options={"df": df, "scale": known, "min_scale": min_scale},
    )

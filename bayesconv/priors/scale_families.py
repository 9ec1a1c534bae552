"""Priors of one scale: normal, Laplace, Student-t."""

from __future__ import annotations

import math

import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.priors.registry import check_positive, each, number, register
from bayesconv.weights import KernelBias

tfd = tfp.distributions


@register("normal")
def normal(
    specs: KernelBias, *, loc: float = 0.0, scale: float | None = None, variance_factor: float | None = None
) -> KernelBias:
    """Normal with a fixed scale, by default `sqrt(2 / fan_in)`.

    Args:
      specs: What is known of the kernel and the bias.
      loc: Mean.
      scale: Standard deviation.
      variance_factor: The `c` of the standard deviation `sqrt(c / fan_in)`, instead of `scale`; 2 by default.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If both `scale` and `variance_factor` are given, or one is not positive.
    """
    if scale is not None and variance_factor is not None:
        raise ValueError(
            f"Give `scale` or `variance_factor`, not both. Received scale={scale}, variance_factor={variance_factor}."
        )
    factor = 2.0 if variance_factor is None else variance_factor
    check_positive(factor)
    return each(specs, lambda spec, s: distributions.Normal(number(loc, spec), s), scale, None, math.sqrt(factor / 2.0))


@register("laplace")
def laplace(
    specs: KernelBias, *, loc: float = 0.0, scale: float | None = None, stddev: float | None = None
) -> KernelBias:
    """Laplace: heavier tails than a normal and a kink at its mean, which pulls small weights to it.

    Args:
      specs: What is known of the kernel and the bias.
      loc: Mean.
      scale: Scale `b` of the density `exp(-|w - loc| / b) / 2b`.
      stddev: Standard deviation `b sqrt(2)`, instead of `scale`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If both `scale` and `stddev` are given, or one is not positive.
    """
    return each(specs, lambda spec, s: tfd.Laplace(number(loc, spec), s), scale, stddev, math.sqrt(0.5))


@register("student_t")
def student_t(
    specs: KernelBias, *, df: float = 3.0, loc: float = 0.0, scale: float | None = None, stddev: float | None = None
) -> KernelBias:
    """Student's t: polynomial tails, so that a few weights may be large.

    Args:
      specs: What is known of the kernel and the bias.
      df: Degrees of freedom.
      loc: Location.
      scale: Scale parameter.
      stddev: Standard deviation `scale sqrt(df / (df - 2))`, instead of `scale`; needs `df > 2`.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If `df` is not positive, if it gives no standard deviation to set, or as for `laplace`.
    """
    if not df > 0 or (df <= 2 and scale is None):
        raise ValueError(
            "A Student-t prior needs df > 0, and df > 2 unless `scale` is given, since its standard deviation is "
            f"infinite otherwise. Received df={df}, scale={scale}, stddev={stddev}."
        )
    ratio = math.sqrt((df - 2) / df) if df > 2 else math.nan
    return each(specs, lambda spec, s: tfd.StudentT(number(df, spec), number(loc, spec), s), scale, stddev, ratio)

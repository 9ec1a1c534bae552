"""Real targets by quantiles of their distribution, without a family for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.likelihoods import targets
from bayesconv.likelihoods.real import check_positive
from bayesconv.likelihoods.registry import Likelihood, register


@register("quantiles")
def quantiles(*, levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95), scale: float = 1.0) -> Likelihood:
    """Regression of quantiles at L levels by the pinball loss: outputs `[N, L T]`, targets `[N, T]`.

    The outputs of a target are its median and, for every other level, the distance to the level next to it on the way
    to the median, which a softplus makes positive: quantiles never cross. They come level by level, T at a time. The
    log probability of a target y is the mean over the levels p of `log(p (1 - p) / scale) - pinball_p(y - q_p) / scale`
    with `pinball_p(e) = max(p e, (p - 1) e)`: asymmetric Laplace densities, each of which counts 1/L, so that every
    target counts once against the prior. It is a pseudo-likelihood: its maximum is at the quantiles, while how sure the
    posterior is of them hangs on `scale`, best near the mean pinball loss that is reached.

    `mean` of a prediction is the median, averaged over draws. There is no density, hence no entropy and no variance:
    these are NaN.

    Args:
      levels: Increasing, in (0, 1), with 0.5 among them.
      scale: Scale of the Laplace densities, in the unit of the targets.

    Raises:
      ValueError: If the levels are not such, or the scale is not positive.

    References:
      Koenker and Bassett, Regression Quantiles, Econometrica 1978.
      Yu and Moyeed, Bayesian Quantile Regression, Statistics and Probability Letters 2001.
    """
    known, scale = _checked(levels), check_positive("scale of quantiles", scale)
    num, middle = len(known), known.index(0.5)

    def ordered(outputs: Any) -> Any:
        """Quantiles `[.., T, L]`."""
        outputs = tf.convert_to_tensor(outputs)
        split: Any = tf.stack(tf.split(outputs, num, axis=-1), axis=-1)
        gaps: Any = tf.math.softplus(split)
        median = split[..., middle : middle + 1]
        below = median - tf.cumsum(gaps[..., :middle], axis=-1, reverse=True)
        return tf.concat([below, median, median + tf.cumsum(gaps[..., middle + 1 :], axis=-1)], axis=-1)

    def log_prob(outputs: Any, values: Any) -> tf.Tensor:
        found = ordered(outputs)
        error = tf.expand_dims(targets.like(values, found[..., 0]), axis=-1) - found
        at = tf.constant(known, error.dtype)
        terms = tf.math.log(at * (1.0 - at) / scale) - tf.maximum(at * error, (at - 1.0) * error) / scale
        return tf.reduce_sum(tf.reduce_mean(terms, axis=-1), axis=-1)

    def unknown(outputs: Any) -> tf.Tensor:
        return tf.fill(tf.shape(outputs)[:-1], tf.constant(math.nan, tf.convert_to_tensor(outputs).dtype))

    def quantile(outputs: Any, level: float) -> Any:
        nearest = int(np.argmin(np.abs(np.subtract(known, level))))
        if abs(known[nearest] - level) > 1e-9:
            central = [float(f"{1 - 2 * p:g}") for p in known if p < 0.5 and np.isclose(1 - p, known).any()]
            raise ValueError(
                f"The quantiles likelihood knows the levels {list(known)}. Received {level:g}: train with `levels` that"
                f" hold it, or ask for a central interval of {' or '.join(map(str, central)) or 'none'}."
            )
        return ordered(np.asarray(outputs, np.float64)).numpy()[..., nearest]

    def check_targets(values: np.ndarray, output_shape: tuple[int, ...]) -> None:
        num_targets = targets.check_share("quantiles", output_shape[-1], num)
        targets.check_size(values, "quantiles", num_targets, output_shape[-1])
        targets.check_real(values, "quantiles")

    return Likelihood(
        "quantiles",
        log_prob,
        lambda outputs: ordered(outputs)[..., middle],
        unknown,
        task="regression",
        num_outputs=lambda num_targets: num * num_targets,
        check_targets=check_targets,
        quantile=quantile,
        options=(("levels", known), ("scale", scale)),
    )


def _checked(levels: Sequence[float]) -> tuple[float, ...]:
    known = tuple(float(level) for level in levels)
    if 0.5 not in known or list(known) != sorted(set(known)) or not (known[0] > 0 and known[-1] < 1):
        raise ValueError(
            "The `levels` of quantiles increase, lie in (0, 1) and have 0.5 among them, such as [0.05, 0.5, 0.95]. "
            f"Received {list(known)}."
        )
    return known

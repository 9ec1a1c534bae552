"""Confidence against accuracy, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bayesconv.metrics import ReliabilityCurve, expected_calibration_error, reliability_curve
from bayesconv.metrics.bins import equal_width_bins
from bayesconv.plotting.calibration import reliability_diagram

Array = npt.NDArray[Any]
_QUANTILE = 1.96  # of a standard normal: 95 % lie within as many standard deviations


def pixel_reliability_diagram(
    probs: npt.ArrayLike,
    labels: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    num_bins: int = 15,
    ignored_label: int | None = None,
    label: str | None = None,
) -> Axes:
    """`reliability_diagram` over all pixels, with a band that takes images for independent, not pixels.

    The errors of neighbouring pixels go together, so that a band as if each were drawn by itself would be far too
    narrow, and call every model miscalibrated. Here the error of a bin is a sum over images, whose squares give its
    variance; the band is 1.96 standard errors on either side, and at least that of independent pixels.

    Args:
      probs: `[N, H, W, K]`, sums to one along the last axis.
      labels: `[N, H, W]` integers in `[0, K)` or `ignored_label`.
      ax: Axes to draw on, or None for a new figure.
      num_bins: Number of equal-width bins on [0, 1].
      ignored_label: A label of pixels that are left out.
      label: Name of the model, for the title.

    Returns:
      The axes.

    Raises:
      ValueError: If shapes do not fit together, `probs` are no distributions, a label is out of range, or no pixel is
        left.

    Example:
      >>> probs = np.full([4, 8, 8, 2], 0.5)
      >>> pixel_reliability_diagram(probs, np.arange(256).reshape(4, 8, 8) % 2).get_title(loc="left")
      'ECE 0.000'

    References:
      Liang and Zeger, Longitudinal data analysis using generalized linear models, Biometrika 1986.
    """
    p, y = np.asarray(probs, np.float64), np.asarray(labels)
    if p.ndim != 4 or p.shape[:3] != y.shape:
        raise ValueError(
            f"`probs` must be [N, H, W, K] for `labels` [N, H, W]. Received shapes {list(p.shape)} and {list(y.shape)}."
        )
    counted = np.ones(y.shape, bool) if ignored_label is None else y != ignored_label
    image, p, y = np.nonzero(counted)[0], p[counted], y[counted]
    curve = curve_of_pixels(p, y, image, num_bins=num_bins)
    ax = reliability_diagram(curve, ax, ece=expected_calibration_error(p, y, num_bins=num_bins), label=label)
    for text in ax.child_axes[-1].texts:
        text.set_text(f"{len(y):,} pixels")
    return ax


def curve_of_pixels(
    probs: npt.ArrayLike, labels: npt.ArrayLike, image: npt.ArrayLike, *, num_bins: int = 15
) -> ReliabilityCurve:
    """`reliability_curve` with the band of a calibrated model whose errors are independent from image to image only.

    Args:
      probs: `[M, K]`, of M pixels.
      labels: `[M]` integers in `[0, K)`.
      image: `[M]` integers from 0, which image a pixel is of.
      num_bins: Number of equal-width bins on [0, 1].

    Raises:
      ValueError: If `probs` are no distributions, or a label is out of range.
    """
    curve, p, number = reliability_curve(probs, labels, num_bins=num_bins), np.asarray(probs), np.asarray(image)
    confidence, is_right = p.max(axis=1), p.argmax(axis=1) == np.asarray(labels)
    cell = number * num_bins + equal_width_bins(confidence, num_bins)
    gaps = np.bincount(cell, weights=is_right - confidence, minlength=(number.max() + 1) * num_bins)
    error = np.sqrt((gaps.reshape(-1, num_bins) ** 2).sum(axis=0)) / np.maximum(curve.count, 1)
    lower, upper = (np.clip(curve.confidence + sign * _QUANTILE * error, 0.0, 1.0) for sign in (-1, 1))
    # A few pixels say too little of their variance: the band of independent pixels is the least it can be.
    return curve._replace(lower=np.minimum(lower, curve.lower), upper=np.maximum(upper, curve.upper))

"""Classes of pixels: intersection over union, and every metric of class probabilities pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.checks import Floats, Integers, check_at_least

Metric = Callable[[npt.ArrayLike, npt.ArrayLike], float]


def confusion_matrix(
    predictions: npt.ArrayLike, labels: npt.ArrayLike, *, num_classes: int, ignored_label: int | None = None
) -> Integers:
    """How often label i is predicted as class j, `[K, K]`. Those of two data sets add up to that of both.

    Args:
      predictions: `[N, H, W]`, or any shape, integers in `[0, K)`.
      labels: The same shape, integers in `[0, K)` or `ignored_label`.
      num_classes: K.
      ignored_label: A label whose pixels are left out, 255 in many data sets.

    Raises:
      ValueError: If the shapes differ, or a class is no integer or out of range.

    Example:
      >>> confusion_matrix([0, 1, 1, 1], [0, 0, 1, 255], num_classes=2, ignored_label=255)
      array([[1, 1],
             [0, 1]])
    """
    check_at_least("num_classes", num_classes, 2)
    found, true = np.asarray(predictions), np.asarray(labels)
    if found.shape != true.shape:
        raise ValueError(
            f"`predictions` and `labels` must have one shape. Received {list(found.shape)} and {list(true.shape)}; "
            "turn probabilities into classes with probs.argmax(-1)."
        )
    counted = true != ignored_label if ignored_label is not None else np.ones(true.shape, bool)
    found, true = found[counted], true[counted]
    for name, classes in (("predictions", found), ("labels", true)):
        _check_classes(name, classes, num_classes)
    cells = true.astype(np.int64) * num_classes + found.astype(np.int64)  # K^2 - 1 is more than a uint8 holds
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def intersection_over_union(confusion: npt.ArrayLike) -> Floats:
    """IoU of each class, hits / (hits + misses + false alarms), `[K, K]` to `[K]`; NaN if a class never occurs.

    It is of all pixels together. A mean of the IoU of single images or batches is another, larger or smaller, number.

    Args:
      confusion: `[K, K]` from `confusion_matrix`, or several of them added up.

    Raises:
      ValueError: If it is no square matrix of counts.

    Example:
      >>> intersection_over_union([[1, 1, 0], [0, 1, 0], [0, 0, 0]])
      array([0.5, 0.5, nan])

    References:
      Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective, IJCV 2015.
    """
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size or counts.min() < 0:
        raise ValueError(f"`confusion` must be counts [K, K]. Received shape {list(counts.shape)}.")
    hits = np.diagonal(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hits
    return hits / np.where(union > 0, union, np.nan)


def mean_intersection_over_union(confusion: npt.ArrayLike) -> float:
    """mIoU: the mean over the classes that occur, in [0, 1]; 1 is best.

    Args:
      confusion: `[K, K]` from `confusion_matrix`, or several of them added up.

    Raises:
      ValueError: If it is no square matrix of counts, or all of them are 0.

    Example:
      >>> mean_intersection_over_union([[2, 1], [0, 1]])
      0.5833333333333333
    """
    values = intersection_over_union(confusion)
    if np.isnan(values).all():
        raise ValueError("`confusion` must count one pixel or more. Received zeros only; is every label ignored?")
    return float(np.nanmean(values))


def pixelwise(metric: Metric, *, ignored_label: int | None = None) -> Metric:
    """A metric of `probs` `[N, K]` and `labels` `[N]` as one of `[N, H, W, K]` and `[N, H, W]`, over all pixels.

    The images stay the first axis of what it takes, so that `bootstrap` draws images. Drawing pixels instead would give
    intervals that are far too narrow, since those of one image are alike.

    Args:
      metric: Such as `expected_calibration_error`; `functools.partial` binds its options.
      ignored_label: A label whose pixels are left out.

    Raises:
      ValueError: When called, if labels are not of the shape of `probs` without its last axis, or none are left.

    Example:
      >>> from bayesconv.metrics import accuracy
      >>> pixelwise(accuracy, ignored_label=255)([[[[0.9, 0.1], [0.9, 0.1]]]], [[[0, 255]]])
      1.0
    """

    def over_pixels(probs: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        p, y = np.asarray(probs), np.asarray(labels)
        if p.ndim < 2 or p.shape[:-1] != y.shape:
            raise ValueError(
                "`probs` must be [N, H, W, K] for `labels` [N, H, W]. "
                f"Received shapes {list(p.shape)} and {list(y.shape)}."
            )
        counted = y != ignored_label if ignored_label is not None else np.ones(y.shape, bool)
        return metric(p[counted], y[counted])

    return over_pixels


def _check_classes(name: str, classes: npt.NDArray, num_classes: int) -> None:
    if not np.issubdtype(classes.dtype, np.integer):
        raise ValueError(f"`{name}` must be integers. Received dtype {classes.dtype}.")
    if classes.size and (classes.min() < 0 or classes.max() >= num_classes):
        raise ValueError(
            f"`{name}` must lie in [0, {num_classes}). Received values from {classes.min()} to {classes.max()}; "
            "is there a label to ignore?"
        )

"""Bootstrap intervals of figures of pixels: images are drawn again, since the pixels of one image are alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from bayesconv.evaluation.intervals import resampled
from bayesconv.metrics.bins import equal_width_bins
from bayesconv.metrics.checks import Floats
from bayesconv.metrics.resampling import Figures
from bayesconv.metrics.scores import SMALLEST_PROBABILITY

_BINS = 15  # of the ECE
_RANKS = 2000  # of an uncertainty, at most: an AUROC is known to a 2,000th


def pixel_intervals(
    confusions: Any,
    probs: Any,
    labels: Any,
    images: Any,
    uncertainties: Mapping[str, Any],
    *,
    class_names: list[str],
    num_resamples: int,
    found_by: Sequence[str] = (),
) -> dict[str, Any]:
    """Ends of every figure that is made of sums over images; that of the ECE is a basic interval, cut off at 0.

    Args:
      confusions: Of each image, `[N, K, K]`.
      probs: Of the M pixels that count, `[M, K]`.
      labels: Their classes, `[M]`.
      images: The number of the image that each is of, `[M]`, below N.
      uncertainties: `[M]`, by name.
      class_names: K strings.
      num_resamples: How often to draw the images again; 0 gives none.
      found_by: The uncertainties by which wrong pixels are told from right ones, for `error_auroc`.
    """
    if not num_resamples or len(confusions) < 2:
        return {}
    num, is_wrong = len(confusions), probs.argmax(axis=1) != labels
    ranked = {name: _auroc(uncertainties[name], is_wrong, images, num) for name in found_by}
    sums = sums_by_image({**pixel_scores(probs, labels), **uncertainties}, images, num)
    figures = _figures(np.asarray(confusions, np.float64), sums, gaps_by_image(probs, labels, images, num))

    def with_ranks(counts: Floats) -> dict[str, Floats]:
        return {**figures(counts), **{_auroc_by(name): auroc(counts) for name, auroc in ranked.items()}}

    found = resampled(with_ranks, num, num_resamples, basic={"ece": 0.0})
    of_classes = {name: found.pop(_iou(k)) for k, name in enumerate(class_names)}
    of_errors = {name: found.pop(_auroc_by(name)) for name in found_by}
    return {**found, "iou": of_classes, "error_auroc": of_errors}


def _iou(k: int) -> str:
    return f"iou of class {k}"


def _auroc_by(name: str) -> str:
    return f"error_auroc by {name}"


def _auroc(values: Any, is_wrong: Any, images: Any, num_images: int) -> Callable[[Floats], Floats]:
    """How well values of pixels tell the wrong ones from the right; those in one of 2,000 bins count as equal."""
    known, bins = np.unique(values, return_inverse=True)
    if len(known) > _RANKS:
        edges = np.unique(np.quantile(values, np.arange(1, _RANKS) / _RANKS))
        bins = np.searchsorted(edges, values, side="right")
    shape = (int(bins.max()) + 1, num_images)
    right, wrong = (
        sparse.csr_array((np.ones(chosen.sum()), (bins[chosen], images[chosen])), shape=shape)
        for chosen in (~is_wrong, is_wrong)
    )

    def auroc(counts: Floats) -> Floats:
        familiar, errors = ((into @ counts.T).T for into in (right, wrong))
        below = familiar.cumsum(axis=1) - familiar
        pairs = familiar.sum(axis=1) * errors.sum(axis=1)
        return (errors * (below + familiar / 2)).sum(axis=1) / np.where(pairs > 0, pairs, np.nan)

    return auroc


def _figures(confusions: Floats, sums: Mapping[str, Floats], gaps: Floats) -> Figures:
    num_classes = confusions.shape[-1]

    def figures(counts: Floats) -> dict[str, Floats]:
        confusion = np.tensordot(counts, confusions, axes=1)
        hits = np.diagonal(confusion, axis1=1, axis2=2)
        found = figures_of_sums(hits, confusion.sum(axis=1), confusion.sum(axis=2), counts @ gaps)
        pixels = some(confusion.sum(axis=(1, 2)))
        overlap = found.pop("iou")
        means = {name: counts @ values / pixels for name, values in sums.items()}
        return {**found, **means, **{_iou(k): overlap[:, k] for k in range(num_classes)}}

    return figures


def figures_of_sums(hits: Floats, predicted: Floats, labelled: Floats, gaps: Floats) -> dict[str, Floats]:
    """Accuracy, IoU `[B, K]`, their mean and the ECE of B sets of pixels, NaN of a set without any.

    Args:
      hits: Pixels of each class that were predicted as such, `[B, K]`.
      predicted: Pixels predicted as each class, `[B, K]`.
      labelled: Pixels of each class, `[B, K]`.
      gaps: Hits less confidences in each bin, `[B, bins]`.
    """
    pixels, union = some(labelled.sum(axis=1)), predicted + labelled - hits
    overlap = hits / some(union)
    return {
        "accuracy": hits.sum(axis=1) / pixels,
        "iou": overlap,
        "mean_iou": np.nansum(overlap, axis=1) / np.where(pixels > 0, (union > 0).sum(axis=1), np.nan),
        "ece": np.abs(gaps).sum(axis=1) / pixels,
    }


def some(counts: Floats) -> Floats:
    """NaN for none: every image of a resample may have ignored pixels only."""
    return np.where(counts > 0, counts, np.nan)


def sums_by_image(values: Mapping[str, Any], images: Any, num_images: int) -> dict[str, Floats]:
    """What values of M pixels sum to in each image, `[N]`, by name."""
    return {
        name: np.bincount(images, weights=of_pixels, minlength=num_images).astype(np.float64)
        for name, of_pixels in values.items()
    }


def pixel_scores(probs: Any, labels: Any) -> dict[str, Any]:
    """The NLL and the Brier score of each pixel, `[M]`."""
    of_label = probs[np.arange(len(labels)), labels].astype(np.float64)
    rest = np.square(probs, dtype=np.float64).sum(axis=1)
    return {
        "nll": -np.log(np.maximum(of_label, SMALLEST_PROBABILITY)),
        "brier": rest - 2 * of_label + 1,  # sum_k (p_k - 1[k = y])^2
    }


def gaps_by_image(probs: Any, labels: Any, images: Any, num_images: int) -> Any:
    """Hits less confidences, summed by image and bin, `[N, bins]`."""
    confidence = probs.max(axis=1).astype(np.float64)
    cells = images * _BINS + equal_width_bins(confidence, _BINS)
    hits = probs.argmax(axis=1) == labels
    sums = np.bincount(cells, weights=hits - confidence, minlength=num_images * _BINS)
    return sums.reshape(num_images, _BINS)

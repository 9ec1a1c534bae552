"""Conformal prediction: sets and intervals that hold the truth with a stated probability, whatever the model.

The guarantee is over n held-out calibration examples and the test example together, all exchangeable: the set misses
the label with a probability of at most `miscoverage`. With the calibration data fixed, the coverage of new examples is
a Beta(k, n + 1 - k) variable, k = ceil((n + 1) (1 - miscoverage)), where no two scores are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bayesconv.metrics.checks import (
    Floats,
    check_fraction,
    check_labelled,
    check_labels,
    check_probs,
    check_scores,
    check_values,
)

ClassScores = Callable[[Floats, Floats], Floats]


class ConformalSets(NamedTuple):
    """What `conformal_sets` fits: a class is in the set if its score is at most `threshold`."""

    threshold: float  # inf if there are too few calibration examples: every class is in every set
    class_scores: ClassScores
    seed: int | None

    def __call__(self, probs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """The set of each row of `probs`, `[N, K]` to booleans `[N, K]`.

        Raises:
          ValueError: If the shape is another one or a row is no distribution.
        """
        p = check_probs(probs)
        return self.class_scores(p, _uniforms(len(p), self.seed, 1)) <= self.threshold


def threshold_scores(probs: Floats, uniforms: Floats) -> Floats:
    """THR: 1 - p_k. The smallest sets on average, and uneven: hard examples may get none.

    Args:
      probs: `[N, K]`, rows sum to one.
      uniforms: `[N]`, which this score has no use for.

    Example:
      >>> threshold_scores(np.array([[0.75, 0.25]]), np.ones(1))
      array([[0.25, 0.75]])

    References:
      Sadinle et al., Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 2019. arXiv:1609.00451
    """
    return 1 - probs


def adaptive_scores(probs: Floats, uniforms: Floats) -> Floats:
    """APS: the probability of all the classes before k, most probable first, and the share `uniforms` of p_k.

    Sets grow with the difficulty of the example, so that coverage is more even.

    Args:
      probs: `[N, K]`, rows sum to one.
      uniforms: `[N]` in [0, 1]; 1 counts the class whole and draws nothing.

    Example:
      >>> adaptive_scores(np.array([[0.25, 0.75]]), np.ones(1))
      array([[1.  , 0.75]])

    References:
      Romano et al., Classification with Valid and Adaptive Coverage, NeurIPS 2020. arXiv:2006.02544
    """
    return regularized_adaptive_scores(probs, uniforms, penalty=0.0, num_free=0)


def regularized_adaptive_scores(probs: Floats, uniforms: Floats, *, penalty: float = 0.1, num_free: int = 2) -> Floats:
    """RAPS: the score of APS and `penalty` for each rank beyond the first `num_free`, against long tails of classes.

    Args:
      probs: `[N, K]`, rows sum to one.
      uniforms: `[N]` in [0, 1]; 1 counts the class whole and draws nothing.
      penalty: Summand for every rank, not negative; 0 is APS.
      num_free: How many classes a set may hold before that.

    Raises:
      ValueError: If `penalty` or `num_free` is negative.

    Example:
      >>> regularized_adaptive_scores(np.array([[0.25, 0.75]]), np.ones(1), penalty=0.5, num_free=1)
      array([[1.5 , 0.75]])

    References:
      Angelopoulos et al., Uncertainty Sets for Image Classifiers using Conformal Prediction, ICLR 2021.
      arXiv:2009.14193
    """
    if penalty < 0 or num_free < 0:
        raise ValueError(
            f"`penalty` and `num_free` must not be negative. Received penalty={penalty}, num_free={num_free}."
        )
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1)
    before = ranked.cumsum(axis=1) - ranked
    beyond = np.maximum(np.arange(1, probs.shape[1] + 1) - num_free, 0)
    scores = np.empty_like(probs)
    np.put_along_axis(scores, order, before + uniforms[:, None] * ranked + penalty * beyond, axis=1)
    return scores


def conformal_sets(
    probs_val: npt.ArrayLike,
    labels_val: npt.ArrayLike,
    *,
    miscoverage: float = 0.1,
    class_scores: ClassScores = threshold_scores,
    seed: int | None = None,
) -> ConformalSets:
    """Fits sets of classes that hold the label of a new example with a probability of at least 1 - `miscoverage`.

    Args:
      probs_val: `[n, K]`, rows sum to one, of data that the model was not trained, tuned or recalibrated on.
      labels_val: `[n]` integers in `[0, K)`.
      miscoverage: Share of the labels that may be missed; below 1 / (n + 1) every set holds every class.
      class_scores: `threshold_scores`, `adaptive_scores`, `regularized_adaptive_scores`, its options bound by
        `functools.partial`, or any function of `probs` and `uniforms` that is low for fitting classes.
      seed: With a seed the scores of APS and RAPS are drawn: smaller sets, of which some may be empty. Without one
        each probability counts whole, nothing is drawn, and the guarantee is the same.

    Returns:
      A callable from `probs` to sets.

    Raises:
      ValueError: If the shapes do not match, a row is no distribution, or a label or `miscoverage` is out of range.

    Example:
      >>> sets = conformal_sets([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3]], [0, 0, 0], miscoverage=0.25)
      >>> sets([[0.7, 0.3], [0.5, 0.5]])
      array([[ True, False],
             [False, False]])
    """
    p, y = check_labelled(probs_val, labels_val)
    scores = class_scores(p, _uniforms(len(p), seed, 0))[np.arange(len(y)), y]
    return ConformalSets(conformal_quantile(scores, miscoverage), class_scores, seed)


def conformal_quantile(scores: npt.ArrayLike, miscoverage: float) -> float:
    """The ceil((n + 1) (1 - miscoverage))-th smallest of n scores, or inf if there are fewer.

    No quantile function that interpolates gives it, and without the + 1 coverage falls short.

    Args:
      scores: `[n]` of calibration data, higher where prediction and truth differ more.
      miscoverage: Chance that the score of a new example may exceed it.

    Raises:
      ValueError: If a score is not finite or `miscoverage` is no share.

    Example:
      >>> conformal_quantile([0.1, 0.4, 0.2, 0.3], 0.25), conformal_quantile([0.1, 0.4], 0.1)
      (0.4, inf)

    References:
      Vovk et al., Algorithmic Learning in a Random World, 2005; Angelopoulos and Bates, A Gentle Introduction to
      Conformal Prediction, 2021, arXiv:2107.07511.
    """
    s = np.sort(check_scores("scores", scores))
    num_missed = int(np.floor(check_fraction("miscoverage", miscoverage) * (len(s) + 1) + 1e-9))
    return float(s[len(s) - num_missed]) if num_missed else float("inf")


def conformal_margin(
    lower_val: npt.ArrayLike, upper_val: npt.ArrayLike, targets_val: npt.ArrayLike, *, miscoverage: float = 0.1
) -> float:
    """CQR: by how much to move both ends of predicted intervals outwards, so that they hold a new target.

    [lower - margin, upper + margin] does so with a probability of at least 1 - `miscoverage`. A negative margin makes
    intervals narrower that were too wide; an end may then pass the other, which is an empty interval.

    Args:
      lower_val: `[n]`, a low quantile as predicted for data that the model was not trained on.
      upper_val: `[n]`, a high quantile.
      targets_val: `[n]`.
      miscoverage: Share of the targets that may be missed; below 1 / (n + 1) the margin is infinite.

    Raises:
      ValueError: If the shapes differ, a number is not finite, or `miscoverage` is no share.

    Example:
      >>> conformal_margin([0.0] * 3, [1.0] * 3, [0.5, 1.25, -0.5], miscoverage=0.25)
      0.5

    References:
      Romano et al., Conformalized Quantile Regression, NeurIPS 2019. arXiv:1905.03222
    """
    y = check_scores("targets_val", targets_val)
    low, high = check_values("lower_val", lower_val, y.shape), check_values("upper_val", upper_val, y.shape)
    return conformal_quantile(np.maximum(low - y, y - high), miscoverage)


def set_coverage(sets: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Share of the examples whose label is in their set.

    Args:
      sets: `[N, K]` booleans.
      labels: `[N]` integers in `[0, K)`.

    Raises:
      ValueError: If `sets` are no booleans, the shapes do not match, or a label is out of range.

    Example:
      >>> set_coverage([[True, False], [True, True]], [1, 1])
      0.5
    """
    held = _check_sets(sets)
    y = check_labels(labels, *held.shape)
    return float(held[np.arange(len(y)), y].mean())


def mean_set_size(sets: npt.ArrayLike) -> float:
    """Mean number of classes in a set: the fewer the more is said, at equal coverage.

    Args:
      sets: `[N, K]` booleans.

    Raises:
      ValueError: If `sets` are no booleans `[N, K]`.

    Example:
      >>> mean_set_size([[True, False], [True, True]])
      1.5
    """
    return float(_check_sets(sets).sum(axis=1).mean())


def _uniforms(num: int, seed: int | None, stream: int) -> Floats:
    # Streams of their own for calibration and for prediction: with common numbers the two would not be exchangeable.
    return np.ones(num) if seed is None else np.random.default_rng([seed, stream]).random(num)


def _check_sets(sets: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    held = np.asarray(sets)
    if held.ndim != 2 or not held.size or held.dtype != np.bool_:
        raise ValueError(
            f"`sets` must be booleans [N, K], not empty. Received shape {list(held.shape)} of {held.dtype}."
        )
    return held

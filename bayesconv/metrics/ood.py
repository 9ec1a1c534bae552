"""How well an uncertainty tells strange inputs from familiar ones, and the seven uncertainties that are customary."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, softmax

from bayesconv.metrics.checks import Floats, Integers, check_fraction, check_logits, check_scores
from bayesconv.metrics.uncertainty import (
    expected_entropy,
    mutual_information,
    predictive_entropy,
    top_class_stddev,
    variation_ratio,
)

Side = Literal["in", "out"]


class OodReport(NamedTuple):
    """How one score separates two sets."""

    auroc: float  # 1/2 is chance, below it the score points the wrong way
    aupr_in: float  # chance is N / (N + M)
    aupr_out: float  # chance is M / (N + M)
    fpr95: float  # share of strange inputs among what passes when 95 % of the familiar ones pass; 0 is best


def ood_scores(sample_logits: npt.ArrayLike) -> dict[str, Floats]:
    """Seven uncertainties of each example, all turned such that a higher one means more out of distribution.

    `max_probability` is 1 - max_k p_k of the average p, `energy` is -logsumexp of the average logits, the others are
    the functions of that name. `mutual_information`, `variation_ratio` and `top_class_stddev` are 0 for whatever a
    single sample says: with S = 1 they are left out, lest an AUROC of 1/2 be taken for a finding.

    Args:
      sample_logits: `[S, N, K]` for weight samples, or `[N, K]` for S = 1.

    Returns:
      A score `[N]` under each name; entropies in nats.

    Raises:
      ValueError: If the shape is another one or a logit is not finite.

    Example:
      >>> {name: score.round(2).tolist() for name, score in ood_scores([[3.0, 0.0], [0.0, 0.0]]).items()}
      ... # doctest: +NORMALIZE_WHITESPACE
      {'max_probability': [0.05, 0.5], 'predictive_entropy': [0.19, 0.69], 'expected_entropy': [0.19, 0.69],
       'energy': [-3.05, -0.69]}

    References:
      Hendrycks and Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution Examples, ICLR 2017,
      arXiv:1610.02136; Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020, arXiv:2010.03759.
    """
    logits = check_logits("sample_logits", sample_logits)
    samples = softmax(logits, axis=-1)
    mean = samples.mean(axis=0)
    scores = {
        "max_probability": 1 - mean.max(axis=1),
        "predictive_entropy": predictive_entropy(mean),
        "expected_entropy": expected_entropy(samples),
        "energy": -logsumexp(logits.mean(axis=0), axis=1),
    }
    if len(samples) > 1:
        for function in (mutual_information, variation_ratio, top_class_stddev):
            scores[function.__name__] = function(samples)
    return scores


def ood_auroc(in_scores: npt.ArrayLike, out_scores: npt.ArrayLike) -> float:
    """Chance that a random out-of-distribution score exceeds a random in-distribution one; ties count half.

    Args:
      in_scores: `[N]`, any scale; higher means more out of distribution, as entropies do.
      out_scores: `[M]`, likewise.

    Raises:
      ValueError: If either is empty, not a vector or not finite.

    Example:
      >>> round(ood_auroc([0.1, 0.2, 0.3], [0.3, 0.9]), 4)
      0.9167
    """
    from sklearn.metrics import roc_auc_score  # most of a second to import, and only this function needs it

    familiar, strange = _both(in_scores, out_scores)
    return float(roc_auc_score(*_labelled(familiar, strange)))


def ood_aupr(in_scores: npt.ArrayLike, out_scores: npt.ArrayLike, *, positive: Side = "out") -> float:
    """Average precision at finding one of the two sets; chance gives that set's share of all examples.

    Args:
      in_scores: `[N]`, any scale; higher means more out of distribution.
      out_scores: `[M]`, likewise.
      positive: "out" for finding strange inputs by high scores, "in" for finding familiar ones by low scores. The two
        differ, and both depend on N / M: compare at equal sizes.

    Raises:
      ValueError: If either is empty, not a vector or not finite, or `positive` is another word.

    Example:
      >>> round(ood_aupr([0.1, 0.2, 0.3], [0.3, 0.9]), 4)
      0.8333
    """
    from sklearn.metrics import average_precision_score

    familiar, strange = _both(in_scores, out_scores)
    if check_side(positive) == "in":
        familiar, strange = -strange, -familiar
    return float(average_precision_score(*_labelled(familiar, strange)))


def ood_fpr(in_scores: npt.ArrayLike, out_scores: npt.ArrayLike, *, tpr: float = 0.95, positive: Side = "in") -> float:
    """False positive rate at the strictest threshold with a true positive rate of at least `tpr`; 0 is best.

    Args:
      in_scores: `[N]`, any scale; higher means more out of distribution.
      out_scores: `[M]`, likewise.
      tpr: Share of the positive set that must be found.
      positive: "in", as in the literature: the share of strange inputs that pass when 95 % of the familiar ones pass.
        "out": the share of familiar inputs that are flagged when 95 % of the strange ones are.

    Raises:
      ValueError: If either is empty, not a vector or not finite, `tpr` is no share, or `positive` is another word.

    Example:
      >>> ood_fpr([0.1, 0.2, 0.3, 0.4], [0.3, 0.35, 0.9, 0.8], tpr=0.75)
      0.25

    References:
      Liang et al., Enhancing the Reliability of Out-of-distribution Image Detection, ICLR 2018. arXiv:1706.02690
    """
    familiar, strange = _both(in_scores, out_scores)
    if check_side(positive) == "out":
        familiar, strange = -strange, -familiar
    num_found = int(np.ceil(check_fraction("tpr", tpr) * len(familiar) - 1e-9))  # 0.95 * 20 may exceed 19 by rounding
    return float(np.mean(strange <= np.sort(familiar)[num_found - 1]))


def ood_report(in_scores: npt.ArrayLike, out_scores: npt.ArrayLike) -> OodReport:
    """AUROC, both AUPR and FPR95 of one score.

    Args:
      in_scores: `[N]`, any scale; higher means more out of distribution.
      out_scores: `[M]`, likewise.

    Raises:
      ValueError: If either is empty, not a vector or not finite.

    Example:
      >>> ood_report([0.1, 0.2], [0.3, 0.4])
      OodReport(auroc=1.0, aupr_in=1.0, aupr_out=1.0, fpr95=0.0)
    """
    return OodReport(
        ood_auroc(in_scores, out_scores),
        ood_aupr(in_scores, out_scores, positive="in"),
        ood_aupr(in_scores, out_scores, positive="out"),
        ood_fpr(in_scores, out_scores),
    )


def _both(in_scores: npt.ArrayLike, out_scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    return check_scores("in_scores", in_scores), check_scores("out_scores", out_scores)


def _labelled(familiar: Floats, strange: Floats) -> tuple[Integers, Floats]:
    return np.repeat([0, 1], [len(familiar), len(strange)]), np.concatenate([familiar, strange])


def check_side(positive: str) -> str:
    """`positive` if it names one of the two sets."""
    if positive not in ("in", "out"):
        raise ValueError(f"`positive` must be 'in' or 'out', the set that is to be found. Received {positive!r}.")
    return positive

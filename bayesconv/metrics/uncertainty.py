"""Total uncertainty and its two parts, in nats, and how well an uncertainty tells strange inputs from familiar ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from bayesconv.metrics.checks import Floats, check_probs, check_scores


def predictive_entropy(probs: npt.ArrayLike) -> Floats:
    """H[p] of each row of `probs`, `[N, K]` to `[N]`, in [0, log K] nats: the total uncertainty.

    Raises:
      ValueError: If the shape is another one or a row is no distribution.

    Example:
      >>> predictive_entropy([[0.5, 0.5], [1.0, 0.0]]).round(4)
      array([0.6931, 0.    ])
    """
    return entr(check_probs(probs)).sum(axis=-1)


def expected_entropy(sample_probs: npt.ArrayLike) -> Floats:
    """Mean over weight samples of H[p_s], `[S, N, K]` to `[N]`, in nats: the aleatoric part.

    Raises:
      ValueError: If the shape is another one or a row is no distribution.

    Example:
      >>> expected_entropy([[[0.5, 0.5]], [[1.0, 0.0]]]).round(4)
      array([0.3466])
    """
    return entr(check_probs(sample_probs, ndim=3)).sum(axis=-1).mean(axis=0)


def mutual_information(sample_probs: npt.ArrayLike) -> Floats:
    """I = H[mean_s p_s] - mean_s H[p_s], `[S, N, K]` to `[N]`, in nats: the epistemic part.

    Never negative. S samples see about 1 - 1/S of it: compare methods at equal S.

    Raises:
      ValueError: If the shape is another one or a row is no distribution.

    Example:
      >>> mutual_information([[[1.0, 0.0]], [[0.0, 1.0]]]).round(4)
      array([0.6931])

    References:
      Houlsby et al., Bayesian Active Learning for Classification and Preference Learning, 2011. arXiv:1112.5745
    """
    p = check_probs(sample_probs, ndim=3)
    return np.maximum(predictive_entropy(p.mean(axis=0)) - expected_entropy(p), 0.0)


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

    scores = [check_scores("in_scores", in_scores), check_scores("out_scores", out_scores)]
    return float(roc_auc_score(np.repeat([0, 1], [len(s) for s in scores]), np.concatenate(scores)))

"""How uncertain each prediction is: in total and in its two parts, in nats, and by how far weight samples differ."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from bayesconv.metrics.checks import Floats, Integers, check_probs


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


def variation_ratio(sample_probs: npt.ArrayLike) -> Floats:
    """Share of the weight samples that do not vote for the most frequent top class, `[S, N, K]` to `[N]`, in [0, 1).

    Raises:
      ValueError: If the shape is another one or a row is no distribution.

    Example:
      >>> variation_ratio([[[0.9, 0.1]], [[0.6, 0.4]], [[0.2, 0.8]]]).round(4)
      array([0.3333])

    References:
      Freeman, Elementary Applied Statistics, 1965.
    """
    return 1 - _votes(sample_probs).max(axis=1) / len(np.asarray(sample_probs))


def disagreement(sample_probs: npt.ArrayLike) -> Floats:
    """Share of the pairs of weight samples whose top classes differ, `[S, N, K]` with S >= 2 to `[N]`, in [0, 1].

    Raises:
      ValueError: If the shape is another one, there is a single sample, or a row is no distribution.

    Example:
      >>> disagreement([[[0.9, 0.1]], [[0.6, 0.4]], [[0.2, 0.8]]]).round(4)
      array([0.6667])
    """
    votes, num_samples = _votes(sample_probs), len(np.asarray(sample_probs))
    if num_samples < 2:
        raise ValueError("`sample_probs` must hold at least 2 samples, for one has none to differ from. Received 1.")
    return 1 - (votes * (votes - 1)).sum(axis=1) / (num_samples * (num_samples - 1))


def top_class_stddev(sample_probs: npt.ArrayLike) -> Floats:
    """Standard deviation over samples of the probability of the class that is top on average, `[S, N, K]` to `[N]`.

    Raises:
      ValueError: If the shape is another one or a row is no distribution.

    Example:
      >>> top_class_stddev([[[0.9, 0.1]], [[0.5, 0.5]]]).round(4)
      array([0.2])
    """
    p = check_probs(sample_probs, ndim=3)
    top = p.mean(axis=0).argmax(axis=1)
    return p[:, np.arange(p.shape[1]), top].std(axis=0)


def _votes(sample_probs: npt.ArrayLike) -> Integers:
    """How many samples have each class on top, `[N, K]`."""
    p = check_probs(sample_probs, ndim=3)
    top = p.argmax(axis=-1)
    return np.stack([(top == k).sum(axis=0) for k in range(p.shape[-1])], axis=1)

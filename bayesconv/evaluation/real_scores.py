"""What scores of real targets are means of, example by example."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.draws import evened
from bayesconv.evaluation.intervals import SEED
from bayesconv.evaluation.real_targets import gaussian_crps, has_density, has_moments, known_levels
from bayesconv.prediction import Predictive

DRAWN = 1024  # targets an example behind a CRPS, at least
_STDS = ("aleatoric_std", "epistemic_std", "total_std")
_ENTROPIES = ("predictive_entropy", "expected_entropy", "mutual_information")


def scores_by_example(predictive: Predictive, y: Any, *, seed: int = SEED) -> dict[str, Any]:
    """For each score and spread what it is a mean of, `[N]`, or None.

    Args:
      predictive: For N examples.
      y: Targets `[N, T]`.
      seed: Of the targets that are drawn for the CRPS.

    Returns:
      Under `rmse` squared errors.
    """
    error = predictive.mean - y
    return {
        "rmse": np.square(error).mean(axis=1),
        "mae": np.abs(error).mean(axis=1),
        "nll": nll(predictive, y),
        "crps": _crps(predictive, y, seed),
        "pinball": pinball(predictive, y),
        **{name: mean_by_example(getattr(predictive, name, None)) for name in (*_STDS, *_ENTROPIES)},
    }


def mean_by_example(values: Any) -> Any:
    """Means over the targets of an example, `[N]`; None if one is infinite or not known."""
    if values is None or not np.isfinite(values).all():
        return None
    return np.reshape(values, (len(values), -1)).mean(axis=1)


def nll(predictive: Predictive, y: Any) -> Any:
    """Negative log density of the targets of each example, `[N]` nats, or None without a density and moments."""
    if has_density(predictive):
        return -predictive.log_prob(y)
    if not has_moments(predictive):
        return None
    z = (y - predictive.mean) / predictive.total_std  # a single pass: a normal of these moments
    return (0.5 * z**2 + np.log(predictive.total_std) + 0.5 * np.log(2 * np.pi)).sum(axis=1)


def _crps(predictive: Predictive, y: Any, seed: int) -> Any:
    if not has_density(predictive):
        return gaussian_crps(predictive, y)
    count = max(1, DRAWN // len(predictive.logits)) * len(predictive.logits)
    drawn = evened(predictive, count).sample_targets(seed=seed)
    return np.array([metrics.sample_crps(drawn[:, n], y[n]) for n in range(len(y))])


def pinball(predictive: Predictive, y: Any) -> Any:
    """Mean pinball loss of the known quantiles, `[N]`, or None without any."""
    losses = []
    for level in known_levels(predictive):
        error = y - predictive.quantile(level)
        losses.append(np.maximum(level * error, (level - 1.0) * error).mean(axis=1))
    return np.mean(losses, axis=0) if losses else None

"""How well each uncertainty tells a strange set from the test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bayesconv import metrics
from bayesconv.evaluation.intervals import LEVEL, SEED, ends, resampled
from bayesconv.evaluation.uncertainties import (
    ALL_SCORES,
    mean_uncertainties,
    uncertainties_by_example,
    uncertainty_scores,
)
from bayesconv.metrics.weighted_scores import means
from bayesconv.prediction import Predictive

_FIGURES = ("auroc", "aupr_in", "aupr_out", "fpr95")


def against(test: Mapping[str, Any], strange: Predictive, *, num_resamples: int, has_several: bool) -> dict[str, Any]:
    """AUROC, AUPR both ways and FPR95 of every score, with intervals, and mean uncertainties of the strange set.

    Args:
      test: The scores of the test images, as `uncertainty_scores` gives them.
      strange: The prediction of the other set.
      num_resamples: Resamples behind each interval; 0 gives none.
      has_several: Whether predictions average over several functions. A score that neither set has is None.
    """
    scores = uncertainty_scores(strange, has_several=has_several)
    known = {name: values for name, values in uncertainties_by_example(strange).items() if values is not None}
    found = told_apart(test, scores, ALL_SCORES, num_resamples)
    within = resampled(means(known), len(strange.mean), num_resamples)
    return {
        **found,
        "intervals": {**found["intervals"], **within},
        **mean_uncertainties(strange),
        "num_images": len(strange.mean),
    }


def told_apart(
    test: Mapping[str, Any], strange: Mapping[str, Any], names: Sequence[str], num_resamples: int
) -> dict[str, Any]:
    """AUROC, AUPR both ways and FPR95 of each score, and under `intervals` theirs, the sets drawn apart.

    Args:
      test: Scores `[N]` of the test examples by name; None where there is none.
      strange: Those of the other set, `[M]`.
      names: Of the scores; one that not both sets have is None.
      num_resamples: Resamples behind each interval; 0 gives none, and neither does a set of a single example.
    """
    known = [name for name in names if test.get(name) is not None and strange.get(name) is not None]
    values = {name: metrics.ood_report(test[name], strange[name])._asdict() for name in known}
    many = [name for name in known if num_resamples and min(len(test[name]), len(strange[name])) > 1]
    found = {name: _intervals(test[name], strange[name], num_resamples) for name in many}
    return {
        **{figure: {name: values.get(name, {}).get(figure) for name in names} for figure in _FIGURES},
        "intervals": {figure: {name: of_score[figure] for name, of_score in found.items()} for figure in _FIGURES},
    }


def _intervals(inside: Any, outside: Any, num_resamples: int) -> dict[str, Any]:
    found = metrics.ood_intervals(inside, outside, num_resamples=num_resamples, level=LEVEL, seed=SEED)
    return {name: ends(interval) for name, interval in found.items()}

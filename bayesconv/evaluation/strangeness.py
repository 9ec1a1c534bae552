"""How well each uncertainty tells a strange set from the test images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv import metrics
from bayesconv.evaluation.intervals import LEVEL, SEED, ends
from bayesconv.evaluation.uncertainties import ALL_SCORES, mean_uncertainties, uncertainty_scores
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
    known = [name for name in ALL_SCORES if name in test and name in scores]
    values = {name: metrics.ood_report(test[name], scores[name])._asdict() for name in known}
    found = {name: _intervals(test[name], scores[name], num_resamples) for name in known} if num_resamples else {}
    return {
        **{figure: {name: values.get(name, {}).get(figure) for name in ALL_SCORES} for figure in _FIGURES},
        "intervals": {figure: {name: of_score[figure] for name, of_score in found.items()} for figure in _FIGURES},
        **mean_uncertainties(strange),
        "num_images": len(strange.mean),
    }


def _intervals(inside: Any, outside: Any, num_resamples: int) -> dict[str, Any]:
    found = metrics.ood_intervals(inside, outside, num_resamples=num_resamples, level=LEVEL, seed=SEED)
    return {name: ends(interval) for name, interval in found.items()}

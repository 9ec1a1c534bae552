"""How well strange sets are told from a stream of familiar data, from uncertainties that are counted in bins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.accumulators import edges_of
from bayesconv.evaluation.uncertainties import (
    ALL_SCORES,
    mean_uncertainties,
    uncertainties_by_example,
    uncertainty_scores,
)
from bayesconv.metrics import Enclosure, RunningAuroc
from bayesconv.prediction import Predictive


class StrangeStreams:
    """Counts the scores of familiar data, and of each strange set by its name."""

    def __init__(self) -> None:
        self._familiar: dict[str, RunningAuroc] = {}
        self._edges: dict[str, Any] = {}
        self._strange: dict[str, _Strange] = {}

    def update(self, predictive: Predictive, name: str | None = None) -> None:
        """Adds a chunk of familiar data, or of the set of that name."""
        if predictive.likelihood != "categorical":
            return
        scores = uncertainty_scores(predictive, has_several=mean_uncertainties(predictive)["mutual_information"] != 0)
        if name is None:
            self._add_familiar(scores)
            return
        strange = self._strange.setdefault(name, _Strange(self._edges))
        strange.update(predictive, scores)

    def result(self) -> dict[str, Any]:
        """For each set AUROC, AUPR both ways and FPR95 of each score, enclosed, and mean uncertainties.

        A score that a chunk has not, for instance because its draws were not kept, is None.
        """
        return {name: strange.result(self._familiar) for name, strange in self._strange.items()}

    def _add_familiar(self, scores: dict[str, Any]) -> None:
        if not self._edges:
            self._edges = {score: edges_of(values) for score, values in scores.items()}
            self._familiar = {score: metrics.RunningAuroc(edges) for score, edges in self._edges.items()}
        for score in list(self._familiar):
            if score in scores:
                self._familiar[score].update(in_scores=scores[score])
            else:  # of some examples alone it would be another figure
                del self._familiar[score]


class _Strange:
    """One set: its scores in the bins of the familiar ones, and the sums of its uncertainties."""

    def __init__(self, edges: dict[str, Any]) -> None:
        self._edges, self._count = edges, 0
        self._is_whole = dict.fromkeys(edges, True)
        self._ranks: dict[str, RunningAuroc] = {}
        self._totals: dict[str, float] = {}

    def update(self, predictive: Predictive, scores: dict[str, Any]) -> None:
        self._count += len(predictive.mean)
        for score in scores.keys() & self._edges.keys():
            ranks = self._ranks.setdefault(score, metrics.RunningAuroc(self._edges[score]))
            ranks.update(out_scores=scores[score])
        self._is_whole = {score: whole and score in scores for score, whole in self._is_whole.items()}
        for name, values in uncertainties_by_example(predictive).items():
            total = np.nan if values is None else float(np.sum(values, dtype=np.float64))
            self._totals[name] = self._totals.get(name, 0.0) + total

    def result(self, familiar: dict[str, RunningAuroc]) -> dict[str, Any]:
        known = [score for score, whole in self._is_whole.items() if whole and score in familiar]
        found = {score: self._told_from(familiar[score], score) for score in known}
        figures = ("auroc", "aupr_in", "aupr_out", "fpr95")
        means = {name: None if np.isnan(total) else total / self._count for name, total in self._totals.items()}
        return {
            **{figure: {score: self._ends(found, score, figure) for score in ALL_SCORES} for figure in figures},
            **means,
            "num_examples": self._count,
        }

    @staticmethod
    def _ends(found: Mapping[str, dict[str, Enclosure]], score: str, figure: str) -> dict[str, float] | None:
        return found[score][figure]._asdict() if score in found else None

    def _told_from(self, familiar: RunningAuroc, score: str) -> dict[str, Enclosure]:
        both = metrics.RunningAuroc(self._edges[score])
        both.merge(familiar)
        both.merge(self._ranks[score])
        aupr_in, aupr_out = both.aupr(positive="in"), both.aupr(positive="out")
        return {"auroc": both.result(), "aupr_in": aupr_in, "aupr_out": aupr_out, "fpr95": both.fpr()}

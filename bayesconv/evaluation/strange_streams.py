"""AUROC of strange sets against a stream of familiar data, from uncertainties that are counted in bins."""

from __future__ import annotations

from typing import Any

from bayesconv import metrics
from bayesconv.evaluation.accumulators import edges_of
from bayesconv.evaluation.uncertainties import mean_uncertainties, uncertainty_scores
from bayesconv.metrics import RunningAuroc
from bayesconv.prediction import Predictive


class StrangeStreams:
    """Counts the scores of familiar data, and of each strange set by its name."""

    def __init__(self) -> None:
        self._familiar: dict[str, RunningAuroc] = {}
        self._edges: dict[str, Any] = {}
        self._strange: dict[str, dict[str, RunningAuroc]] = {}
        self._counts: dict[str, int] = {}

    def update(self, predictive: Predictive, name: str | None = None) -> None:
        """Adds a chunk of familiar data, or of the set of that name."""
        if predictive.likelihood != "categorical":
            return
        scores = uncertainty_scores(predictive, has_several=mean_uncertainties(predictive)["mutual_information"] != 0)
        if name is None:
            self._add_familiar(scores)
            return
        self._counts[name] = self._counts.get(name, 0) + len(predictive.mean)
        of_set = self._strange.setdefault(name, {})
        for score, values in scores.items():
            if score in self._edges:
                of_set.setdefault(score, metrics.RunningAuroc(self._edges[score])).update(out_scores=values)

    def result(self) -> dict[str, Any]:
        """For each set the AUROC of each score, with the ends that enclose the exact one."""
        found = {}
        for name, accumulators in self._strange.items():
            auroc = {}
            for score, accumulator in accumulators.items():
                accumulator.merge(self._familiar[score])
                auroc[score] = accumulator.result()._asdict()
            found[name] = {"auroc": auroc, "num_examples": self._counts[name]}
        return found

    def _add_familiar(self, scores: dict[str, Any]) -> None:
        if not self._edges:
            self._edges = {score: edges_of(values) for score, values in scores.items()}
            self._familiar = {score: metrics.RunningAuroc(edges) for score, edges in self._edges.items()}
        for score, accumulator in self._familiar.items():
            if score in scores:
                accumulator.update(in_scores=scores[score])

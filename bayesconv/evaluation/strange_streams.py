"""How well strange sets are told from a stream of familiar data, from uncertainties that are counted in bins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.accumulators import edges_of
from bayesconv.evaluation.regression import STRANGENESS, strangeness
from bayesconv.evaluation.segmentation import counted_pixels, uncertainty_of_images
from bayesconv.evaluation.uncertainties import (
    ALL_SCORES,
    OF_DRAWS,
    SCORES,
    UNCERTAINTIES,
    uncertainties_by_example,
    uncertainty_scores,
)
from bayesconv.metrics import Enclosure, RunningAuroc
from bayesconv.prediction import Predictive


class Told(NamedTuple):
    """What tells the examples of a chunk apart, and what is averaged over them.

    Attributes:
      scores: `[N]` by name; higher is stranger. A score that a prediction does not allow is left out.
      uncertainties: `[N]` by name, or None.
      differs: Whether draws of the weights give different predictions.
    """

    scores: dict[str, Any]
    uncertainties: dict[str, Any]
    differs: bool


class Task(NamedTuple):
    """What is known of strange sets of a task.

    Attributes:
      scores: Names of what tells examples apart.
      of_draws: Those that tell nothing where all draws of familiar data predict the same.
      told: Gives what a chunk tells, of its prediction, its labels and a label whose pixels are left out.
    """

    scores: tuple[str, ...]
    of_draws: tuple[str, ...]
    told: Callable[[Predictive, Any, int | None], Told]


class StrangeStreams:
    """Counts the scores of familiar data, and of each strange set by its name.

    Args:
      task: What is predicted: `"classification"`, `"regression"` or `"segmentation"`.
      ignored_label: A label whose pixels are left out of familiar images.
    """

    def __init__(self, task: str = "classification", ignored_label: int | None = None) -> None:
        self._task, self._ignored_label, self._differs = _TASKS[task], ignored_label, False
        self._familiar: dict[str, RunningAuroc] = {}
        self._edges: dict[str, Any] = {}
        self._strange: dict[str, _Strange] = {}

    def update_familiar(self, predictive: Predictive, labels: Any = None) -> None:
        """Adds a chunk of familiar data, and its labels where some pixels are left out by them."""
        told = self._task.told(predictive, labels, self._ignored_label)
        self._differs = self._differs or told.differs
        if all(map(len, told.scores.values())):  # not so where every pixel of a chunk is to be left out
            self._add_familiar(told.scores)

    def update(self, predictive: Predictive, name: str) -> None:
        """Adds a chunk of the strange set of that name."""
        strange = self._strange.setdefault(name, _Strange(self._task.scores, self._edges))
        strange.update(self._task.told(predictive, None, None))

    def result(self) -> dict[str, Any]:
        """For each set AUROC, AUPR both ways and FPR95 of each score, enclosed, and mean uncertainties.

        A score that a chunk has not, for instance because its draws were not kept, is None.
        """
        nothing = () if self._differs else self._task.of_draws
        familiar = {score: ranks for score, ranks in self._familiar.items() if score not in nothing}
        return {name: strange.result(familiar) for name, strange in self._strange.items()}

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

    def __init__(self, names: tuple[str, ...], edges: dict[str, Any]) -> None:
        self._names, self._edges, self._count = names, edges, 0
        self._is_whole = dict.fromkeys(edges, True)
        self._ranks: dict[str, RunningAuroc] = {}
        self._totals: dict[str, float] = {}

    def update(self, told: Told) -> None:
        scores, uncertainties, _ = told
        self._count += max((len(values) for values in uncertainties.values() if values is not None), default=0)
        for score in scores.keys() & self._edges.keys():
            ranks = self._ranks.setdefault(score, metrics.RunningAuroc(self._edges[score]))
            ranks.update(out_scores=scores[score])
        self._is_whole = {score: whole and score in scores for score, whole in self._is_whole.items()}
        for name, values in uncertainties.items():
            total = np.nan if values is None else float(np.sum(values, dtype=np.float64))
            self._totals[name] = self._totals.get(name, 0.0) + total

    def result(self, familiar: dict[str, RunningAuroc]) -> dict[str, Any]:
        known = [score for score, whole in self._is_whole.items() if whole and score in familiar]
        found = {score: self._told_from(familiar[score], score) for score in known}
        figures = ("auroc", "aupr_in", "aupr_out", "fpr95")
        means = {name: None if np.isnan(total) else total / self._count for name, total in self._totals.items()}
        return {
            **{figure: {score: self._ends(found, score, figure) for score in self._names} for figure in figures},
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


def _of_classes(predictive: Predictive, labels: Any, ignored_label: int | None) -> Told:
    differs = bool(np.any(predictive.mutual_information))
    return Told(uncertainty_scores(predictive), uncertainties_by_example(predictive), differs)


def _of_real_targets(predictive: Predictive, labels: Any, ignored_label: int | None) -> Told:
    found = strangeness(predictive)
    return Told(_known(found), found, bool(np.any(predictive.std)))


def _of_pixels(predictive: Predictive, labels: Any, ignored_label: int | None) -> Told:
    everywhere = np.ones(predictive.mean.shape[:-1], bool)
    counted = everywhere if labels is None else counted_pixels(labels, ignored_label)
    scores = uncertainty_of_images(predictive, counted, has_several=True)
    uncertainties = {name: getattr(predictive, name).mean(axis=(1, 2), dtype=np.float64) for name in UNCERTAINTIES}
    return Told(scores, uncertainties, bool(np.any(predictive.mutual_information[counted])))


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: of_examples for name, of_examples in values.items() if of_examples is not None}


_TASKS = {
    "classification": Task(ALL_SCORES, OF_DRAWS, _of_classes),
    "regression": Task(STRANGENESS, STRANGENESS[:1], _of_real_targets),
    "segmentation": Task(SCORES, SCORES[1:], _of_pixels),
}

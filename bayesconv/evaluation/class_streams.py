"""Figures of a stream of examples that have one class of several."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.evaluation.accumulators import Accumulator, edges_of, values_of
from bayesconv.evaluation.class_scores import COVERAGES, RISKS, SELECTED_BY, SHORT, num_guesses
from bayesconv.evaluation.poisson import PoissonSums, ends_of
from bayesconv.evaluation.uncertainties import uncertainties_by_example, uncertainty_scores, wrong
from bayesconv.metrics import Enclosure, RunningRiskCoverage
from bayesconv.metrics.bins import equal_width_bins
from bayesconv.metrics.checks import Floats
from bayesconv.metrics.weighted_scores import scores_by_example
from bayesconv.prediction import Predictive

_NUM_BINS = 15  # of the ECE
_SCORES = tuple(name for name in SHORT if name != "expected_calibration_error")


class Classes(Accumulator):
    """One class of several for each example."""

    def __init__(self) -> None:
        self._sums, self._calibration = PoissonSums(), metrics.RunningCalibration(_NUM_BINS)
        self._ranks: dict[str, RunningRiskCoverage] = {}
        self._uncertainties: tuple[str, ...] = ()
        self._num_guesses = 0

    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its labels, integers `[N]`."""
        probs, labels = predictive.mean, np.asarray(labels).reshape(-1)
        self._calibration.update(probs, labels)
        self._num_guesses = num_guesses(predictive)
        scores = scores_by_example(probs, labels, k=self._num_guesses)
        votes = None if predictive.votes is None else predictive.variation_ratio
        uncertainties = {**uncertainties_by_example(predictive), "variation_ratio": votes}
        self._uncertainties = tuple(uncertainties)
        self._sums.update({**scores, **uncertainties, "gaps": _gaps(probs, scores["accuracy"])})
        self._rank(predictive, wrong(predictive, labels))

    def result(self) -> dict[str, Any]:
        """Scores, calibration errors and their null bands, mean uncertainties, and what abstaining would give."""
        errors = _shortened(self._calibration.result()._asdict())
        nulls = _shortened({name: band._asdict() for name, band in self._calibration.nulls().items()})
        rows = self._sums.means()
        selection = self._selection(rows)
        return {
            "num_examples": self._sums.num_examples,
            **{SHORT[name]: value for name, value in values_of(rows, _SCORES).items()},
            "ece": errors.pop("expected"),
            "intervals": self._intervals(rows),
            "calibration": {**errors, "smooth": self._calibration.smooth()},
            **values_of(rows, self._uncertainties),
            "aurc": selection["predictive_entropy"]["aurc"],
            "ece_null": nulls.pop("expected"),
            "calibration_null": nulls,
            "top_k": self._top_k(rows["top_k_accuracy"]),
            "brier_decomposition": self._calibration.brier_decomposition()._asdict(),
            "selection": selection,
        }

    def _rank(self, predictive: Predictive, losses: Floats) -> None:
        scores = uncertainty_scores(predictive)
        for name in SELECTED_BY:
            if name not in self._ranks:
                self._ranks[name] = RunningRiskCoverage(edges_of(scores[name]))
            self._ranks[name].update(scores[name], losses)

    def _intervals(self, rows: dict[str, Any]) -> dict[str, Any]:
        scores = {SHORT[name]: ends_of(rows[name]) for name in _SCORES}
        ece = ends_of(np.abs(rows["gaps"]).sum(axis=1), least=0.0)
        known = [name for name in self._uncertainties if rows[name] is not None]
        return {**scores, "ece": ece, **{name: ends_of(rows[name]) for name in known}}

    def _top_k(self, rows: Any) -> dict[str, Any]:
        return {"k": self._num_guesses, "accuracy": float(rows[0]), "intervals": {"accuracy": ends_of(rows)}}

    def _selection(self, rows: dict[str, Any]) -> dict[str, Any]:
        """By each uncertainty; a mutual information of 0 throughout is that of one function, which tells nothing."""
        known = [name for name in self._ranks if name != "mutual_information" or rows[name][0] > 0]
        return {name: _selected(self._ranks[name]) for name in known}


def _shortened(by_name: dict[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_calibration_error"): value for name, value in by_name.items()}


def _gaps(probs: Any, hits: Any) -> Any:
    """Hit less confidence, in the column of its bin, `[N, bins]`."""
    confidence = np.asarray(probs, np.float64).max(axis=1)
    return np.eye(_NUM_BINS)[equal_width_bins(confidence, _NUM_BINS)] * (hits - confidence)[:, np.newaxis]


def _selected(ranks: RunningRiskCoverage) -> dict[str, dict[str, float]]:
    found: dict[str, Enclosure] = {
        "aurc": ranks.result(),
        "e_aurc": ranks.excess_area(),
        "augrc": ranks.generalized_area(),
        **{f"risk_at_coverage_{c:g}": ranks.risk_at_coverage(c) for c in COVERAGES},
        **{f"coverage_at_risk_{r:g}": ranks.coverage_at_risk(r) for r in RISKS},
    }
    return {name: enclosure._asdict() for name, enclosure in found.items()}

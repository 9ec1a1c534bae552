"""How good predicted real numbers are: errors, densities, intervals, and how well their uncertainty is calibrated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.data import Dataset
from bayesconv.evaluation.intervals import LEVEL, SEED, resampled
from bayesconv.evaluation.predicting import provenance
from bayesconv.evaluation.quantile_scores import calibration, credible
from bayesconv.evaluation.real_scores import mean_by_example, scores_by_example
from bayesconv.evaluation.real_targets import has_moments, known_levels
from bayesconv.evaluation.regression_tables import tables
from bayesconv.evaluation.sets import corrupted, out_of_distribution, uncorrupted
from bayesconv.evaluation.strangeness import told_apart
from bayesconv.metrics.checks import Floats
from bayesconv.metrics.weighted_ranks import sparsification_scores
from bayesconv.metrics.weighted_scores import means
from bayesconv.prediction import Predictive
from bayesconv.runs import Run

__all__ = ["STRANGENESS", "report", "scores", "strangeness", "tables"]

STRANGENESS = ("epistemic_std", "spread")  # what tells examples apart


def report(run: Run, dataset: Dataset, predicted: Callable[..., Predictive]) -> dict[str, Any]:
    """All results of a run, ready for JSON. Numbers that a likelihood does not have are None.

    Args:
      run: A trained run.
      dataset: Its data.
      predicted: `predicted(inputs, name=..)`, the run's prediction of a set.

    Returns:
      The `scores` of the test examples with bootstrap intervals under `intervals`, how well two standard deviations
      tell each strange set from the test examples (`ood`), the scores at each severity of each corruption (`shift`)
      and of the same examples as they are if these are some of the test examples (`uncorrupted`), and what the numbers
      depend on.
    """
    count, test = run.config.evaluation.bootstrap, predicted(dataset.test.x, name="test")
    some = uncorrupted(run, dataset)

    def scored(x: Any, name: str, chosen: Any) -> dict[str, Any]:
        return scores(predicted(x, name=name), dataset.test.y[chosen], num_resamples=count)

    return {
        "dataset": dataset.name,
        "num_examples": len(dataset.test.y),
        "targets": list(dataset.class_names),
        **scores(test, dataset.test.y, num_resamples=count),
        "ood": {name: _against(test, predicted(x, name=name), count) for name, x in out_of_distribution(run, dataset)},
        "shift": {name: [scored(x, name, chosen) for x in sets] for name, chosen, sets in corrupted(run, dataset)},
        "uncorrupted": None if some is None else scored(dataset.test.x[some], "test", some),
        "bootstrap": {"num_resamples": count, "level": LEVEL, "seed": SEED},
        **provenance(run, test),
    }


def scores(predictive: Predictive, targets: Any, *, num_resamples: int = 0) -> dict[str, Any]:
    """Scores of a prediction of real targets.

    Args:
      predictive: For N examples.
      targets: `[N]` or `[N, T]`; means are over all of them.
      num_resamples: Resamples of the examples behind the intervals; 0 gives none.

    Returns:
      `rmse` and `mae`; `nll`, of the mixture over the draws, in nats an example; `crps`; `pinball`, the mean pinball
      loss of a likelihood of quantiles; under `credible`, for every level, the coverage (`picp`), mean width (`mpiw`)
      and interval score of central intervals; the quantile calibration error with the band of a calibrated model;
      AUSE; and mean standard deviations and entropies. Errors, widths and CRPS are in the unit of the targets. All have
      intervals, next to them under `intervals`.
    """
    y = np.reshape(np.asarray(targets, float), predictive.mean.shape)
    by_example = scores_by_example(predictive, y)
    return {
        **{name: _score(name, values) for name, values in by_example.items()},
        "intervals": {
            **_intervals(by_example, num_resamples),
            **_of_ause(predictive, np.abs(predictive.mean - y), num_resamples),
        },
        "credible": credible(predictive, y, num_resamples),
        "calibration": calibration(predictive, y, num_resamples),
        "ause": _ause(predictive, np.abs(predictive.mean - y)),
    }


def _score(name: str, values: Any) -> float | None:
    if values is None:
        return None
    mean = float(np.mean(values))
    return math.sqrt(mean) if name == "rmse" else mean


def _intervals(by_example: dict[str, Any], num_resamples: int) -> dict[str, Any]:
    known = {name: values for name, values in by_example.items() if values is not None}
    averaged = means(known)

    def figures(counts: Floats) -> dict[str, Floats]:
        found = dict(averaged(counts))
        return {**found, "rmse": np.sqrt(found["rmse"])}

    ends = resampled(figures, len(known["rmse"]), num_resamples)
    return {name: ends.get(name) for name in by_example} if num_resamples else {}


def _ause(predictive: Predictive, errors: Any) -> float | None:
    uncertainty = _spread(predictive)
    return None if uncertainty is None else metrics.sparsification_error(uncertainty.ravel(), errors.ravel())


def _of_ause(predictive: Predictive, errors: Any, num_resamples: int) -> dict[str, Any]:
    """The interval of the AUSE: the targets of an example are drawn together."""
    uncertainty = _spread(predictive)
    if uncertainty is None or not num_resamples:
        return {"ause": None} if num_resamples else {}
    scored, num_targets = sparsification_scores(uncertainty.ravel(), errors.ravel()), errors.shape[1]

    def figures(counts: Floats) -> dict[str, Floats]:
        return {"ause": scored(np.repeat(counts, num_targets, axis=1))["sparsification_error"]}

    return {"ause": None, **resampled(figures, len(errors), num_resamples)}


def _spread(predictive: Predictive) -> Any:
    """How unsure each target is: its standard deviation, or the width of the widest interval of quantiles."""
    if predictive.noise_variance is not None:
        return predictive.total_std if has_moments(predictive) else None
    levels = known_levels(predictive)
    return predictive.quantile(levels[-1]) - predictive.quantile(levels[0]) if levels else None


def _against(test: Predictive, strange: Predictive, num_resamples: int) -> dict[str, Any]:
    familiar, others = strangeness(test), strangeness(strange)
    if not test.std.any():
        familiar["epistemic_std"] = None
    found = told_apart(familiar, others, list(familiar), num_resamples)
    known = {name: values for name, values in others.items() if values is not None}
    within = resampled(means(known), len(strange.mean), num_resamples)
    return {
        **found,
        "intervals": {**found["intervals"], **within},
        "num_examples": len(strange.mean),
        **{name: _score(name, values) for name, values in others.items()},
    }


def strangeness(predictive: Predictive) -> dict[str, Any]:
    """What tells examples apart, `[N]` means over their targets by name, or None."""
    values = mean_by_example(predictive.std), mean_by_example(_spread(predictive))
    return dict(zip(STRANGENESS, values, strict=True))

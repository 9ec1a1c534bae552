"""How good predicted real numbers are: errors, densities, intervals, and how well their uncertainty is calibrated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesconv import metrics
from bayesconv.data import Dataset
from bayesconv.evaluation.predicting import provenance
from bayesconv.evaluation.regression_tables import tables
from bayesconv.evaluation.sets import corrupted, out_of_distribution
from bayesconv.prediction import Predictive
from bayesconv.runs import Run

__all__ = ["report", "scores", "tables"]

LEVELS = (0.5, 0.9)  # of the intervals
_DRAWN = 1024  # targets an example behind a CRPS, at least
_LEVEL, _SEED = 0.95, 0  # of the bootstrap


def report(run: Run, dataset: Dataset, predicted: Callable[..., Predictive]) -> dict[str, Any]:
    """All results of a run, ready for JSON. Numbers that a likelihood does not have are None.

    Args:
      run: A trained run.
      dataset: Its data.
      predicted: `predicted(inputs, name=..)`, the run's prediction of a set.

    Returns:
      The `scores` of the test examples with bootstrap intervals under `intervals`, how well two standard deviations
      tell each strange set from the test examples (`ood`), the scores at each severity of each corruption (`shift`),
      and what the numbers depend on.
    """
    count, test = run.config.evaluation.bootstrap, predicted(dataset.test.x, name="test")
    return {
        "dataset": dataset.name,
        "num_examples": len(dataset.test.y),
        "targets": list(dataset.class_names),
        **scores(test, dataset.test.y, num_resamples=count),
        "ood": {name: _against(test, predicted(x, name=name)) for name, x in out_of_distribution(run, dataset)},
        "shift": {
            name: [scores(predicted(x, name=name), dataset.test.y) for x in sets]
            for name, sets in corrupted(run, dataset)
        },
        "bootstrap": {"num_resamples": count, "level": _LEVEL, "seed": _SEED},
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
      AUSE; and mean standard deviations and entropies. Errors, widths and CRPS are in the unit of the targets.
    """
    y = np.reshape(np.asarray(targets, float), predictive.mean.shape)
    by_example = _by_example(predictive, y)
    error = predictive.mean - y
    return {
        **{name: _score(name, values) for name, values in by_example.items()},
        "intervals": {name: _interval(name, v, num_resamples) for name, v in by_example.items() if num_resamples},
        "credible": _credible(predictive, y),
        "calibration": _calibration(predictive, y),
        "ause": _ause(predictive, np.abs(error)),
        **{name: _mean(getattr(predictive, name, None)) for name in ("aleatoric_std", "epistemic_std", "total_std")},
        **{
            name: _mean(getattr(predictive, name))
            for name in ("predictive_entropy", "expected_entropy", "mutual_information")
        },
    }


def _by_example(predictive: Predictive, y: Any) -> dict[str, Any]:
    """For each score what it is a mean of, `[N]`, or None."""
    error = predictive.mean - y
    found = {"rmse": np.square(error).mean(axis=1), "mae": np.abs(error).mean(axis=1)}
    return {**found, "nll": _nll(predictive, y), "crps": _crps(predictive, y), "pinball": _pinball(predictive, y)}


def _score(name: str, values: Any) -> float | None:
    if values is None:
        return None
    mean = float(np.mean(values))
    return math.sqrt(mean) if name == "rmse" else mean


def _interval(name: str, values: Any, num_resamples: int) -> dict[str, float] | None:
    if values is None or len(values) < 2:
        return None
    of = (lambda v: math.sqrt(np.mean(v))) if name == "rmse" else (lambda v: float(np.mean(v)))
    found = metrics.bootstrap(of, values, num_resamples=num_resamples, level=_LEVEL, seed=_SEED)
    return {"lower": found.lower, "upper": found.upper}


def _has_density(predictive: Predictive) -> bool:
    return predictive.noise_variance is not None and predictive.samples is not None


def _nll(predictive: Predictive, y: Any) -> Any:
    if _has_density(predictive):
        return -predictive.log_prob(y)
    if predictive.noise_variance is None:
        return None
    z = (y - predictive.mean) / predictive.total_std  # a single pass: a normal of these moments
    return (0.5 * z**2 + np.log(predictive.total_std) + 0.5 * np.log(2 * np.pi)).sum(axis=1)


def _crps(predictive: Predictive, y: Any) -> Any:
    if _has_density(predictive):
        count = max(1, _DRAWN // len(predictive.logits))
        drawn = predictive.sample_targets(count, seed=_SEED)
        return np.array([metrics.sample_crps(drawn[:, n], y[n]) for n in range(len(y))])
    if predictive.noise_variance is None:
        return None
    return np.array([metrics.gaussian_crps(*row) for row in zip(predictive.mean, predictive.total_std, y, strict=True)])


def _levels(predictive: Predictive) -> list[float]:
    return list(predictive.likelihood_options.get("levels", ())) if predictive.samples is not None else []


def _pinball(predictive: Predictive, y: Any) -> Any:
    losses = []
    for level in _levels(predictive):
        error = y - predictive.quantile(level)
        losses.append(np.maximum(level * error, (level - 1.0) * error).mean(axis=1))
    return np.mean(losses, axis=0) if losses else None


def _credible(predictive: Predictive, y: Any) -> dict[str, dict[str, float]]:
    found = {}
    for level in LEVELS:
        try:
            lower, upper = predictive.interval(level)
        except (AttributeError, ValueError):  # no draws, or a likelihood of other quantiles
            continue
        found[f"{level:g}"] = {
            "picp": metrics.interval_coverage(lower, upper, y),
            "mpiw": metrics.mean_interval_width(lower, upper),
            "interval_score": metrics.interval_score(lower, upper, y, miscoverage=1.0 - level),
        }
    return found


def _calibration(predictive: Predictive, y: Any) -> dict[str, Any] | None:
    if levels := _levels(predictive):
        shares = [float(np.mean(y < predictive.quantile(level))) for level in levels]
        return {"value": float(np.mean(np.abs(np.subtract(shares, levels)))), "null": None, "below": shares}
    if predictive.noise_variance is None:
        return None
    exact = _has_density(predictive)
    pit = predictive.cdf(y) if exact else metrics.gaussian_pit(predictive.mean, predictive.total_std, y)
    null = metrics.quantile_calibration_null(pit.size)._asdict()
    return {"value": metrics.quantile_calibration_error(np.clip(pit, 0.0, 1.0)), "null": null}


def _ause(predictive: Predictive, errors: Any) -> float | None:
    uncertainty = _spread(predictive)
    return None if uncertainty is None else metrics.sparsification_error(uncertainty.ravel(), errors.ravel())


def _spread(predictive: Predictive) -> Any:
    """How unsure each target is: its standard deviation, or the width of the widest interval of quantiles."""
    if predictive.noise_variance is not None:
        return predictive.total_std if np.isfinite(predictive.total_std).all() else None  # df of 2 and less
    levels = _levels(predictive)
    return predictive.quantile(levels[-1]) - predictive.quantile(levels[0]) if levels else None


def _against(test: Predictive, strange: Predictive) -> dict[str, Any]:
    found = {"num_examples": len(strange.mean), "epistemic_std": _mean(strange.std), "spread": _mean(_spread(strange))}
    auroc: dict[str, float | None] = {"epistemic_std": None, "spread": None}
    if test.std.any():
        auroc["epistemic_std"] = metrics.ood_auroc(test.std.mean(axis=1), strange.std.mean(axis=1))
    if _spread(test) is not None and _spread(strange) is not None:
        auroc["spread"] = metrics.ood_auroc(_spread(test).mean(axis=-1), _spread(strange).mean(axis=-1))
    return {"auroc": auroc, **found}


def _mean(values: Any) -> float | None:
    if values is None or not np.isfinite(values).all():
        return None
    return float(np.mean(values))

"""How good a classifier is: scores on its test images, and how well it knows what is strange to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesconv import metrics
from bayesconv.data import Dataset
from bayesconv.evaluation.class_scores import complete, headline, of_probs
from bayesconv.evaluation.classification_tables import tables
from bayesconv.evaluation.draws import average, scalable
from bayesconv.evaluation.intervals import LEVEL, SEED
from bayesconv.evaluation.predicting import provenance
from bayesconv.evaluation.sets import corrupted, out_of_distribution, uncorrupted
from bayesconv.evaluation.strangeness import against
from bayesconv.evaluation.uncertainties import uncertainty_scores
from bayesconv.prediction import Predictive
from bayesconv.runs import Run

__all__ = ["report", "tables"]


def report(run: Run, dataset: Dataset, predicted: Callable[..., Predictive]) -> dict[str, Any]:
    """All results of a run, ready for JSON; docs/evaluation.md explains every entry.

    Args:
      run: A trained run.
      dataset: Its data.
      predicted: `predicted(inputs, name=..)`, the run's prediction of a set.

    Returns:
      The scores of the test images and their mean uncertainties in nats, each calibration error with its null band
      (`calibration`), what abstaining by three uncertainties would give (`selection`), how well seven uncertainties
      tell each strange set from the test images (`ood`), the main scores at each severity of each corruption (`shift`),
      of the same images as they are where these are not all (`uncorrupted`), and at the softmax temperature that suits
      the validation images best (`temperature_scaled`), and what the numbers depend on. Intervals stand under
      `intervals`, by the same names. `num_samples` is 0 for a single pass, whose seed is None, and a pair of the fewest
      and most draws for any test image where they were not fixed.
    """
    count, has_several = run.config.evaluation.bootstrap, run.has_several_functions
    test = predicted(dataset.test.x, name="test")
    scores = uncertainty_scores(test, has_several=has_several)
    strange, worse, some = out_of_distribution(run, dataset), corrupted(run, dataset), uncorrupted(run, dataset)

    def scored(x: Any, name: str, chosen: Any) -> dict[str, Any]:
        return headline(predicted(x, keep_samples=False, name=name), dataset.test.y[chosen], num_resamples=count)

    return {
        "dataset": dataset.name,
        "num_images": len(dataset.test.y),
        **complete(test, dataset.test.y, num_resamples=count, has_several=has_several),
        "ood": {
            name: against(scores, predicted(x, name=name), num_resamples=count, has_several=has_several)
            for name, x in strange
        },
        "shift": {name: [scored(x, name, chosen) for x in sets] for name, chosen, sets in worse},
        "uncorrupted": None if some is None else scored(dataset.test.x[some], "test", some),
        "temperature_scaled": _temperature_scaled(test, predicted, dataset, count),
        "bootstrap": {"num_resamples": count, "level": LEVEL, "seed": SEED},
        **provenance(run, test),
    }


def _temperature_scaled(test: Predictive, predicted: Any, dataset: Dataset, count: int) -> dict[str, Any] | None:
    if not dataset.validation_held_out:
        return None  # trained-on images look more certain than new ones: a temperature from them would mislead
    held_out = predicted(dataset.validation.x, name="validation")
    scaled = "log probabilities" if test.samples is None or held_out.samples is None else "logits"
    fitted, weights = scalable(held_out, scaled)
    temperature = metrics.temperature_scale(fitted, dataset.validation.y, weights=weights)
    logits, weights = scalable(test, scaled)
    probs = average(metrics.apply_temperature(logits, temperature), weights)
    scores = of_probs(probs, dataset.test.y, num_resamples=count)
    return {"softmax_temperature": float(temperature), "scaled": scaled, **scores}

"""The prediction of a run, as its configuration says unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import bayesconv as bc
from bayesconv.evaluation.kept import kept
from bayesconv.evaluation.manner import current
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.methods import METHODS
from bayesconv.prediction import Predictive
from bayesconv.registry import unknown_name_message
from bayesconv.runs import Run

_CALIBRATING = 256  # training images that give a draw's moments to BatchNorm(policy="recalibrated")


def predict(
    run: Run,
    images: Any,
    *,
    method: str | None = None,
    num_samples: int | str | None = None,
    seed: int | None = None,
    keep_samples: bool | None = None,
    name: str = "predict",
) -> Predictive:
    """The run's prediction for images, as configured unless told otherwise.

    Args:
      run: A trained run.
      images: float32 `[N, H, W, C]`.
      method: `"sampling"` or `"moments"`, see `bayesconv.predict`; without anything random both are one pass.
      num_samples: Draws of the weights, or of dropout masks, or `"auto"`; of each member of an ensemble. A member
        without anything random has one.
      seed: Of the draws.
      keep_samples: Whether to keep the outputs of every draw; by default if they take at most 256 MiB.
      name: What the images are, for the progress bar that `evaluation.manner` asks for.

    Raises:
      ValueError: If the method is unknown, or draws nothing and `num_samples` or `seed` is given.
    """
    options: dict[str, Any] = _options(run, method, num_samples, seed)
    here = current()
    keep_samples = keep_samples if here.then is None else True  # what recalibrates does so draw by draw
    if is_recalibrated(run.model) and options.get("method") != "moments":
        options["calibration"] = run.dataset().train.x[:_CALIBRATING]

    def made() -> Predictive:
        likelihood, progress = run.config.objective.likelihood.identifier, name if here.progress else False
        shown: dict[str, Any] = {"keep_samples": keep_samples, "progress": progress}
        return bc.predict(run.models, images, likelihood=likelihood, **options, **shown)

    how = {**options, "keep_samples": str(keep_samples)}
    predictive = kept(run, images, how, made) if here.keeps else made()
    return predictive if here.then is None else here.then(predictive)


def provenance(run: Run, predictive: Predictive) -> dict[str, Any]:
    """What the numbers of a report depend on, ready for JSON.

    Returns:
      `method`; `num_samples`, of all members together, 0 for a single pass and a pair of the fewest and most where they
      were not fixed; `seed`, None for a single pass; `members`; `is_random`, whether a member is another function in
      every draw; `temperature`, of the KL, None without posteriors.
    """
    draws = predictive.num_samples
    return {
        "method": "sampling" if np.any(draws) else "moments",
        "num_samples": draws if np.ndim(draws) == 0 else [int(draws.min()), int(draws.max())],
        "seed": predictive.seed if np.any(draws) else None,
        "members": len(run.models),
        "is_random": run.is_random,
        "temperature": run.config.objective.temperature if run.is_bayesian else None,
    }


def as_evaluated(run: Run, report: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `predict` for the same prediction that an evaluation was made of.

    Args:
      run: The run.
      report: What `evaluation.json` holds of it.
    """
    if not run.is_random:
        return {}
    if report["method"] == "moments":
        return {"method": "moments"}
    draws = report["num_samples"]
    fixed = draws // len(run.models) if isinstance(draws, int) else "auto"
    return {"method": "sampling", "num_samples": fixed, "seed": report["seed"]}


def _options(run: Run, method: str | None, num_samples: int | str | None, seed: int | None) -> dict[str, Any]:
    settings, method = run.config.evaluation, method or run.config.evaluation.method
    if method not in METHODS:
        raise ValueError(unknown_name_message("method of prediction", method, METHODS))
    given = {"num_samples": num_samples, "seed": seed}
    if method == "moments" and (drawn := [f"{name}={value}" for name, value in given.items() if value is not None]):
        raise ValueError(
            "The method moments is a single pass without draws. "
            f"Received {' and '.join(drawn)} too: leave that out, or choose the method sampling."
        )
    if method == "moments" and run.is_random:
        return {"method": method}
    draws = settings.num_samples if num_samples is None else num_samples
    tolerance = {"tolerance": settings.tolerance} if draws == "auto" and settings.tolerance else {}
    count = draws if run.is_random else 1
    return {"num_samples": count, "seed": run.config.seed if seed is None else seed, **tolerance}

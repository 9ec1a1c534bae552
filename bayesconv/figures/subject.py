"""What the figures of a run are drawn from; each prediction is made once, when the first figure asks for it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from bayesconv import evaluation
from bayesconv.data import Dataset
from bayesconv.prediction import Predictive
from bayesconv.runs import Run


class Subject:
    """A run, its data, and its predictions for them, the same ones that an evaluation makes.

    Args:
      run: A trained run.
      dataset: Its data.
      how: `method`, `num_samples` and `seed` of `evaluation.predict`, where they are not those of the configuration.
    """

    def __init__(self, run: Run, dataset: Dataset, how: Mapping[str, Any] | None = None) -> None:
        self.run, self.dataset, self.how = run, dataset, dict(how or {})

    def predict(self, images: Any, name: str, *, keep_samples: bool | None = None) -> Predictive:
        """The run's prediction for images of that name."""
        return evaluation.predict(self.run, images, keep_samples=keep_samples, name=name, **self.how)

    @functools.cached_property
    def task(self) -> str:
        """`"classification"`, `"regression"` or `"segmentation"`."""
        return evaluation.task_of(self.run)

    @functools.cached_property
    def test(self) -> Predictive:
        """For the test images."""
        # The draws of every pixel are seldom worth their memory.
        return self.predict(self.dataset.test.x, "test", keep_samples=False if self.task == "segmentation" else None)

    @functools.cached_property
    def validation(self) -> Predictive:
        """For the validation images."""
        return self.predict(self.dataset.validation.x, "validation")

    @functools.cached_property
    def strange(self) -> dict[str, Predictive]:
        """For every out-of-distribution set of the evaluation, by its name."""
        sets = evaluation.out_of_distribution(self.run, self.dataset)
        return {name: self.predict(x, name) for name, x in sets}

    @property
    def has_strange(self) -> bool:
        """Whether the evaluation has such sets; one whose configuration does not say has those that suit all images."""
        parts = self.run.config.evaluation.ood
        return parts is None or bool(parts)

    @property
    def has_draws(self) -> bool:
        """Whether predictions are averages over several draws, or members, that are the same for all images."""
        settings = self.run.config.evaluation
        if not self.run.is_random:
            return bool(self.run.others)
        method = self.how.get("method", settings.method)
        draws = self.how.get("num_samples", settings.num_samples)
        is_fixed = method == "sampling" and draws != "auto"
        return is_fixed and (draws != 1 or bool(self.run.others))

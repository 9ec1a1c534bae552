"""The sets that an evaluation is made on besides the test images: strange ones, and the test images made harder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesconv import corruptions, data
from bayesconv.data import Dataset
from bayesconv.runs import Run
from bayesconv.sections import Part

_PHOTOGRAPH = (427, 640)  # pixels of those that photo_patches are cut from


def out_of_distribution(run: Run, dataset: Dataset) -> Iterator[tuple[str, Any]]:
    """Name and images of each set that the configuration lists.

    One that says nothing of them gets the sets that suit any inputs: `inverted`, and `photo_patches` where these are
    images no larger than the photographs. One that lists none, by `[]`, has none.
    """
    parts = run.config.evaluation.ood
    for part in _default(dataset) if parts is None else parts:
        yield _title(part), data.ood.resolve(part.identifier)(dataset)


def _default(dataset: Dataset) -> Iterator[Part]:
    yield Part(name="inverted")
    *sizes, _ = dataset.input_shape
    if len(sizes) == 2 and all(size <= largest for size, largest in zip(sizes, _PHOTOGRAPH, strict=True)):
        yield Part(name="photo_patches")


def corrupted(run: Run, dataset: Dataset) -> Iterator[tuple[str, Any, Iterator[Any]]]:
    """Name of each corruption that the configuration lists, indices of test images, and these under five severities.

    They are all test images, or as many of them as the configuration says, chosen by its seed.
    """
    chosen = _chosen(len(dataset.test.y), run.config.evaluation.corrupted_images, run.config.seed)
    for part in run.config.evaluation.corruptions:
        yield _title(part), chosen, _severities(dataset.test.x[chosen], dataset.value_range, part, run.config.seed)


def uncorrupted(run: Run, dataset: Dataset) -> Any:
    """Indices of the test images that corruptions make harder; None if these are all, or there are no corruptions."""
    count, settings = len(dataset.test.y), run.config.evaluation
    chosen = _chosen(count, settings.corrupted_images, run.config.seed)
    return chosen if settings.corruptions and len(chosen) < count else None


def _chosen(count: int, wanted: int | None, seed: int) -> Any:
    if wanted is None or wanted >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:wanted])


def _severities(images: Any, value_range: tuple[float, float], part: Part, seed: int) -> Iterator[Any]:
    for severity in corruptions.SEVERITIES:
        options: dict[str, Any] = {"seed": seed, "value_range": value_range, "series": images.ndim == 3}
        yield corruptions.corrupt(images, part.identifier, severity=severity, **options)


def _title(part: Part) -> str:
    options = ", ".join(f"{key}={value}" for key, value in part.options.items())
    return f"{part.name}({options})" if options else part.name

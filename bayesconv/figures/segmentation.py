"""Figures of predicted classes of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayesconv import plotting
from bayesconv.figures.subject import Subject

Drawn = Iterator[tuple[str, Any]]
_UNCERTAINTIES = ("predictive_entropy", "expected_entropy", "mutual_information")


def segmentation_maps(subject: Subject) -> Drawn:
    """The first test images with their true and predicted classes, errors, and maps of uncertainty."""
    test, dataset = subject.test, subject.dataset
    known = _UNCERTAINTIES if subject.run.has_several_functions else _UNCERTAINTIES[:1]
    yield (
        "segmentation_maps",
        plotting.segmentation_maps(
            dataset.test.x,
            test.mean,
            dataset.test.y,
            **{name: getattr(test, name) for name in known},
            class_names=dataset.class_names,
            ignored_label=dataset.ignored_label,
        ),
    )


def pixel_reliability(subject: Subject) -> Drawn:
    """Accuracy against confidence over all pixels of the test images."""
    test, dataset = subject.test, subject.dataset
    ax = plotting.pixel_reliability_diagram(test.mean, dataset.test.y, ignored_label=dataset.ignored_label)
    yield "pixel_reliability", ax

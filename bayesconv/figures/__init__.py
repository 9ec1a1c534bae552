"""The figures of a trained run, drawn into its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bayesconv import members, plotting, runs
from bayesconv.data import Dataset
from bayesconv.figures import classification, posteriors, regression, robustness, segmentation
from bayesconv.figures.subject import Subject
from bayesconv.figures.weight_arrays import signal_to_noise
from bayesconv.registry import unknown_name_message
from bayesconv.runs import Run

__all__ = ["FIGURES", "Figure", "Subject", "draw", "drawn", "names", "signal_to_noise"]


class Figure(NamedTuple):
    """A figure, or several of one kind.

    Attributes:
      draw: Function from a `Subject` to pairs of a file name and axes. Its name is that of the figure.
      needs: What a run must have for it, in words.
      suits: Whether a run has it.
    """

    draw: Callable[[Subject], Iterator[tuple[str, Any]]]
    needs: str
    suits: Callable[[Subject], bool]


def learning_curves(subject: Subject) -> Iterator[tuple[str, Any]]:
    """NLL and KL by epoch, of every member."""
    folders = members.folders(subject.run.folder, len(subject.run.models))
    names = [f"learning_curves_member{folder.name}" for folder in folders] if len(folders) > 1 else ["learning_curves"]
    for name, folder in zip(names, folders, strict=True):
        yield name, plotting.learning_curves(runs.read_history(folder))


def _classifies(subject: Subject) -> bool:
    return subject.task == "classification"


def _regresses(subject: Subject) -> bool:
    return subject.task == "regression"


def _segments(subject: Subject) -> bool:
    return subject.task == "segmentation"


def _has_posteriors(subject: Subject) -> bool:
    return bool(signal_to_noise(subject.run.model))


def _both(*conditions: Callable[[Subject], bool]) -> Callable[[Subject], bool]:
    return lambda subject: all(condition(subject) for condition in conditions)


def _held_out(subject: Subject) -> bool:
    return subject.dataset.validation_held_out


_CLASSES, _POSTERIORS = "classes of images", "posteriors with moments"
_HELD_OUT = f"{_CLASSES}, validation images that were not trained on"

# In the order in which they are drawn.
FIGURES: tuple[Figure, ...] = (
    Figure(learning_curves, "nothing else", lambda subject: True),
    Figure(classification.reliability, _CLASSES, _classifies),
    Figure(classification.temperature_scaling, _HELD_OUT, _both(_classifies, _held_out)),
    Figure(classification.risk_coverage, _CLASSES, _classifies),
    Figure(
        classification.sample_convergence,
        f"{_CLASSES}, a fixed number of draws that were kept",
        _both(_classifies, lambda s: s.has_draws, lambda s: s.test.samples is not None),
    ),
    Figure(classification.conformal_sets, _HELD_OUT, _both(_classifies, _held_out)),
    Figure(
        classification.certainty,
        f"{_CLASSES} or series; of images, one channel or three",
        _both(_classifies, classification.has_pictures),
    ),
    Figure(
        classification.ranked_images,
        f"{_CLASSES} or series; of images, one channel or three",
        _both(_classifies, classification.has_pictures),
    ),
    Figure(robustness.histograms, "evaluation.ood", lambda s: s.has_strange),
    Figure(robustness.roc, "evaluation.ood", lambda s: s.has_strange),
    Figure(robustness.out_of_distribution, "evaluation.ood", lambda s: s.has_strange),
    Figure(robustness.shift, "evaluation.corruptions", lambda s: bool(s.run.config.evaluation.corruptions)),
    Figure(regression.predicted_against_true, "real targets", _regresses),
    Figure(
        regression.quantile_calibration,
        "real targets, draws that were kept",
        _both(_regresses, regression.has_quantiles),
    ),
    Figure(
        regression.error_coverage,
        "real targets, a likelihood with a variance",
        _both(_regresses, regression.has_variance),
    ),
    Figure(
        regression.predictive_bands,
        "real targets of a single input",
        _both(_regresses, regression.has_one_input),
    ),
    Figure(segmentation.segmentation_maps, "classes of pixels", _segments),
    Figure(segmentation.pixel_reliability, "classes of pixels", _segments),
    Figure(posteriors.signal_to_noise, _POSTERIORS, _has_posteriors),
    Figure(posteriors.pruning, _POSTERIORS, _has_posteriors),
    Figure(posteriors.weight_histograms, _POSTERIORS, _has_posteriors),
    Figure(posteriors.weight_densities, _POSTERIORS, _has_posteriors),
    Figure(posteriors.kernels, f"{_POSTERIORS}, convolutions", _has_posteriors),
    Figure(posteriors.kl_by_layer, _POSTERIORS, _has_posteriors),
    Figure(
        posteriors.prior_predictive,
        f"{_POSTERIORS}, {_CLASSES} or real targets of a single input",
        _both(_has_posteriors, lambda s: _classifies(s) or (_regresses(s) and regression.has_one_input(s))),
    ),
)


def names() -> list[str]:
    """The names of all figures, in the order in which they are drawn."""
    return [figure.draw.__name__ for figure in FIGURES]


def draw(
    run: Run,
    dataset: Dataset,
    *,
    only: Sequence[str] | None = None,
    file_format: str = "png",
    dpi: int = 150,
) -> list[Path]:
    """Draws what the run's data and weights allow.

    Args:
      run: A trained run.
      dataset: Its data.
      only: Names of figures, see `names`; None for all.
      file_format: `"png"`, `"pdf"` or `"svg"`.
      dpi: Dots per inch.

    Returns:
      The paths of the files in the run's `figures` folder.

    Raises:
      ValueError: If a name is unknown, or a named figure does not suit the run.
    """
    figures = drawn(Subject(run, dataset), only)
    return plotting.save_all(figures, run.folder / runs.FIGURES, file_format=file_format, dpi=dpi)


def drawn(subject: Subject, only: Sequence[str] | None = None) -> Iterator[tuple[str, Any]]:
    """Names and axes of the figures, in their order.

    Args:
      subject: What they are drawn from.
      only: Names of figures; None for all that suit the run.

    Raises:
      ValueError: If a name is unknown, or a named figure does not suit the run.
    """
    for name in only or ():
        if name not in names():
            raise ValueError(unknown_name_message("figure", name, names()))
    for figure in FIGURES:
        if only is not None and figure.draw.__name__ not in only:
            continue
        if figure.suits(subject):
            yield from figure.draw(subject)
        elif only is not None:
            raise ValueError(
                f"The figure {figure.draw.__name__!r} takes a run with: {figure.needs}. {subject.run.folder} has not; "
                "leave it out."
            )

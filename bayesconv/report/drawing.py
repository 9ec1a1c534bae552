"""The figures of a run as pictures of a report."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from bayesconv import figures, plotting, runs
from bayesconv.figures import Figure, Subject
from bayesconv.report import captions
from bayesconv.report.document import Block, Paragraph, Picture
from bayesconv.report.evaluating import EXPECTED, is_newer
from bayesconv.runs import Run

_DIAGNOSIS = "diagnosis"


def pictures(subject: Subject, *, has_data: bool = True, dpi: int = 110) -> Mapping[str, list[Block]]:
    """What `bayesconv plot` draws, by section; a warning stands where a figure could not be drawn.

    Args:
      subject: The run and its data.
      has_data: Whether its data can be read; without them figures of weights and of the training are drawn.
      dpi: Dots per inch.
    """
    found: dict[str, list[Block]] = {}
    for figure in figures.FIGURES:
        name = figure.draw.__name__
        section = captions.section_of(name)
        if not has_data and (section not in ("training", "weights") or name == "prior_predictive"):
            continue
        try:
            drawn: list[Block] = [*_drawn(figure, subject, dpi)] if figure.suits(subject) else []
        except EXPECTED as error:
            drawn = [Paragraph(f"The figure {captions.title_of(name)} could not be drawn: {error}", is_warning=True)]
        found.setdefault(section, []).extend(drawn)
    return found


def _drawn(figure: Figure, subject: Subject, dpi: int) -> list[Picture]:
    """With the bytes that a file of each would have."""
    caption = captions.caption_of(figure.draw.__name__, figure.draw.__doc__)
    with tempfile.TemporaryDirectory() as folder:
        paths = plotting.save_all(figure.draw(subject), folder, dpi=dpi)
        return [Picture(path.stem, path.read_bytes(), captions.title_of(path.stem), caption) for path in paths]


def diagnosed(run: Run) -> list[Block]:
    """The figure of `bayesconv diagnose`, if it is there and of these weights."""
    path: Path = run.folder / runs.FIGURES / f"{_DIAGNOSIS}.png"
    if not is_newer(run, path):
        return []
    return [Picture(_DIAGNOSIS, path.read_bytes(), "KL and scales", captions.caption_of(_DIAGNOSIS, None))]

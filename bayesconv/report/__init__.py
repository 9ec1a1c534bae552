"""A report on a run in one HTML file: numbers, figures, decisions, diagnosis, configuration and environment."""

from __future__ import annotations

import datetime
from pathlib import Path

import bayesconv as bc
from bayesconv.files import check_target, write_text
from bayesconv.report.contents import document
from bayesconv.report.document import Document
from bayesconv.report.material import Material, gather
from bayesconv.report.rendering import render
from bayesconv.report.wording import size

__all__ = ["REPORT", "Document", "Material", "document", "gather", "render", "write"]

REPORT = "report.html"
_SIZE = "@size@"


def write(run_dir: str | Path, out: str | Path | None = None, *, dpi: int = 110) -> Path:
    """Writes the report on a run as one HTML file that loads nothing, whole or not at all.

    It shows what is in the run's folder and is of its weights. An evaluation or a diagnosis that is missing or of other
    weights is made, and written there; what cannot be made is said in the report.

    Args:
      run_dir: The run folder.
      out: The file; `report.html` in the run's folder by default.
      dpi: Dots per inch of the figures.

    Returns:
      The path of the file.

    Raises:
      FileNotFoundError: If the folder holds no trained run.
      ValueError: If a file that every run has is damaged, or `dpi` is not positive.
      OSError: If `out` is a folder, or cannot be written.
    """
    path = Path(run_dir) / REPORT if out is None else Path(out)
    check_target(path)  # before minutes of work
    if not dpi > 0:
        raise ValueError(f"`dpi` must be positive. Received {dpi}.")
    made = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    footer = f"Written {made} by bayesconv {bc.__version__}: one file of {_SIZE}, which loads nothing."
    html = render(document(gather(run_dir, dpi=dpi), footer))
    return write_text(path, html.replace(_SIZE, size(len(html.encode()))))

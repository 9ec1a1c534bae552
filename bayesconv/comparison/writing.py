"""A comparison as files."""

from __future__ import annotations

import json
from pathlib import Path

from bayesconv import plotting, splits
from bayesconv.comparison.comparing import Comparison
from bayesconv.comparison.directions import direction, label
from bayesconv.comparison.table import as_csv
from bayesconv.files import write_text
from bayesconv.plotting.comparison import comparison_dots
from bayesconv.plotting.theme import AxesArray

NAME = "comparison"


def write(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Writes `comparison.json`, `comparison.csv` and `comparison.png`; of validation images `comparison_validation...`.

    Args:
      comparison: What `compare` returned.
      folder: Where they go; made if need be.

    Returns:
      The paths.
    """
    base = Path(folder) / (NAME if comparison.split == splits.TEST else f"{NAME}_{comparison.split}")
    paths = [
        write_text(base.with_suffix(".json"), json.dumps(comparison.as_json(), indent=2) + "\n"),
        write_text(base.with_suffix(".csv"), as_csv(comparison)),
    ]
    if comparison.metrics:
        paths.append(plotting.save(draw(comparison), base.with_suffix(".png"), close=True))
    return paths


def draw(comparison: Comparison) -> AxesArray:
    """The dot plot of a comparison: one panel a metric, one row a configuration.

    Args:
      comparison: What `compare` returned.
    """
    values = {
        m: {row.name: list(row.scores[m].by_seed.values()) for row in comparison.rows} for m in comparison.metrics
    }
    intervals = {
        m: {row.name: (row.scores[m].mean, row.scores[m].lower, row.scores[m].upper) for row in comparison.rows}
        for m in comparison.metrics
    }
    better = {m: direction(m) for m in comparison.metrics}
    labels = {m: label(m) for m in comparison.metrics}
    return comparison_dots(
        values, intervals, better=better, best=comparison.best, baseline=comparison.baseline, labels=labels
    )

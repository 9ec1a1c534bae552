"""A prediction as arrays for an archive and as lines of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesconv import tabulation
from bayesconv.prediction import Predictive


def as_files(
    predictive: Predictive, names: Sequence[str], decided: Mapping[str, Sequence[Any]] | None = None
) -> tuple[dict[str, Any], str]:
    """Arrays for an archive and lines of CSV, by what the targets are.

    Args:
      predictive: The prediction.
      names: One a class or target.
      decided: Further columns, with an entry for each image.
    """
    others = {name: np.asarray(values) for name, values in (decided or {}).items()}
    if predictive.likelihood == "categorical":
        columns = _columns(predictive)
        return {**columns, **others}, _as_csv(columns, names, others)
    table = {**tabulation.columns(predictive, names), **others}
    if predictive.mean.ndim > 2:
        return {**_columns(predictive), **others}, _lines({**_by_image(predictive, names), **others})
    return table, _lines(table)


def as_table(
    predictive: Predictive, names: Sequence[str], decided: Mapping[str, Sequence[Any]] | None = None
) -> dict[str, Any]:
    """Columns of a table, a row an image, or a row a pixel, each of which has what was decided for its image.

    Args:
      predictive: The prediction.
      names: One a class or target.
      decided: Further columns, with an entry for each image.
    """
    table = tabulation.columns(predictive, names)
    rows = len(next(iter(table.values()))) // max(len(predictive.mean), 1)
    return {**table, **{name: np.repeat(np.asarray(values), rows) for name, values in (decided or {}).items()}}


def _by_image(predictive: Predictive, names: Sequence[str]) -> dict[str, Any]:
    """One row an image: the share of its pixels that each class has on top, and the means over its pixels."""
    pixels, top = (1, 2), predictive.mean.argmax(axis=-1)
    shares = {f"share_{name}": (top == k).mean(axis=pixels) for k, name in enumerate(names)}
    means = {name: getattr(predictive, name).mean(axis=pixels) for name in tabulation.UNCERTAINTIES}
    return {"image": np.arange(len(top)), **shares, **means}


def _lines(table: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow([f"{value:.6g}" if isinstance(value, np.floating) else value for value in row])
    return stream.getvalue()


def _columns(predictive: Predictive) -> dict[str, Any]:
    uncertainties = {name: getattr(predictive, name) for name in tabulation.UNCERTAINTIES}
    return {"class": predictive.mean.argmax(axis=-1), "probs": predictive.mean, "std": predictive.std, **uncertainties}


def _as_csv(columns: Mapping[str, Any], class_names: Sequence[str], others: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [*(f"p_{name}" for name in class_names), *tabulation.UNCERTAINTIES, *others]
    writer.writerow(["image", "class", "class_name", *names])
    for i, label in enumerate(columns["class"]):
        numbers = [*columns["probs"][i], *(columns[name][i] for name in tabulation.UNCERTAINTIES)]
        decided = [values[i] for values in others.values()]
        writer.writerow([i, label, class_names[label], *(f"{number:.6g}" for number in numbers), *decided])
    return stream.getvalue()

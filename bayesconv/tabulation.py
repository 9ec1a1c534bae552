"""Predictions as columns of a table and as files."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayesconv import files

UNCERTAINTIES = ("predictive_entropy", "expected_entropy", "mutual_information", "mutual_information_corrected")
LEVEL = 0.9  # of the intervals in tables
_DESCRIPTION, _FORMAT = "description", "bayesconv.Predictive 1"
_VOTING = ("variation_ratio", "disagreement")


def columns(predictive: Any, class_names: Sequence[str] | None = None) -> dict[str, Any]:
    """Columns of one number an input, or one a pixel; arrays of equal length by name.

    Args:
      predictive: A `Predictive`.
      class_names: Of the K classes or targets; numbers by default.

    Raises:
      ValueError: If the names are not K.
    """
    num = predictive.mean.shape[-1]
    names = [str(name) for name in (range(num) if class_names is None else class_names)]
    if len(names) != num:
        raise ValueError(f"There must be {num} `class_names`, one for every output. Received {names}.")
    table = {**_place(predictive), **(_of_classes if _is_of_classes(predictive) else _of_targets)(predictive, names)}
    uncertainties = {name: getattr(predictive, name) for name in UNCERTAINTIES}
    return {**table, **{name: np.ravel(values) for name, values in uncertainties.items() if not np.isnan(values).all()}}


def _is_of_classes(predictive: Any) -> bool:
    return predictive.likelihood in ("categorical", "bernoulli", "categorical_per_pixel")


def _place(predictive: Any) -> dict[str, Any]:
    shape = predictive.mean.shape[:-1]
    axes = ["image", "row", "column"][: len(shape)]
    return {name: index.ravel() for name, index in zip(axes, np.indices(shape), strict=True)}


def _of_classes(predictive: Any, names: list[str]) -> dict[str, Any]:
    top = predictive.mean.argmax(axis=-1).ravel()
    table: dict[str, Any] = {}
    if predictive.likelihood != "bernoulli":
        table = {"class": top, "class_name": np.array(names)[top]}
    table |= _by_name("p_", predictive.mean, names) | _by_name("std_", predictive.std, names)
    if predictive.votes is not None:
        table |= {name: getattr(predictive, name).ravel() for name in _VOTING}
    return table


def _of_targets(predictive: Any, names: list[str]) -> dict[str, Any]:
    table = _by_name("mean_", predictive.mean, names) | _by_name("epistemic_std_", predictive.std, names)
    if predictive.noise_variance is not None:
        table |= _by_name("aleatoric_std_", predictive.aleatoric_std, names)
        table |= _by_name("total_std_", predictive.total_std, names)
    try:
        lower, upper = predictive.interval(LEVEL)
    except (AttributeError, ValueError):  # the draws were not kept, or the levels of the quantiles are others
        return table
    return table | _by_name("lower_", lower, names) | _by_name("upper_", upper, names)


def _by_name(prefix: str, values: Any, names: list[str]) -> dict[str, Any]:
    return {f"{prefix}{name}": values[..., i].ravel() for i, name in enumerate(names)}


def data_frame(predictive: Any, class_names: Sequence[str] | None = None) -> Any:
    """The columns as a `pandas.DataFrame`; a ValueError if there is no pandas."""
    return _optional("pandas").DataFrame(columns(predictive, class_names))


def write_parquet(path: str | os.PathLike[str], predictive: Any, class_names: Sequence[str] | None = None) -> Path:
    """Writes the columns to a Parquet file; a ValueError if there is no pandas or pyarrow."""
    return write_table(path, columns(predictive, class_names))


def write_table(path: str | os.PathLike[str], table: Mapping[str, Any]) -> Path:
    """Writes columns of equal length to a Parquet file; a ValueError if there is no pandas or pyarrow."""
    _optional("pyarrow")
    frame = _optional("pandas").DataFrame(table)
    return files.write_atomically(path, lambda file: frame.to_parquet(file, engine="pyarrow", index=False))


def _optional(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"Tables are made by pandas, and Parquet files by pyarrow. {module} is missing; install both by "
            "pip install 'bayesconv[tables]', or use to_npz."
        ) from error


def write_npz(path: str | os.PathLike[str], predictive: Any) -> Path:
    """Writes all fields to an `.npz` file."""
    fields = {field.name: getattr(predictive, field.name) for field in dataclasses.fields(predictive)}
    arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
    others = {name: value for name, value in fields.items() if name not in arrays}
    others["likelihood_options"] = dict(others["likelihood_options"])
    description = json.dumps({"format": _FORMAT, **others}, default=_as_json)
    return files.save_arrays(path, {**arrays, _DESCRIPTION: np.array(description)})


def _as_json(value: Any) -> Any:
    return np.asarray(value).tolist()  # a seed may be a tensor or an array


def read_npz(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields that `write_npz` wrote."""
    arrays = files.load_arrays(path)
    try:
        others: Mapping[str, Any] = json.loads(str(arrays.pop(_DESCRIPTION)))
        found = {name: value for name, value in others.items() if name != "format"}
        is_ours = others["format"] == _FORMAT
    except (KeyError, ValueError, TypeError, AttributeError):
        is_ours = False
    if not is_ours:
        raise ValueError(f"{path} must be a file that Predictive.to_npz wrote. It is none, or one of a later version.")
    found["draws_by_member"] = tuple(found.get("draws_by_member", ()))
    return {**found, **arrays}

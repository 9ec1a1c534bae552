"""TFP's files of variables by position, and its table of variables."""

from __future__ import annotations

import collections
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from bayesconv import files
from bayesconv.layers import variables as by_path


def variables_save(filename: str | os.PathLike[str], variables: Any) -> Path:
    """Writes a structure of variables to an `.npz` file, in its order and without names, as TFP did.

    `layer.save` writes names, which `layer.load` checks: prefer it for new files.

    Args:
      filename: Path of the file.
      variables: Structure of variables.

    Returns:
      The path.

    Example:
      >>> variables_save("v.npz", [tf.Variable([1.0])]).name
      'v.npz'
    """
    return files.save_arrays(filename, by_path.values(_by_position(variables)))


def variables_load(filename: str | os.PathLike[str], variables: Any) -> None:
    """Reads what `variables_save`, of TFP or of this module, wrote.

    Args:
      filename: Path of the file.
      variables: Structure of variables, in the order in which they were written.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is damaged, or number, shapes or dtypes differ; no variable has changed then.
    """
    by_path.assign(_by_position(variables), files.load_arrays(filename), source=filename)


def variables_summary(variables: Any, name: str | None = None) -> str:
    """A table of variables: size, shape, whether trained, and name.

    Args:
      variables: Structure of variables.
      name: Title of the table, or None.

    Example:
      >>> variables_summary([tf.Variable(tf.zeros([2, 3]))]).splitlines()[-1]
      'trainable size: 6  /  0.000 MiB  /  {float32: 6}'
    """
    flat = tf.nest.flatten(variables)
    rows = [("SIZE", "SHAPE", "TRAIN", "NAME")]
    rows += [(str(v.shape.num_elements()), str(v.shape.as_list()), str(v.trainable), v.name) for v in flat]
    lines = [] if name is None else [f"=== {name} {'=' * 50}"]
    lines += [f"{size:>6} {shape:20} {train:5} {label}" for size, shape, train, label in rows]
    return "\n".join([*lines, _trainable(flat)])


def _trainable(variables: list[tf.Variable]) -> str:
    counts: collections.Counter[tf.DType] = collections.Counter()
    for variable in variables:
        if variable.trainable:
            counts[variable.dtype] += variable.shape.num_elements()
    mebibytes = sum(dtype.size * count for dtype, count in counts.items()) / 2**20
    by_dtype = ", ".join(f"{dtype.name}: {count}" for dtype, count in counts.items())
    return f"trainable size: {counts.total()}  /  {mebibytes:.3f} MiB  /  {{{by_dtype}}}"


def _by_position(variables: Any) -> dict[str, tf.Variable]:
    return {f"arr_{i}": variable for i, variable in enumerate(tf.nest.flatten(variables))}

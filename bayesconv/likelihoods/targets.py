"""Targets in the shape and type of the outputs that they are compared with, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


def whole(labels: Any) -> tf.Tensor:
    """Labels as int32 or int64."""
    labels = tf.convert_to_tensor(labels)
    return labels if labels.dtype in (tf.int32, tf.int64) else tf.cast(labels, tf.int32)


def like(targets: Any, outputs: tf.Tensor) -> tf.Tensor:
    """Targets `[N]` or `[N, T]` in the shape and type of outputs `[N, T]`."""
    return tf.cast(tf.reshape(targets, tf.shape(outputs)), outputs.dtype)


def check_size(targets: np.ndarray, likelihood: str, num_targets: int, num_outputs: int) -> None:
    """Raises a ValueError unless there are as many numbers an example as the outputs speak of."""
    if targets.size != len(targets) * num_targets:
        raise ValueError(
            f"The {likelihood} likelihood takes targets [N, {num_targets}], since the model has {num_outputs} outputs. "
            f"Received targets of shape {targets.shape}."
        )


def check_real(targets: np.ndarray, likelihood: str) -> None:
    """Raises a ValueError unless the targets are finite real numbers."""
    if not np.issubdtype(targets.dtype, np.number) or np.issubdtype(targets.dtype, np.complexfloating):
        raise ValueError(f"The {likelihood} likelihood takes real numbers. Received dtype {targets.dtype.name}.")
    missing = targets.size - int(np.isfinite(targets).sum())
    if missing:
        raise ValueError(
            f"The {likelihood} likelihood takes finite targets. Received {missing} of {targets.size} that are not; "
            "leave out the examples that they are of."
        )


def check_share(likelihood: str, num_outputs: int, each: int) -> int:
    """Number of targets that outputs tell of, `each` of them for one; a ValueError if it does not come out even."""
    if num_outputs % each:
        raise ValueError(
            f"The {likelihood} likelihood takes {each} outputs a target. Received a model with {num_outputs} outputs; "
            f"give it {each} times the number of targets."
        )
    return num_outputs // each


def check_labels(labels: np.ndarray, likelihood: str, num_classes: int, ignored: int | None = None) -> None:
    """Raises a ValueError unless the labels are classes that the model has an output for, or the ignored one."""
    counted = labels if ignored is None else labels[labels != ignored]
    if not counted.size:
        return
    if counted.min() < 0 or counted.max() >= num_classes:
        hint = "" if likelihood == "categorical" else " A label to leave out is the option ignored_label."
        raise ValueError(
            f"Labels must be in [0, {num_classes}), since the model has {num_classes} outputs. "
            f"Received labels from {counted.min()} to {counted.max()}. Count classes from 0, or give the model more "
            f"outputs.{hint}"
        )

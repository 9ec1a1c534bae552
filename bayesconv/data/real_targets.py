"""A user's own examples with real numbers to predict."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesconv.data.division import with_validation
from bayesconv.data.registry import Array, Dataset, Split


def are_real(labels: Array) -> bool:
    """Whether labels are real numbers by their type."""
    return np.issubdtype(labels.dtype, np.floating)


def as_targets(array: Array, what: str, *, length: int, num_targets: int | None = None) -> Array:
    """Real targets as models read them, float32 `[N, T]`.

    Args:
      array: Numbers `[N]` or `[N, T]`.
      what: What the array is, for error messages.
      length: Number of examples they belong to, N.
      num_targets: Number of targets of an example, T, as in training; None takes any.

    Raises:
      ValueError: If type or shape differ, or a number is not finite.

    Example:
      >>> as_targets(np.array([1, 2]), "y", length=2).tolist()
      [[1.0], [2.0]]
    """
    if not np.issubdtype(array.dtype, np.number) or array.ndim < 1 or array.ndim > 2 or array.size == 0:
        raise ValueError(f"{what} must be numbers [N] or [N, T]. Received {array.dtype} of shape {list(array.shape)}.")
    targets = array.reshape(len(array), -1)
    if len(targets) != length or num_targets not in (None, targets.shape[1]):
        expected, received = [length, num_targets or "T"], list(array.shape)
        shape = f"[{', '.join(map(str, expected))}]"
        raise ValueError(f"{what} must be finite numbers {shape}, as in training. Received shape {received}.")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, which is reported next
        targets = targets.astype(np.float32)
    if wrong := int((~np.isfinite(targets)).any(axis=1).sum()):
        raise ValueError(
            f"{what} must be finite float32 numbers. Received NaN or infinite ones in {wrong} of {length} rows; "
            "remove or fill them."
        )
    return targets


def regression(
    name: str, splits: Mapping[str, Split], fraction: float, seed: int, weights: Array | None = None
) -> Dataset:
    """The data set of such parts; if there is no validation part, some training examples are held out, at random.

    Raises:
      ValueError: If the parts differ in their number of targets, or no example would be left to train on.
    """
    counts = {f"y_{part}": split.y.shape[1] for part, split in splits.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"All parts must have the same number of targets. Received {counts}.")
    train, validation, test, weights = with_validation(splits, weights, fraction, seed, stratified=False)
    count = counts["y_train"]
    names = ("target",) if count == 1 else tuple(f"target_{i}" for i in range(count))
    return Dataset(name, train, validation, test, count, names, task="regression", train_weights=weights)

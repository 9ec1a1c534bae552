"""Checks of the arguments that layers share."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence


def per_axis(name: str, value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """One positive int per spatial axis, from one for all or a sequence.

    Raises:
      ValueError: If there is another number of them, or one is not a positive int.
    """
    values = tuple(value) if isinstance(value, Iterable) else (value,) * rank
    if len(values) != rank or not all(isinstance(v, numbers.Integral) and v > 0 for v in values):
        raise ValueError(f"`{name}` is a positive int or one per spatial axis, {rank} in all. Received {value!r}.")
    return tuple(int(v) for v in values)


def as_batch_shape(batch_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of a batch of kernels as a tuple; a ValueError if it is none."""
    sizes = tuple(batch_shape) if isinstance(batch_shape, Iterable) else (batch_shape,)
    if not all(isinstance(size, numbers.Integral) and size > 0 for size in sizes):
        raise ValueError(f"`batch_shape` is a positive int or a sequence of them. Received {batch_shape!r}.")
    return tuple(int(size) for size in sizes)


def check_rank(rank: int) -> None:
    """Raises a ValueError unless the number of spatial axes is 1, 2 or 3."""
    if rank not in (1, 2, 3):
        raise ValueError(f"`rank`, the number of spatial axes, is 1, 2 or 3. Received {rank!r}.")


def check_positive(**sizes: int) -> None:
    """Raises a ValueError that names the arguments unless all are positive ints."""
    if not all(isinstance(size, numbers.Integral) and size > 0 for size in sizes.values()):
        names = ", ".join(f"`{name}`" for name in sizes)
        received = ", ".join(f"{name}={size!r}" for name, size in sizes.items())
        raise ValueError(f"{names} must be positive ints. Received {received}.")

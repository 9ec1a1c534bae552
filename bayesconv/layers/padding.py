"""What happens at the borders of a convolution, for every operator over spatial axes."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.layers.shapes import at_least_zero, sizes

MODES = ("VALID", "SAME", "CAUSAL", "FULL", "REFLECT", "SYMMETRIC")
MIRRORS = ("REFLECT", "SYMMETRIC")
EXPLICIT = "EXPLICIT"
Pairs = tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class Padding:
    """How inputs are extended before a convolution, or outputs cropped after a transposed one.

    Along an axis of `n` positions, a filter that reaches over `r` of them and a stride `s`:

    ```
    VALID              nothing
    SAME               zeros, so that ceil(n / s) outputs result; the odd one goes after
    CAUSAL             r - 1 zeros before: no output depends on a later input
    FULL               r - 1 zeros on both sides: every overlap counts
    REFLECT SYMMETRIC  as many as SAME, mirrored without and with the border itself
    EXPLICIT           `pairs`: zeros before and after, by axis
    ```

    Attributes:
      mode: One of these.
      pairs: Numbers of zeros before and after each axis, for EXPLICIT.
    """

    mode: str
    pairs: Pairs = ()

    def amounts(self, lengths: Sequence[Any], reaches: Sequence[int], strides: Sequence[int]) -> list[tuple[Any, Any]]:
        """Positions added before and after each axis; ints where the sizes are, else scalar tensors."""
        if self.mode == EXPLICIT:
            return list(self.pairs)
        return [self._amount(n, r, s) for n, r, s in zip(lengths, reaches, strides, strict=True)]

    def _amount(self, size: Any, reach: int, stride: int) -> tuple[Any, Any]:
        if self.mode == "VALID":
            return 0, 0
        if self.mode == "CAUSAL":
            return reach - 1, 0
        if self.mode == "FULL":
            return reach - 1, reach - 1
        total = at_least_zero((-(-size // stride) - 1) * stride + reach - size)
        return total // 2, total - total // 2

    def pad(self, inputs: tf.Tensor, reaches: Sequence[int], strides: Sequence[int]) -> tf.Tensor:
        """Inputs `[N, spatial.., C]`, padded so that a VALID convolution does the rest."""
        if self.mode == "VALID":
            return inputs
        pairs = self.amounts(sizes(inputs)[1:-1], reaches, strides)
        mode: Any = self.mode if self.mode in MIRRORS else "CONSTANT"
        return tf.pad(inputs, [(0, 0), *pairs, (0, 0)], mode=mode)

    def crops(
        self, reaches: Sequence[int], strides: Sequence[int], extra: Sequence[int] | None
    ) -> list[tuple[int, int]]:
        """How many of the positions that a transposed convolution reaches are cut off before and after each axis.

        A negative number after an axis is one of positions added there, which no filter reaches.

        Args:
          reaches: Of the filters.
          strides: Of the convolution that is transposed.
          extra: `output_padding` by axis; None for the default length, `n s` for SAME and CAUSAL.
        """
        axes = range(len(reaches))
        return [self._crop(i, reaches[i], strides[i], None if extra is None else extra[i]) for i in axes]

    def _crop(self, axis: int, reach: int, stride: int, extra: int | None) -> tuple[int, int]:
        if self.mode == "SAME":
            total = reach - stride if extra is None else 2 * (reach // 2) - extra
            before = max(total, 0) // 2
            return before, total - before
        if extra is None:
            extra = stride - 1 if self.mode == "CAUSAL" else max(stride - reach, 0)
        explicit = self.pairs[axis] if self.mode == EXPLICIT else (reach - 1, reach - 1)
        before, after = {"VALID": (0, 0), "CAUSAL": (0, reach - 1)}.get(self.mode, explicit)
        return before, after - extra

    def check(
        self,
        name: str,
        shape: tf.TensorShape,
        lengths: Sequence[int | None],
        reaches: Sequence[int],
        strides: Sequence[int],
    ) -> None:
        """Raises a ValueError if an axis of known size is too small to be mirrored, or for the filters."""
        for i, size in enumerate(lengths):
            if size is not None:
                amounts = self.pairs[i] if self.mode == EXPLICIT else self._amount(size, reaches[i], strides[i])
                self._check_mirror(name, shape, size, max(amounts))
                self._check_reach(name, shape, size + sum(amounts), reaches[i])

    def _check_mirror(self, name: str, shape: tf.TensorShape, size: int, amount: int) -> None:
        most = size - 1 if self.mode == "REFLECT" else size
        if self.mode in MIRRORS and amount > most:
            raise ValueError(
                f"{self.mode} padding mirrors no more than the axis itself, here {most} of its {size} positions, and "
                f"`{name}` needs {amount}. Received inputs of shape {shape}: use padding='SAME', smaller filters or "
                "larger inputs."
            )

    def _check_reach(self, name: str, shape: tf.TensorShape, size: int, reach: int) -> None:
        if 0 < size < reach:
            raise ValueError(
                f"The filters of `{name}` reach over {reach} positions of an axis that has {size}, padding included. "
                f"Received inputs of shape {shape}: use padding='SAME' or smaller filters."
            )


def as_padding(padding: Any, rank: int) -> Padding:
    """Parses what a user may write: a mode in any case, or pairs of numbers of zeros, one for each spatial axis.

    Raises:
      ValueError: If it is neither, or the mode does not exist in this rank.

    Example:
      >>> as_padding("same", 2).mode, as_padding([(1, 0), (2, 2)], 2).pairs
      ('SAME', ((1, 0), (2, 2)))
    """
    if isinstance(padding, Padding):
        return padding
    if isinstance(padding, str) and padding.upper() in MODES:
        if padding.upper() == "CAUSAL" and rank != 1:
            raise ValueError(
                f"CAUSAL padding is for sequences, rank=1. Received rank={rank}: give explicit pairs, for example "
                f"{[(2, 0), *[(1, 1)] * (rank - 1)]}."
            )
        return Padding(padding.upper())
    pairs = _as_pairs(padding)
    if pairs is None or len(pairs) != rank:
        raise ValueError(
            f"`padding` is one of {list(MODES)}, in any case, or pairs of numbers of zeros, one for each of the {rank} "
            f"spatial axes, such as {[(1, 1)] * rank}. Received {padding!r}."
        )
    return Padding(EXPLICIT, pairs)


def _as_pairs(value: Any) -> Pairs | None:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return None
    pairs: list[tuple[Any, ...]] = [tuple(pair) if isinstance(pair, Iterable) else () for pair in value]
    is_valid = all(len(p) == 2 and all(isinstance(n, numbers.Integral) and int(n) >= 0 for n in p) for p in pairs)
    return tuple((int(before), int(after)) for before, after in pairs) if is_valid else None


def validated_padding(padding: str) -> str:
    """VALID or SAME, all that windows without weights know, in capitals; a ValueError if it is neither."""
    if not isinstance(padding, str) or padding.upper() not in ("VALID", "SAME"):
        raise ValueError(f"`padding` must be one of ['VALID', 'SAME'], in any case. Received {padding!r}.")
    return padding.upper()

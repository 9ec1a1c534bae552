"""Timing side by side: contenders take turns, and a figure is the median of the rounds' ratios to the first one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Timing(NamedTuple):
    """Of one contender: median seconds of a call, and the median, lowest and highest ratio to the reference."""

    seconds: float
    ratio: float
    lowest: float
    highest: float


def time_interleaved(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int = 15, calls: int = 10
) -> dict[str, Timing]:
    """Times contenders in turn; the first is the reference.

    A machine that is slow for a while is so for all contenders of a round, so ratios are steadier than times.

    Args:
      contenders: Functions that return when their work is done, by name.
      rounds: Number of rounds.
      calls: Calls of each contender in a round, of which the mean is taken.

    Returns:
      A `Timing` by name.
    """
    for call in contenders.values():
        for _ in range(3):
            call()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            began = time.perf_counter()
            for _ in range(calls):
                call()
            seconds[name].append((time.perf_counter() - began) / calls)
    reference = seconds[next(iter(contenders))]
    return {name: _timing(times, reference) for name, times in seconds.items()}


def _timing(times: list[float], reference: list[float]) -> Timing:
    ratios = [a / b for a, b in zip(times, reference, strict=True)]
    return Timing(statistics.median(times), statistics.median(ratios), min(ratios), max(ratios))

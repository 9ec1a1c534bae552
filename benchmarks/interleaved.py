"""Timing side by side: contenders take turns, and a figure is the median of the rounds' ratios to the first one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Timing(NamedTuple):
    """Of one contender: median seconds of a call, and the median, lowest and highest ratio to the reference."""

    seconds: float
    ratio: float
    lowest: float
    highest: float


Measure = Callable[[int], float]
"""Makes a number of calls and returns the mean seconds of one."""


class Pair(NamedTuple):
    """Two ways of doing the same.

    Attributes:
      contender: What is measured.
      reference: What it is compared with.
      calls: Calls of each in a round.
    """

    contender: Measure
    reference: Measure
    calls: int = 1


def measure_of(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Measure:
    """A `Measure` of a function that returns when its work is done."""

    def measure(calls: int) -> float:
        began = clock()
        for _ in range(calls):
            call()
        return (clock() - began) / calls

    return measure


def time_pairs(pairs: Mapping[str, Pair], *, rounds: int = 9, warm_up: int = 2) -> dict[str, Timing]:
    """Times each contender right next to its reference, round by round.

    In a round every contender takes its turn with its reference, which goes first in one round and second in the next,
    so that a machine that slows down or recovers favours neither.

    Args:
      pairs: By name.
      rounds: Number of rounds, so of ratios of each pair.
      warm_up: Calls of both beforehand, which trace and are not counted.

    Returns:
      A `Timing` by name; its ratio is the median of the pairs' ratios.
    """
    for pair in pairs.values():
        pair.reference(warm_up)
        pair.contender(warm_up)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
    for index in range(rounds):
        for name, pair in pairs.items():
            seconds[name].append(_one_round(pair, reference_first=index % 2 == 0))
    return {name: timing([own for own, _ in both], [other for _, other in both]) for name, both in seconds.items()}


def _one_round(pair: Pair, *, reference_first: bool) -> tuple[float, float]:
    if reference_first:
        reference = pair.reference(pair.calls)
        return pair.contender(pair.calls), reference
    own = pair.contender(pair.calls)
    return own, pair.reference(pair.calls)


def time_interleaved(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
    calls: int = 10,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Times contenders in turn; the first is the reference.

    A machine that is slow for a while is so for all contenders of a round, so ratios are steadier than times.

    Args:
      contenders: Functions that return when their work is done, by name.
      rounds: Number of rounds.
      calls: Calls of each contender in a round, of which the mean is taken.
      clock: Seconds since some moment.

    Returns:
      A `Timing` by name.
    """
    measures = {name: measure_of(call, clock) for name, call in contenders.items()}
    for call in contenders.values():
        for _ in range(3):
            call()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in measures.items():
            seconds[name].append(measure(calls))
    reference = seconds[next(iter(contenders))]
    return {name: timing(times, reference) for name, times in seconds.items()}


def timing(times: Sequence[float], reference: Sequence[float]) -> Timing:
    """What the seconds of a contender and of the reference in the same rounds amount to."""
    ratios = [a / b for a, b in zip(times, reference, strict=True)]
    return Timing(statistics.median(times), statistics.median(ratios), min(ratios), max(ratios))

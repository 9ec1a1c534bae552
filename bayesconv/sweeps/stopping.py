"""Signals that end a sweep, noted for its loop to see, so that none comes in the middle of anything."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stop:
    """How often the user asked to stop: once is gently, twice is at once."""

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """A signal handler."""
        self.asked += 1


@contextlib.contextmanager
def noted() -> Iterator[Stop]:
    """Notes SIGINT and SIGTERM in place of ending; only the main thread can, others leave signals as they are."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    # A shell ignores SIGINT in what it starts behind; that stays so.
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop.ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Progress of long work: a bar where somebody watches, a line now and then where a file does."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm


def bar(*arguments: Any, shown: bool | str, **options: Any) -> Any:
    """A `tqdm.tqdm` of these arguments and options, in a terminal or a notebook and if it is to be shown."""
    return tqdm(*arguments, disable=not (shown and is_watched()), **options)


def through(items: Iterable[Any], label: str, total: int | None, *, unit: str, shown: bool | str) -> Iterator[Any]:
    """The items, with a bar, or a line at the end where it would not be seen."""
    count, began = 0, time.perf_counter()
    for item in bar(items, label, total, shown=shown, unit=unit):
        yield item
        count += 1
    say(f"{label}: {count} {unit}, {time.perf_counter() - began:.0f} s", shown=shown)


def say(line: str, *, shown: bool | str) -> None:
    """Writes a line to standard error where a bar would not be seen, if progress is to be shown."""
    if not shown or sys.stderr is None or is_watched():
        return
    with contextlib.suppress(OSError, ValueError):  # of a stream that is closed: no reason to end what takes long
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def is_watched() -> bool:
    """Whether what is written to standard error can be overwritten: in a terminal, or in a notebook."""
    if sys.stderr is None or getattr(sys.stderr, "closed", False):
        return False
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or bool(getattr(sys.stderr, "isatty", lambda: False)())

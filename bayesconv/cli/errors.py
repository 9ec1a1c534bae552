"""Errors as one line on the terminal and an exit code."""

from __future__ import annotations

import contextlib
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

from bayesconv.cli import streams

BAD_INPUT, PROGRAMMING_ERROR, PARTLY_FAILED, INTERRUPTED = 2, 1, 3, 130


class Interrupted(KeyboardInterrupt):
    """An interrupt whose message says how to go on."""


class PartlyFailedError(Exception):
    """Some of what was asked for has failed, and the rest is done."""


def advice(interrupt: KeyboardInterrupt) -> str:
    """What an interrupt says besides that it was one."""
    return f" {interrupt}" if isinstance(interrupt, Interrupted) and str(interrupt) else ""


def report(error: Exception, *, debug: bool) -> int:
    """Tells the user of an error, with its traceback if asked to.

    Returns:
      The exit code.
    """
    if debug:
        traceback.print_exception(error)
    if isinstance(error, PartlyFailedError):
        return fail(str(error), PARTLY_FAILED)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # of TensorFlow
        return fail(_too_much(error), BAD_INPUT)
    if isinstance(error, (ValueError, TypeError, OSError, ArithmeticError, ImportError)):
        return fail(message(error), BAD_INPUT)
    hint = "" if debug else " This is probably a bug; run again with --debug to see where."
    return fail(f"{type(error).__name__}: {error}{hint}", PROGRAMMING_ERROR)


def _too_much(error: Exception) -> str:
    what = str(error).partition("OOM when ")[2] or str(error) or "out of memory"
    way_out = "Make the network, the batches, the images or their number smaller."
    return f"This takes more memory than there is: {what.splitlines()[0]}. {way_out}"


def message(error: Exception) -> str:
    """The text of an error, with the file and a way out for those of the operating system."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}. Check the path, its permissions and the space on its disk."


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Shows what is warned of as one line without the place in the source; filters stay as they are."""
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        with contextlib.suppress(OSError):  # nobody can be told
            sys.stderr.write(f"bayesconv: warning: {message}\n")

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown


def fail(text: str, code: int) -> int:
    """Writes an error behind everything that was printed before it, and gives its exit code back."""
    for stream, written in ((sys.stdout, ""), (sys.stderr, f"bayesconv: error: {text}\n")):
        try:
            stream.write(written)
            stream.flush()
        except OSError:  # nobody can be told, and Python would try again at its end
            streams.drop(stream)
    return code

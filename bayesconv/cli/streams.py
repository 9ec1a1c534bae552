"""Standard streams: closed, full, or noisy while TensorFlow is imported."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


def write(text: str) -> None:
    """Prints text now."""
    sys.stdout.write(text)
    sys.stdout.flush()


def is_terminal() -> bool:
    """Whether a progress bar, which goes to standard error, would be seen."""
    return sys.stderr.isatty()


def drop(stream: TextIO) -> None:
    """Leads what a stream still holds, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def open_closed() -> None:
    """Opens standard streams that the process was started without; a file would take their number otherwise."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Keeps off the terminal what TensorFlow writes to file descriptor 2 while it is imported, at any log level."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)

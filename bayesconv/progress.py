"""Progress of long work: a bar where somebody watches, a line now and then where a file does."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def bar(*arguments: Any, shown: bool | str, **options: Any) -> Any:
    """A `tqdm.tqdm` of these arguments and options, in a terminal or a notebook and if it is to be shown."""
    return tqdm(*arguments, disable=not (shown and is_watched()), **options)


def say(line: str, *, shown: bool | str) -> None:
    """Writes a line to standard error where a bar would not be seen, if progress is to be shown."""
    if shown and not is_watched() and sys.stderr is not None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def is_watched() -> bool:
    """Whether what is written to standard error can be overwritten: in a terminal, or in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or (sys.stderr is not None and sys.stderr.isatty())

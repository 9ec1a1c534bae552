"""What a user sees of a running sweep."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bayesconv.sweeps.manifest import FAILED, RUNNING, CellRecord, Manifest

_SECONDS = 1.0  # between looks at the folders


class Progress:
    """A line whenever a cell starts or ends, and on a terminal a bar of all cells with the time that is left.

    Args:
      manifest: The sweep.
      waiting: How many cells are to be run.
      shown: False shows nothing.
      write: Prints a line; to standard error by default.
    """

    def __init__(
        self, manifest: Manifest, waiting: int, *, shown: bool, write: Callable[[str], Any] | None = None
    ) -> None:
        self._manifest, self._shown, self._ended, self._total = manifest, shown, 0, waiting
        self._write = write or (lambda text: tqdm.write(text, file=sys.stderr))
        layout = "{l_bar}{bar}| {n:.1f}/{total} [{elapsed}<{remaining}{postfix}]"
        # Without a terminal (disable=None) the lines alone are left.
        self._bar = tqdm(
            total=waiting, desc="sweep", unit="cell", bar_format=layout, disable=None if shown else True, smoothing=0.1
        )
        self._next = 0.0

    def start(self, cell: CellRecord) -> None:
        """Says that a cell starts."""
        again = " again" if cell.attempts > 1 else ""
        self._say(f"{cell.name}: starts{again}")

    def end(self, cell: CellRecord) -> None:
        """Says how a cell ended."""
        self._ended += 1
        first_line = (cell.error or "").partition("\n")[0]
        said = f"failed. {first_line}" if cell.status == FAILED else cell.status
        self._say(f"{cell.name}: {said} ({self._ended} of {self._total})")
        self._next = 0.0

    def tick(self) -> None:
        """Brings the bar up to date, once a second."""
        if self._bar.disable or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SECONDS
        running = {cell.name: _epochs(self._manifest.folder, cell) for cell in self._manifest.with_status(RUNNING)}
        self._bar.n = self._ended + sum(done / total for done, total in running.values())
        self._bar.set_postfix_str("; ".join(f"{name} {done}/{total}" for name, (done, total) in running.items()))

    def close(self) -> None:
        """Ends the bar."""
        self.tick()
        self._bar.close()

    def _say(self, text: str) -> None:
        if self._shown:
            self._write(text)


def _epochs(sweep: Path, cell: CellRecord) -> tuple[int, int]:
    """How many epochs of a cell are done, and how many there are."""
    total = int(cell.config["training"]["epochs"])
    try:
        lines = (sweep / cell.name / "history.jsonl").read_bytes().count(b"\n")
    except OSError:
        lines = 0
    return min(lines, total), total

"""Cells as processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bayesconv.sweeps.manifest import FAILED, FINISHED, INTERRUPTED, LOGS

GRACE = 30.0  # seconds that a cell has to stop
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Outcome(NamedTuple):
    """How a cell ended: a status of the manifest, and what went wrong."""

    status: str
    error: str | None = None


def worker_command(sweep: Path, name: str) -> list[str]:
    """What runs one cell."""
    return [sys.executable, "-m", "bayesconv.sweeps.worker", str(sweep), name]


Command = Callable[[Path, str], list[str]]


class CellProcess:
    """One cell while it runs.

    Args:
      sweep: The sweep's folder.
      name: The cell's.
      environment: What to add to the environment of this process.
      command: What to run.
    """

    def __init__(
        self, sweep: Path, name: str, environment: Mapping[str, str], command: Command = worker_command
    ) -> None:
        self.log = sweep / LOGS / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command(sweep, name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C reaches the sweep alone, which then stops its cells
            )
        self._stopped_at: float | None = None

    def poll(self) -> Outcome | None:
        """How it ended, or None while it runs; kills what was stopped and does not."""
        code = self._process.poll()
        if code is None:
            if self._stopped_at is not None and time.monotonic() > self._stopped_at + GRACE:
                self._signal(signal.SIGKILL)
            return None
        self._close()
        said, _ = self._process.communicate()
        return self._outcome(code, said)

    def stop(self, *, at_once: bool = False) -> None:
        """Asks it to stop, which it does after what it is writing, or kills it."""
        self._stopped_at = self._stopped_at or time.monotonic()
        self._close()
        self._signal(signal.SIGKILL if at_once else signal.SIGINT)

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
            self._process.stdin = None

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _outcome(self, code: int, said: bytes) -> Outcome:
        try:
            outcome = Outcome(**json.loads(said))
        except (ValueError, TypeError):
            outcome = Outcome(FAILED, self._why(code))
        if outcome.status != FINISHED and self._stopped_at is not None:
            return Outcome(INTERRUPTED)
        return outcome

    def _why(self, code: int) -> str:
        if code == -signal.SIGKILL:
            return f"it was killed, as the system does when memory runs out. See {self.log}."
        ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"its process {ended}: {self._last_line()} See {self.log}."

    def _last_line(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing.")


class ProcessPool:
    """Cells side by side on this machine, the processor's cores divided among them.

    Args:
      sweep: The sweep's folder.
      jobs: How many run at once.
      command: What runs a cell.
    """

    def __init__(self, sweep: Path, jobs: int, command: Command = worker_command) -> None:
        self._sweep, self._command = sweep, command
        self._environment = thread_limits(_cores(), jobs)
        self._running: dict[str, CellProcess] = {}

    def start(self, name: str) -> None:
        """Starts a cell."""
        self._running[name] = CellProcess(self._sweep, name, self._environment, self._command)

    def ended(self) -> Iterator[tuple[str, Outcome]]:
        """The cells that ended since the last call."""
        for name, process in list(self._running.items()):
            outcome = process.poll()
            if outcome is not None:
                del self._running[name]
                yield name, outcome

    def stop(self, *, at_once: bool = False) -> None:
        """Stops all cells, gently or at once; `ended` reports them."""
        for process in self._running.values():
            process.stop(at_once=at_once)

    def close(self) -> None:
        """Kills what still runs."""
        self.stop(at_once=True)


def thread_limits(cores: int, jobs: int) -> dict[str, str]:
    """The environment that gives each of several jobs its share of the cores; what the user has set stays.

    Example:
      >>> thread_limits(8, 1)
      {}
      >>> thread_limits(8, 3)["TF_NUM_INTRAOP_THREADS"]
      '2'
    """
    if jobs == 1:
        return {}
    share = str(max(1, cores // jobs))
    return {name: share for name in _THREADS if name not in os.environ}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

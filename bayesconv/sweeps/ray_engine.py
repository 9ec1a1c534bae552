"""Cells on the machines of a Ray cluster, each a process there, as on one machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bayesconv.sweeps.manifest import FAILED, INTERRUPTED
from bayesconv.sweeps.processes import CellProcess, Outcome, thread_limits

_SECONDS = 0.2  # between looks at the process


def run_there(sweep: str, name: str, folder: str, cores: int) -> Outcome:
    """Runs a cell to its end: the task that Ray is given. Cancelling the task stops the cell.

    Args:
      sweep: The sweep's folder, which all machines must see under this path.
      name: The cell's.
      folder: What relative paths in the configuration start from.
      cores: How many the cell may use.
    """
    os.chdir(folder)
    process = CellProcess(Path(sweep), name, thread_limits(2 * cores, 2))
    try:
        while (outcome := process.poll()) is None:
            time.sleep(_SECONDS)
        return outcome
    except BaseException:
        process.stop()
        while process.poll() is None:
            time.sleep(_SECONDS)
        raise


class RayPool:
    """Cells on a cluster: the one of `RAY_ADDRESS` or `ray.init`, or else one that is started on this machine.

    Args:
      sweep: The sweep's folder.
      jobs: How many cells run at once, among which the cluster's cores are divided.

    Raises:
      ImportError: If Ray is not installed.
    """

    def __init__(self, sweep: Path, jobs: int) -> None:
        self._ray, self._stopped = _import_ray(), False
        self._started_here = not self._ray.is_initialized()
        if self._started_here:
            self._ray.init(log_to_driver=False, configure_logging=False)
        self._sweep, self._names = sweep, {}  # type: Path, dict[Any, str]
        self._cores = max(1, int(self._ray.cluster_resources().get("CPU", 1)) // jobs)
        # A crash is an outcome to be recorded: the user decides what is run again.
        self._task = self._ray.remote(num_cpus=self._cores, max_retries=0)(run_there)

    def start(self, name: str) -> None:
        """Hands a cell to the cluster."""
        self._names[self._task.remote(str(self._sweep), name, str(Path.cwd()), self._cores)] = name

    def ended(self) -> Iterator[tuple[str, Outcome]]:
        """The cells that ended since the last call."""
        running = list(self._names)
        if running:
            done, _ = self._ray.wait(running, num_returns=len(running), timeout=0)
            for reference in done:
                yield self._names.pop(reference), self._outcome(reference)

    def stop(self, *, at_once: bool = False) -> None:
        """Asks Ray to cancel all tasks, which may take it a minute.

        A cell whose task has gone stops by itself, after what it is writing.
        """
        self._stopped = True
        for reference in self._names:
            self._ray.cancel(reference, force=True)

    def close(self) -> None:
        """Cancels what still runs, and ends a cluster that was started here."""
        self.stop(at_once=True)
        if self._started_here:
            self._ray.shutdown()

    def _outcome(self, reference: Any) -> Outcome:
        try:
            return Outcome(*self._ray.get(reference))
        except self._ray.exceptions.TaskCancelledError:
            return Outcome(INTERRUPTED)
        except Exception as error:  # of the task, its machine or the cluster
            if self._stopped:
                return Outcome(INTERRUPTED)
            return Outcome(FAILED, f"Ray: {type(error).__name__}: {error}")


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "The engine ray needs Ray, which is not installed. Install it, pip install 'bayesconv[ray]', or use "
            "--engine processes."
        ) from error
    return ray

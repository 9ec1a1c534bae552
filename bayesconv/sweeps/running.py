"""A sweep: every cell of a grid, in processes that cannot harm each other, resumable at any moment."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bayesconv import members, splits
from bayesconv.registry import unknown_name_message
from bayesconv.sweeps import manifest, stopping
from bayesconv.sweeps.manifest import FAILED, FINISHED, PENDING, RUNNING, CellRecord, Manifest
from bayesconv.sweeps.plan import plan
from bayesconv.sweeps.processes import Outcome, ProcessPool
from bayesconv.sweeps.progress import Progress
from bayesconv.sweeps.stopping import Stop

ENGINES = ("processes", "ray")
_SECONDS = 0.1  # between looks at the cells


class Pool(Protocol):
    """What runs cells."""

    def start(self, name: str) -> None:
        """Starts a cell."""

    def ended(self) -> Iterator[tuple[str, Outcome]]:
        """The cells that ended since the last call."""

    def stop(self, *, at_once: bool = False) -> None:
        """Stops all cells; `ended` reports them."""

    def close(self) -> None:
        """Kills what still runs."""


def sweep(
    config: str | Path,
    vary: Mapping[str, Sequence[Any]] | None = None,
    *,
    seeds: int | Sequence[int] | None = None,
    edits: Sequence[str] = (),
    out: str | Path | None = None,
    jobs: int = 1,
    evaluate: bool = True,
    split: str = splits.TEST,
    retry_failed: bool = False,
    extend: bool = False,
    engine: str = "processes",
    progress: bool = True,
) -> Manifest:
    """Trains and scores every combination of settings, one run folder each.

    Each cell has a process of its own: one that fails, crashes or runs out of memory is recorded and the others go on.
    The same call again goes on: finished cells are left, unfinished ones resume from their last checkpoint.

    Args:
      config: The YAML file that all cells start from.
      vary: Key paths to the values they take, as `{"model.prior": ["normal", {"name": "laplace", "scale": 0.1}]}`.
      seeds: Which seeds, or how many, counted from the configuration's.
      edits: `key.path=value`, for all cells.
      out: The sweep's folder; `sweeps/<name of config>` by default.
      jobs: Cells at once, which share the processor's cores.
      evaluate: Score each cell.
      split: On which images: `"test"`, or `"validation"` to choose settings by.
      retry_failed: Run the cells that failed before once more.
      extend: The folder's grid may be part of this one; its cells are kept.
      engine: `"processes"` of this machine, or `"ray"`, whose machines must see the folder under the same path.
      progress: Show lines and a bar on standard error.

    Returns:
      The manifest, with the status and the error of each cell.

    Raises:
      ConfigError: If anything is wrong with any cell's configuration, or the folder holds another grid.
      FileExistsError: If the folder holds something else.
      BlockingIOError: If another process runs the same sweep.
      KeyboardInterrupt: If a signal stopped it, when all cells have stopped.
      ImportError: If the engine is not installed.
    """
    _check(jobs, engine)
    planned = plan(config, vary or {}, seeds=seeds, edits=edits)
    folder = Path(out) if out is not None else default_folder(config)
    folder = folder.absolute()
    join = functools.partial(manifest.join, folder, planned, evaluate=evaluate, split=split, extend=extend)
    join()  # before anything is made
    with manifest.locked(folder):
        found = join()
        waiting = prepare(found, retry_failed=retry_failed)
        found.write()
        pool = _pool(engine, folder, max(1, min(jobs, len(waiting))))
        with contextlib.closing(pool), stopping.noted() as stop:  # in this order: Ray installs handlers of its own
            drive(found, waiting, pool, jobs, stop, Progress(found, len(waiting), shown=progress))
    if stop.asked:
        raise KeyboardInterrupt
    return found


def default_folder(config: str | Path) -> Path:
    """Where the sweep of a configuration goes unless told otherwise."""
    return Path("sweeps") / Path(config).stem


def prepare(found: Manifest, *, retry_failed: bool) -> list[CellRecord]:
    """The cells that are to be run; those whose files have gone are among them.

    Args:
      found: The sweep; what it says of its cells is put right.
      retry_failed: Whether cells that failed are.
    """
    for cell in found.cells:
        unfinished = cell.status not in (FINISHED, FAILED)
        if unfinished or (cell.status == FINISHED and not _has_results(found, cell)):
            cell.status = PENDING
        elif cell.status == FAILED and retry_failed:
            cell.status, cell.error = PENDING, None
    return found.with_status(PENDING)


def _has_results(found: Manifest, cell: CellRecord) -> bool:
    folder = found.folder / cell.name
    wanted = [folder / "config.yaml", *([folder / splits.evaluation_file(found.split)] if found.evaluate else [])]
    trained = members.folders(folder, cell.config["training"].get("members", 1))
    return all(path.is_file() for path in [*wanted, *(one / "checkpoints" / "best.npz" for one in trained)])


def drive(found: Manifest, cells: Sequence[CellRecord], pool: Pool, jobs: int, stop: Stop, progress: Progress) -> None:
    """Runs cells until all have ended or a stop was asked for and heeded.

    Args:
      found: The sweep, written after every change.
      cells: Those to run.
      pool: What runs them.
      jobs: How many at once.
      stop: Asked to stop by signals.
      progress: Told of all that happens.
    """
    waiting, heeded = list(reversed(cells)), 0
    try:
        while found.with_status(RUNNING) or (waiting and not stop.asked):
            while waiting and not stop.asked and len(found.with_status(RUNNING)) < jobs:
                _start(found, waiting.pop(), pool, progress)
            if stop.asked > heeded:
                heeded = stop.asked
                pool.stop(at_once=heeded > 1)
            for name, outcome in pool.ended():
                _end(found, found[name], outcome, progress)
            progress.tick()
            time.sleep(_SECONDS)
    finally:
        progress.close()


def _start(found: Manifest, cell: CellRecord, pool: Pool, progress: Progress) -> None:
    cell.status, cell.attempts = RUNNING, cell.attempts + 1
    found.write()
    pool.start(cell.name)
    progress.start(cell)


def _end(found: Manifest, cell: CellRecord, outcome: Outcome, progress: Progress) -> None:
    cell.status, cell.error = outcome
    found.write()
    progress.end(cell)


def _check(jobs: int, engine: str) -> None:
    if jobs < 1:
        raise ValueError(f"`jobs` must be at least 1. Received {jobs}.")
    if engine not in ENGINES:
        raise ValueError(unknown_name_message("engine", engine, ENGINES))


def _pool(engine: str, folder: Path, jobs: int) -> Pool:
    if engine == "processes":
        return ProcessPool(folder, jobs)
    from bayesconv.sweeps.ray_engine import RayPool

    return RayPool(folder, jobs)

"""One cell in a process of its own: `python -m bayesconv.sweeps.worker SWEEP CELL`.

What is printed, and the traceback of an error, goes to the cell's log. Standard output carries nothing but the
outcome, as JSON. The process ends with the one that started it: it holds the other end of standard input.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from bayesconv.sweeps import manifest

_GRACE = 30.0  # seconds to write what there is to write


def main(sweep: str, name: str) -> None:
    """Trains and scores a cell, or goes on with it, and says how it ended."""
    outcome_file = _take_standard_output()
    for number in (signal.SIGINT, signal.SIGTERM):  # which a shell may have switched off for what it starts behind
        signal.signal(number, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run(Path(sweep), name)
        outcome: dict[str, Any] = {"status": manifest.FINISHED}
    except KeyboardInterrupt:
        outcome = {"status": manifest.INTERRUPTED}
    except Exception as error:
        traceback.print_exc()
        outcome = {"status": manifest.FAILED, "error": _message(error)}
    with os.fdopen(outcome_file, "w") as file:
        file.write(json.dumps(outcome))


def run(sweep: Path, name: str) -> None:
    """Trains a cell, from its last checkpoint if it has one, and scores it if the sweep says so.

    Args:
      sweep: The sweep's folder.
      name: The cell's.
    """
    from bayesconv import experiment, runs
    from bayesconv.config import RunConfig
    from bayesconv.settings import Settings

    found = manifest.read(sweep)
    place = Settings(label=name, folder=Path(found.config_folder))
    config = RunConfig.model_validate_json(json.dumps(found[name].config)).read_from(place)
    folder = sweep / name
    experiment.train(config, folder, resume=runs.has_started(folder), progress=False)
    if found.evaluate:
        experiment.evaluate(folder, split=found.split)


def _take_standard_output() -> int:
    sys.stdout.flush()
    taken = os.dup(1)
    os.dup2(2, 1)
    return taken


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent stops this process, or is no more
    _interrupt_main_thread()
    time.sleep(_GRACE)
    os._exit(1)


def _interrupt_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):  # which also wakes it up
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _message(error: Exception) -> str:
    if isinstance(error, (ValueError, TypeError, OSError, ArithmeticError)):
        return str(error)
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main(*sys.argv[1:])

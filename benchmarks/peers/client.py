"""The other end of a worker: starts it, asks it, and ends it."""

from __future__ import annotations

import json
import os
import subprocess
from types import TracebackType
from typing import Any

from benchmarks.interleaved import Measure
from benchmarks.peers.environments import PEERS, python_of


class WorkerError(RuntimeError):
    """A worker could not do what it was asked."""


class Worker:
    """A library's process, to be used in a `with` block.

    Args:
      name: Of the library.
    """

    def __init__(self, name: str) -> None:
        peer = PEERS[name]
        command = [str(python_of(peer)), "-m", f"benchmarks.peers.{peer.module}"]
        # Idle threads of OpenMP wait asleep, or they would take the processor from whoever's turn it is.
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._name, self._process = name, subprocess.Popen(command, text=True, env=environment, **pipes)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request.

        Raises:
          WorkerError: If the worker has ended, or could not.
        """
        try:
            self._process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except BrokenPipeError as error:
            raise WorkerError(f"The process of {self._name} has ended. Is the library installed?") from error
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise WorkerError(f"The process of {self._name} has ended. Is the library installed?")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self._name} failed on {request}:\n{answer['error']}")
        return answer

    def measure(self, net: str, contender: str, what: str) -> Measure:
        """A `Measure` that the worker makes."""
        return lambda calls: self.ask(ask="run", net=net, contender=contender, what=what, calls=calls)["seconds"]

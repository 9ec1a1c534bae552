"""The first training step and the peak memory of one contender, alone in a new process.

    python -m benchmarks.fresh NET CONTENDER

prints one line of JSON: seconds of the import, of building the net and of its first step, and the highest resident
memory in MiB after five steps.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

NUM_STEPS = 5


def peak_memory() -> float:
    """Highest resident memory of this process, in MiB.

    `ru_maxrss` would not do: a child process inherits that of the one which started it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        raise OSError("Peak memory is read from /proc, which Linux has. Leave out --sections memory.")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024  # type: ignore[index]


def facts_of(net: str, contender: str, *, timeout: float = 600) -> dict[str, float]:
    """What a new process measures.

    Args:
      net: Name of the net.
      contender: Name, or `"plain TensorFlow"`.
      timeout: Seconds to wait.

    Raises:
      RuntimeError: If the process fails; with the end of what it wrote.
    """
    command = [sys.executable, "-m", "benchmarks.fresh", net, contender]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(net: str, contender: str) -> dict[str, float]:
    """Builds the net and trains it for some steps, in this process."""
    began = time.perf_counter()
    from benchmarks import plain

    if contender != "plain TensorFlow":
        from benchmarks import contenders, training
    imported = time.perf_counter()
    x, y = plain.example(net)
    step: Callable[..., Any] = (
        plain.PlainNet(net).train_step
        if contender == "plain TensorFlow"
        else training.step_of(contenders.CONTENDERS[contender], net)
    )
    built = time.perf_counter()
    _run(step, x, y)
    first = time.perf_counter()
    for _ in range(NUM_STEPS - 1):
        _run(step, x, y)
    return {
        "import_seconds": imported - began,
        "build_seconds": built - imported,
        "first_step_seconds": first - built,
        "peak_memory": peak_memory(),
    }


def _run(step: Callable[..., Any], x: Any, y: Any) -> None:
    outputs = step(x, y)
    (outputs[0] if isinstance(outputs, Sequence) else outputs).numpy()


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))

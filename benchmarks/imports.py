"""Time to import, in fresh processes: what the library adds to TensorFlow, and how long the command's help takes.

    python -m benchmarks.imports [--pairs 9] [--out benchmarks/results/imports.json]

Processes that import TensorFlow and `tensorflow_probability.distributions` alone take turns with ones that then read
`bayesconv.Convolution` too. What the latter adds is the median difference of the pairs; most of the spread is
TensorFlow's own, so the time by the clock inside of the process is printed as well. A first round does not count: it
fills the file cache.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bayesconv import files

PEERS = "import tensorflow, tensorflow_probability as tfp; tfp.distributions"
LIBRARY = "import bayesconv; bayesconv.Convolution"
CLOCKED = f"{PEERS}; import time; t = time.perf_counter(); {LIBRARY}; print(time.perf_counter() - t)"
BARS = {"added": 0.3, "added, by the clock inside": 0.3, "bayesconv --help": 0.5}  # seconds


def run(*arguments: str) -> tuple[float, str]:
    """Seconds that a fresh Python process takes, and what it prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True, env=environment)
    return time.perf_counter() - began, done.stdout


def measure_pair() -> dict[str, float]:
    """Seconds of one process of each kind."""
    alone, _ = run("-c", PEERS)
    together, printed = run("-c", CLOCKED)
    seconds = {"TensorFlow and distributions": alone, "added": together - alone}
    seconds["added, by the clock inside"] = float(printed.split()[-1])
    seconds["bayesconv --help"], _ = run("-m", "bayesconv", "--help")
    return seconds


def summarize(pairs: list[dict[str, float]]) -> dict[str, dict[str, float | bool | None]]:
    """Median, lowest and highest of every figure beside its bar, if it has one."""
    result: dict[str, dict[str, float | bool | None]] = {}
    for name in pairs[0]:
        values, bar = [pair[name] for pair in pairs], BARS.get(name)
        median = statistics.median(values)
        is_met = None if bar is None else median < bar
        result[name] = {"median": median, "lowest": min(values), "highest": max(values), "bar": bar, "is_met": is_met}
    return result


def main() -> None:
    """Runs the comparison, prints a table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/imports.json"))
    arguments = parser.parse_args()
    measure_pair()
    results = summarize([measure_pair() for _ in range(arguments.pairs)])
    print(f"seconds, median of {arguments.pairs} (lowest - highest)")
    for name, row in results.items():
        bar = "" if row["bar"] is None else f"  bar {row['bar']}: {'met' if row['is_met'] else 'MISSED'}"
        print(f"{name:<28} {row['median']:6.3f} ({row['lowest']:.3f} - {row['highest']:.3f}){bar}")
    about = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "python": platform.python_version()}
    text = json.dumps({**about, "pairs": arguments.pairs, "seconds": results}, indent=1) + "\n"
    print(files.write_text(arguments.out, text))


if __name__ == "__main__":
    main()

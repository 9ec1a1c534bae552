"""The benchmark: bayesconv and other libraries relative to the same nets written by hand in plain TensorFlow.

    python -m benchmarks.run [--sections training prediction "one image" tracing memory ..] [--nets small_cnn resnet20]
                             [--rounds 9] [--peers] [--peer NAME ..]

prints tables, and writes benchmarks/results/performance.json, performance*.png and the tables of docs/performance.md.
Every section of every net replaces what was kept of it, so that an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import figure, fresh, page, prediction, results, tables, training
from benchmarks.architectures import NETS
from benchmarks.contenders import DETERMINISTIC, check_same_work
from benchmarks.interleaved import Pair, time_pairs, timing
from benchmarks.peers import comparison, environments

Rows = Mapping[str, results.Row]
FRESH = ("point weights", "reparameterization", "sliced, G = 8", "automatic", "flipout")
MEMORY_ROUNDS = 3  # it hardly varies


def compared(section: str, pairs_of: Callable[[str], Mapping[str, Pair]]) -> Callable[[str, int], Rows]:
    """What measures a section: the pairs in bfloat16 if the section is one of those, else the others."""
    is_narrow = section.startswith(results.NARROW)

    def measure(net: str, rounds: int) -> Rows:
        chosen = {name: pair for name, pair in pairs_of(net).items() if name.endswith("bfloat16") == is_narrow}
        return _rows(section, time_pairs(chosen, rounds=rounds))

    return measure


def trace(net: str, rounds: int) -> Rows:
    """First steps, each in a process of its own."""
    return _fresh("tracing", "first_step_seconds", net, rounds)


def fill_memory(net: str, rounds: int) -> Rows:
    """Peaks, each in a process of its own."""
    return _fresh("memory", "peak_memory", net, min(rounds, MEMORY_ROUNDS))


SECTIONS: dict[str, Callable[[str, int], Rows]] = {
    **{
        name: compared(name, pairs_of)
        for name, pairs_of in (
            ("training", training.pairs),
            ("bfloat16, training", training.pairs),
            ("prediction", prediction.pairs),
            ("bfloat16, prediction", prediction.pairs),
            ("one image", prediction.of_one_image),
        )
    },
    "tracing": trace,
    "memory": fill_memory,
}


def _rows(section: str, timings: Mapping[str, Any]) -> Rows:
    return {name: results.row(section, found) for name, found in timings.items()}


def _fresh(section: str, fact: str, net: str, rounds: int) -> Rows:
    found: dict[str, list[float]] = {name: [] for name in (DETERMINISTIC, *FRESH)}
    for _ in range(rounds):
        for name, values in found.items():
            values.append(fresh.facts_of(net, name)[fact])
    reference = found[DETERMINISTIC]
    return _rows(section, {name: timing(values, reference) for name, values in found.items()})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="*", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peers", action="store_true", help="other libraries too, installed on first use")
    parser.add_argument("--peer", nargs="+", choices=list(environments.PEERS), default=list(environments.PEERS))
    parser.add_argument("--out", type=Path, default=results.PATH)
    parser.add_argument("--page", type=Path, default=page.PAGE)
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds is a positive number. Received {arguments.rounds}.")
    return arguments


def _keep(
    arguments: argparse.Namespace, section: str, net: str, rows: Rows, versions: Mapping[str, str] | None = None
) -> None:
    kept = results.merge(arguments.out, section, net, rows, arguments.rounds, versions)
    found = {name: row._asdict() for name, row in rows.items()}
    print(f"\n{tables.TITLES.get(section, section)}\n\n{tables.table(section, net, found)}\n", flush=True)
    figure.write(arguments.out.with_suffix(".png"), kept)
    page.write(arguments.page, kept)


def main() -> None:
    """Measures, prints and writes."""
    arguments = _arguments()
    for net in arguments.nets:
        print(f"{net}: same logits as the plain net, to {check_same_work(net):.0e}.", flush=True)
        for section in arguments.sections:
            if section.startswith(results.NARROW) and not results.has_bfloat16():
                print(f"{section}: left out, since this processor has no instructions for it.", flush=True)
                continue
            _keep(arguments, section, net, SECTIONS[section](net, arguments.rounds))
        for peer in arguments.peer if arguments.peers else ():
            found = comparison.measured(net, peer, arguments.rounds)
            if found is not None:
                _keep(arguments, f"{results.PEERS}, {peer}", net, found.rows, found.versions)


if __name__ == "__main__":
    main()

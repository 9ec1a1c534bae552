"""`bayesconv sweep CONFIG`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesconv.cli import arguments as shared
from bayesconv.cli import errors, streams
from bayesconv.splits import TEST

if TYPE_CHECKING:
    from bayesconv.sweeps import Manifest, Planned

NAME = "sweep"
HELP = "Train and score every combination of some settings, one run each."
ENGINES = ("processes", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the grid, where its runs go and how they are run."""
    shared.add_config(parser)
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE,...",
        help="try each of these values, e.g. --vary model.prior=normal,laplace; YAML, also mappings and lists; may be "
        "given several times, for every combination",
    )
    about = "train every combination with several seeds: how many, 5, or which, 0,3,7"
    parser.add_argument("--seeds", metavar="SEEDS", help=about)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the sweep; by default sweeps/<name of CONFIG>"
    )
    parser.add_argument(
        "--jobs", type=shared.positive, default=1, metavar="N", help="runs at once, which share the processor's cores"
    )
    parser.add_argument(
        "--evaluate", action=argparse.BooleanOptionalAction, default=True, help="score each run when it is trained"
    )
    shared.add_split(parser, "the images that runs are scored on: validation to choose settings by")
    parser.add_argument("--list", action="store_true", help="check and list the runs, and run none")
    parser.add_argument("--retry-failed", action="store_true", help="run those that failed before once more")
    parser.add_argument("--extend", action="store_true", help="add runs to the sweep that is in the folder")
    about = "what runs the runs: processes of this machine, or a Ray cluster"
    parser.add_argument("--engine", choices=ENGINES, default="processes", help=about)


def run(arguments: argparse.Namespace) -> None:
    """Runs what is not finished yet, and prints how far each run is."""
    grid = _grid(arguments)
    from bayesconv import sweeps

    with streams.quiet_imports():  # looking the names up imports TensorFlow
        planned = sweeps.plan(arguments.config, **grid)
    if arguments.list:
        _list(arguments, planned)
        return
    options = {
        key: getattr(arguments, key) for key in ("jobs", "evaluate", "split", "retry_failed", "extend", "engine")
    }
    try:
        found = sweeps.sweep(arguments.config, **grid, out=_folder(arguments), **options)
    except KeyboardInterrupt as interrupt:
        begun = (_folder(arguments) / "sweep.json").is_file()
        raise errors.Interrupted("Go on with the same command." if begun else "") from interrupt
    _report(arguments, found)


def _grid(arguments: argparse.Namespace) -> dict[str, Any]:
    from bayesconv.config import ConfigError
    from bayesconv.sweeps.grid import parse_axis, parse_seeds

    axes = [parse_axis(text) for text in arguments.vary]
    if twice := [axis.path for i, axis in enumerate(axes) if axis.path in [other.path for other in axes[:i]]]:
        raise ConfigError(f"A setting varies once. Received --vary {twice[0]} twice; put all values into one.")
    seeds = None if arguments.seeds is None else parse_seeds(arguments.seeds)
    return {"vary": {axis.path: axis.values for axis in axes}, "seeds": seeds, "edits": arguments.set}


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path("sweeps") / arguments.config.stem


def _list(arguments: argparse.Namespace, planned: list[Planned]) -> None:
    from bayesconv.sweeps import manifest

    folder = _folder(arguments)
    options = {key: getattr(arguments, key) for key in ("evaluate", "split", "extend")}
    found = manifest.join(folder, planned, **options)
    width = max(len(cell.name) for cell in found.cells)
    lines = [f"{cell.name:<{width}}  {cell.status}\n" for cell in found.cells]
    streams.write("".join([*lines, f"{len(lines)} runs for {folder}\n"]))


def _report(arguments: argparse.Namespace, found: Manifest) -> None:
    from bayesconv.sweeps.manifest import FAILED, FINISHED

    finished, failed = found.with_status(FINISHED), found.with_status(FAILED)
    streams.write(f"{len(finished)} of {len(found.cells)} runs finished, in {_folder(arguments)}.")
    split = "" if found.split == TEST else f" --split {found.split}"
    streams.write(f" Next: bayesconv compare {_folder(arguments)}{split}\n" if finished and found.evaluate else "\n")
    if failed:
        lines = "".join(f"\n  {cell.name}: {(cell.error or '').partition(chr(10))[0]}" for cell in failed)
        what = "Their" if len(failed) > 1 else "Its"
        raise errors.PartlyFailedError(
            f"{len(failed)} of {len(found.cells)} runs failed:{lines}\n{what} output is in "
            f"{_folder(arguments) / 'logs'}; --retry-failed runs them again."
        )

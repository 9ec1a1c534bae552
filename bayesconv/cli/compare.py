"""`bayesconv compare RUNS...`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "compare"
HELP = "Compare evaluated runs: means over seeds, intervals, paired tests and a figure."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the runs, what is compared and where the files go."""
    about = "folders of runs, of sweeps, or folders that runs are in"
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUNS", help=about)
    parser.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help="figure of evaluation.json, e.g. nll, or a pattern, 'ood.*.auroc.*'; may be given several times",
    )
    shared.add_split(parser, "the images whose scores are compared")
    about = "configuration to test the others against: its name, or a setting, prior=normal; the first if unset"
    parser.add_argument("--baseline", metavar="NAME", help=about)
    about = "folder for comparison.json, .csv and .png; by default that of the sweep, if one is compared"
    parser.add_argument("--out", type=Path, metavar="DIR", help=about)
    about = "of the intervals; by default 0.95"
    parser.add_argument("--level", type=shared.share, default=0.95, metavar="P", help=about)
    parser.add_argument(
        "--per-image",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also test over images, by the predictions that are kept with the runs, or new ones",
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints the table and writes the same as JSON, CSV and a figure."""
    with streams.quiet_imports():
        from bayesconv import comparison

        if arguments.per_image:
            from bayesconv import evaluation  # noqa: F401  (TensorFlow, with what it prints)
    found = comparison.compare(
        arguments.runs,
        metrics=arguments.metric,
        baseline=arguments.baseline,
        level=arguments.level,
        per_image=arguments.per_image,
        split=arguments.split,
    )
    streams.write(comparison.table(found))
    if (folder := _folder(arguments)) is not None:
        paths = comparison.write(found, folder)
        streams.write("\nWritten to " + ", ".join(map(str, paths)) + "\n")
    else:
        streams.write("\n--out DIR writes it as JSON and CSV, with a figure.\n")


def _folder(arguments: argparse.Namespace) -> Path | None:
    if arguments.out is None and len(arguments.runs) == 1 and (arguments.runs[0] / "sweep.json").is_file():
        return arguments.runs[0]
    return arguments.out

"""`bayesconv evaluate RUN`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "evaluate"
HELP = "Score a trained run on test and out-of-distribution images."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the run and how its predictions are made."""
    shared.add_run(parser)
    shared.add_method(parser)
    shared.add_draws(parser)
    shared.add_split(
        parser, "the images to score: settings are chosen by the validation images, and then reported on the others"
    )
    about = ".npz of images x and labels y to score in place of the test images"
    parser.add_argument("--data", type=Path, metavar="FILE", help=about)
    parser.add_argument("--calibrated", action="store_true", help="recalibrate by what bayesconv calibrate fitted")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON file to write; in the run's folder if unset")
    shared.add_cache(parser)


def run(arguments: argparse.Namespace) -> None:
    """Prints the table and writes the same as JSON."""
    with streams.quiet_imports():
        from bayesconv import evaluation, experiment
    chosen = {key: getattr(arguments, key) for key in ("method", "num_samples", "seed", "calibrated", "split")}
    kind = {"labelled": arguments.data, "calibrated": arguments.calibrated, "split": arguments.split}
    path = arguments.out or experiment.evaluation_path(arguments.run, **kind)
    with evaluation.manner(keeps=not arguments.no_cache, progress=streams.is_terminal()):
        experiment.evaluate(arguments.run, labelled=arguments.data, out=path, announce=_print, **chosen)
    streams.write(f"Written to {path}\n")


def _print(report: Mapping[str, Any]) -> None:
    from bayesconv import evaluation

    streams.write(f"{evaluation.tables(report)}\n")

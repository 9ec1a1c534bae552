"""`bayesconv calibrate RUN`."""

from __future__ import annotations

import argparse

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "calibrate"
HELP = "Recalibrate the probabilities of a trained run on its validation images, and check that on its test images."
METHODS = ("temperature", "vector", "isotonic")  # spelled out, for the module that knows them is slow to import


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the run, the method and what to fit to."""
    shared.add_run(parser)
    about = "one number, two a class, or a rising function a class"
    parser.add_argument("--method", choices=METHODS, default="temperature", help=about)
    shared.add_held_out(parser)


def run(arguments: argparse.Namespace) -> None:
    """Prints the scores before and after, and writes what was fitted."""
    with streams.quiet_imports():
        from bayesconv import decisions, evaluation, runs
        from bayesconv.decisions.cautions import cautions
    with evaluation.manner(keeps=not arguments.no_cache, progress=streams.is_terminal()):
        result = decisions.calibrate(arguments.run, method=arguments.method, held_out=arguments.held_out)
    doubts = "".join(f"Warning: {doubt}\n" for doubt in cautions(result))
    written = f"Written to {arguments.run / runs.CALIBRATION}; bayesconv predict --calibrated applies it"
    streams.write(f"{decisions.calibration_table(result)}\n{doubts}{written}\n")

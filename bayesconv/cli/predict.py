"""`bayesconv predict RUN INPUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "predict"
HELP = "Predict the images, series, or rows of a table, of a file."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the run, the images and where the predictions go."""
    shared.add_run(parser)
    parser.add_argument(
        "input", type=Path, metavar="INPUT", help=".npy, .npz with x or images, or a picture; scaled as in training"
    )
    shared.add_method(parser)
    shared.add_draws(parser)
    parser.add_argument("--calibrated", action="store_true", help="recalibrate by what bayesconv calibrate fitted")
    parser.add_argument("--out", type=Path, metavar="FILE", help=".csv, .npz or .parquet; without it CSV is printed")


def run(arguments: argparse.Namespace) -> None:
    """Prints or writes the predictions."""
    with streams.quiet_imports():
        from bayesconv import experiment
    chosen = {key: getattr(arguments, key) for key in ("method", "num_samples", "seed", "calibrated")}
    text = experiment.predict_file(arguments.run, arguments.input, arguments.out, **chosen)
    streams.write(text if arguments.out is None else f"Written to {arguments.out}\n")

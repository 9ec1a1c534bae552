"""`bayesconv report RUN`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "report"
HELP = "Write one HTML file with all that is known of a trained run."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the run, the file, and how its figures are drawn."""
    shared.add_run(parser)
    about = "HTML file to write; report.html in the run's folder if unset"
    parser.add_argument("--out", type=Path, metavar="FILE", help=about)
    parser.add_argument("--dpi", type=shared.positive, default=110, metavar="DPI", help="of the figures; 110 if unset")
    shared.add_cache(parser)


def run(arguments: argparse.Namespace) -> None:
    """Writes the report, evaluates and diagnoses first if need be, and prints the path and the size."""
    with streams.quiet_imports():
        from bayesconv import evaluation, records, report
    records.read_record(arguments.run)  # a folder that is no run is said to be none
    shared.check_target(arguments.out or arguments.run / "report.html")
    with evaluation.manner(keeps=not arguments.no_cache, progress=streams.is_terminal()):
        path = report.write(arguments.run, arguments.out, dpi=arguments.dpi)
    streams.write(f"Written to {path}, {path.stat().st_size / 1e6:.1f} MB\n")

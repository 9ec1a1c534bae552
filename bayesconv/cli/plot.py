"""`bayesconv plot RUN`."""

from __future__ import annotations

import argparse

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "plot"
HELP = "Draw the figures of a trained run."

FORMATS = ("png", "pdf", "svg")  # spelled out, for the module that knows them is slow to import


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the run, and what to draw of it and how."""
    shared.add_run(parser)
    about = "figures to draw, such as reliability; all that suit the run if unset"
    parser.add_argument("--only", nargs="+", metavar="NAME", help=about)
    parser.add_argument("--format", choices=FORMATS, default="png", help="of the files; png if unset")
    parser.add_argument("--dpi", type=shared.positive, default=150, metavar="DPI", help="dots per inch; 150 if unset")
    shared.add_cache(parser)


def run(arguments: argparse.Namespace) -> None:
    """Draws, and prints a path a line."""
    with streams.quiet_imports():
        from bayesconv import evaluation, experiment
    chosen = {"only": arguments.only, "file_format": arguments.format, "dpi": arguments.dpi}
    with evaluation.manner(keeps=not arguments.no_cache, progress=streams.is_terminal()):
        paths = experiment.plot(arguments.run, **chosen)
    streams.write("".join(f"{path}\n" for path in paths))

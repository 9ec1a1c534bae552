"""`bayesconv conformal RUN`."""

from __future__ import annotations

import argparse

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "conformal"
HELP = "Fit sets of classes, or intervals, that hold the truth with a chosen probability, checked on the test images."
METHODS = ("thr", "aps", "raps", "cqr")  # spelled out, for the module that knows them is slow to import


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the run, the coverage, the method and what to fit to."""
    shared.add_run(parser)
    about = "probability with which a set holds the label, 0.9 if unset"
    parser.add_argument("--coverage", type=shared.share, default=0.9, metavar="C", help=about)
    about = "thr: smallest sets; aps: larger for hard images; raps: the same, none very large; cqr: intervals"
    parser.add_argument("--method", choices=METHODS, help=f"{about}; thr, or cqr for a regression, if unset")
    shared.add_held_out(parser)


def run(arguments: argparse.Namespace) -> None:
    """Prints how the sets do, and writes what was fitted."""
    with streams.quiet_imports():
        from bayesconv import decisions, evaluation, runs
    chosen = {key: getattr(arguments, key) for key in ("coverage", "method", "held_out")}
    with evaluation.manner(keeps=not arguments.no_cache, progress=streams.is_terminal()):
        result = decisions.conformal(arguments.run, **chosen)
    given = "intervals of new examples" if result["method"] == "cqr" else "sets of new images"
    written = f"Written to {arguments.run / runs.CONFORMAL}; bayesconv predict gives the {given}"
    streams.write(f"{decisions.conformal_table(result)}\n{written}\n")

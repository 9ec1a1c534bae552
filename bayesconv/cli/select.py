"""`bayesconv select RUN`."""

from __future__ import annotations

import argparse

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "select"
HELP = "Choose when to abstain: a threshold of uncertainty from the validation images, checked on the test images."
_LEVEL = 0.95
# Of decisions.SCORES, spelled out, for the module that knows them is slow to import.
SCORES = (
    "max_probability",
    "predictive_entropy",
    "expected_entropy",
    "mutual_information",
    "energy",
    "variation_ratio",
    "top_class_stddev",
    "spread",
    "epistemic_std",
)


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the run, the target, the uncertainty and what to choose on."""
    shared.add_run(parser)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--risk", type=shared.share, metavar="R", help="share of errors among what is answered")
    target.add_argument("--coverage", type=shared.share, metavar="C", help="share of images to answer")
    about = f"{', '.join(SCORES)}; predictive_entropy if unset, of real targets spread"
    parser.add_argument("--score", choices=SCORES, metavar="SCORE", help=about)
    about = "when an answer is wrong: a real target off by more than that, or more than that share of an image's pixels"
    parser.add_argument("--tolerance", type=float, metavar="T", help=about)
    level = parser.add_mutually_exclusive_group()
    about = "with --risk, how surely new images keep it; 0.95 if unset"
    level.add_argument("--level", type=shared.share, metavar="LEVEL", help=about)
    about = "with --risk, meet it on the validation images only; new images miss it about every other time"
    level.add_argument("--no-guarantee", action="store_true", help=about)
    shared.add_held_out(parser)


def run(arguments: argparse.Namespace) -> None:
    """Prints what the threshold does, and writes it."""
    if arguments.coverage is not None and (arguments.level is not None or arguments.no_guarantee):
        given = "--no-guarantee" if arguments.no_guarantee else f"--level {arguments.level:g}"
        raise ValueError(f"A guarantee is of a risk. Received {given} with --coverage; leave it out, or give --risk.")
    with streams.quiet_imports():
        from bayesconv import decisions, evaluation, runs
    chosen = {key: getattr(arguments, key) for key in ("risk", "coverage", "score", "tolerance", "held_out")}
    level = None if arguments.no_guarantee else arguments.level or _LEVEL
    with evaluation.manner(keeps=not arguments.no_cache, progress=streams.is_terminal()):
        result = decisions.select(arguments.run, confidence_level=level, **chosen)
    written = f"Written to {arguments.run / runs.SELECTION}; bayesconv predict says when to abstain by it"
    streams.write(f"{decisions.selection_table(result)}\n{written}\n")

"""Command line: `bayesconv train | evaluate | diagnose | predict | plot | report | sweep | compare | list | schema`.

A command is a module here with `NAME`, `HELP`, `add(parser)` for its arguments and `run(arguments)`; `COMMANDS` lists
them. Nothing heavy is imported before a command is known, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Protocol

import bayesconv
from bayesconv.cli import (
    calibrate,
    compare,
    conformal,
    diagnose,
    errors,
    evaluate,
    listing,
    plot,
    predict,
    report,
    schema,
    select,
    streams,
    sweep,
    train,
)
from bayesconv.cli.arguments import METHODS
from bayesconv.cli.listing import KINDS

__all__ = ["COMMANDS", "KINDS", "METHODS", "Command", "main"]


class Command(Protocol):
    """What a module of this package offers to be a command."""

    NAME: str
    HELP: str

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments."""

    def run(self, arguments: argparse.Namespace) -> None:
        """Does the work; what it raises is reported by `main`."""


# In the order in which `--help` shows them.
COMMANDS: tuple[Command, ...] = (
    train,
    evaluate,
    calibrate,
    select,
    conformal,
    diagnose,
    predict,
    plot,
    report,
    sweep,
    compare,
    listing,
    schema,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
      argv: The arguments; those of the process by default.

    Returns:
      The exit code: 0, 2 if something about the input is wrong, 3 if some runs of a sweep failed, 130 if interrupted,
      1 for a bug.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # which TensorFlow leaves off on some processors
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files
    streams.open_closed()
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    try:
        with errors.plain_warnings():
            arguments.command(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        return errors.fail(f"interrupted.{errors.advice(interrupt)}", errors.INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has enough
        streams.drop(sys.stdout)
        return 0
    except Exception as error:
        return errors.report(error, debug=arguments.debug)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bayesconv", description="Train, judge and use Bayesian convolutional networks."
    )
    parser.add_argument("--version", action="version", version=f"bayesconv {bayesconv.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    # The same flag after the command; without a default, lest it resets the one before it.
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    for command in COMMANDS:
        added = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP, parents=[debug])
        added.set_defaults(command=command.run)
        command.add(added)
    return parser

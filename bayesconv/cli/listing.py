"""`bayesconv list KIND`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv.cli import streams

NAME = "list"
HELP = "List what a configuration may choose from, with options and their defaults."
# Spelled out here, for the module that knows them is slow to import.
KINDS = (
    "augmentations",
    "bounds",
    "corruptions",
    "datasets",
    "divergences",
    "estimators",
    "likelihoods",
    "models",
    "ood",
    "posteriors",
    "priors",
    "schedules",
)


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the kind and the modules that register more of it."""
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=f"one of {', '.join(KINDS)}")
    parser.add_argument("--plugin", action="append", default=[], metavar="MODULE", help="import a module first")


def run(arguments: argparse.Namespace) -> None:
    """Prints names, first lines of docstrings, and options."""
    with streams.quiet_imports():
        from bayesconv import choices
        from bayesconv.settings import Settings

        choices.import_plugins(arguments.plugin, [Path.cwd()], Settings(label="--plugin"))
        text = choices.listing(arguments.kind)
    streams.write(text)

"""`bayesconv schema`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv.cli import streams

NAME = "schema"
HELP = "Print the JSON schema of configurations, for completion in editors."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the file to write to."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it to a file instead")


def run(arguments: argparse.Namespace) -> None:
    """Prints or writes the schema."""
    import json

    with streams.quiet_imports():
        from bayesconv import files
        from bayesconv.config import schema

        text = json.dumps(schema(), indent=2) + "\n"
    if arguments.out is None:
        streams.write(text)
    else:
        files.write_text(arguments.out, text)
        streams.write(f"Written to {arguments.out}\n")

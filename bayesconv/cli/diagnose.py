"""`bayesconv diagnose RUN`."""

from __future__ import annotations

import argparse

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "diagnose"
HELP = "Look for what is wrong with the posteriors and the KL of a trained run."

add = shared.add_run


def run(arguments: argparse.Namespace) -> None:
    """Prints the findings and the layers' measurements."""
    with streams.quiet_imports():
        from bayesconv import experiment
    diagnosis, paths = experiment.diagnose(arguments.run)
    streams.write(f"{diagnosis}\n\nWritten to {' and '.join(map(str, paths))}\n")

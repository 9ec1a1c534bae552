"""`bayesconv diagnose RUN`."""

from __future__ import annotations

import argparse

from bayesconv.cli import arguments as shared
from bayesconv.cli import streams

NAME = "diagnose"
HELP = "Look for what is wrong with the posteriors and the KL of a trained run."

add = shared.add_run


def run(arguments: argparse.Namespace) -> None:
    """Prints the findings and the layers' measurements, of every member of an ensemble."""
    with streams.quiet_imports():
        from bayesconv import experiment, members, records
    config, _ = records.read_record(arguments.run)
    count = config.training.members
    for number, folder in enumerate(members.folders(arguments.run, count), start=1):
        diagnosis, paths = experiment.diagnose(folder)
        title = f"Member {number} of {count}\n\n" if count > 1 else ""
        streams.write(f"{title}{diagnosis}\n\nWritten to {' and '.join(map(str, paths))}\n")

"""`bayesconv train CONFIG`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv.cli import arguments as shared
from bayesconv.cli import errors, streams

NAME = "train"
HELP = "Train a configured model into a run folder."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the configuration, the run folder and what to do with an earlier run."""
    shared.add_config(parser)
    parser.add_argument("--out", type=Path, metavar="RUN", help="run folder; by default runs/<name of CONFIG>")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    existing.add_argument("--overwrite", action="store_true", help="replace the run in the folder")


def run(arguments: argparse.Namespace) -> None:
    """Trains; an interrupt says how to go on if there is something to go on with."""
    before = _checkpoint_time(arguments)
    try:
        _train(arguments)
    except KeyboardInterrupt as interrupt:
        raise errors.Interrupted(_how_to_resume(arguments, before)) from interrupt


def _train(arguments: argparse.Namespace) -> None:
    from bayesconv.config import load_config

    config = load_config(arguments.config, arguments.set)  # before TensorFlow: most mistakes show here
    with streams.quiet_imports():
        from bayesconv import experiment
    folder = _run_folder(arguments)
    histories = experiment.train(
        config,
        folder,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        announce=lambda summary: streams.write(f"{summary}\nTraining into {folder}\n"),
    )
    best = ", ".join(f"{history.best_epoch} of {len(history.rows)}" for history in histories)
    epochs = "Best epoch" if len(histories) == 1 else "Best epochs of the members"
    streams.write(f"{epochs} {best}. Next: bayesconv evaluate {folder}\n")


def _run_folder(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path("runs") / arguments.config.stem


def _checkpoint_time(arguments: argparse.Namespace) -> int | None:
    folder = _run_folder(arguments)
    checkpoints = (*folder.glob("checkpoints/last.npz"), *folder.glob("members/*/checkpoints/last.npz"))
    try:
        return max((path.stat().st_mtime_ns for path in checkpoints), default=None)
    except OSError:
        return None


def _how_to_resume(arguments: argparse.Namespace, before: int | None) -> str:
    now = _checkpoint_time(arguments)
    if now is None or (now == before and not arguments.resume):  # an earlier run's checkpoint is not this one's
        return ""
    how = "--resume in place of --overwrite" if arguments.overwrite else "and --resume"
    return f"Go on with the same command {how}; the run is in {_run_folder(arguments)}."

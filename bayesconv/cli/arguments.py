"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv.splits import SPLITS, TEST

METHODS = ("sampling", "moments")  # of prediction; spelled out, for the module that knows them is slow to import


def add_run(parser: argparse.ArgumentParser) -> None:
    """Adds the folder of a trained run."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a trained run")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Adds a configuration and the edits of it."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="change a setting, e.g. --set model.prior=laplace; the value is YAML; may be given several times",
    )


def add_method(parser: argparse.ArgumentParser) -> None:
    """Adds the method of prediction."""
    about = "draws of the weights, or a single pass of moments without any; the configuration's if unset"
    parser.add_argument("--method", choices=METHODS, help=about)


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Adds how many draws there are, and which."""
    about = "draws of the weights, or auto for as many as it takes; the configuration's if unset"
    parser.add_argument("--num-samples", type=positive_or_auto, metavar="S", help=about)
    parser.add_argument("--seed", type=seed, metavar="SEED", help="of the draws; the configuration's if unset")


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Adds the choice not to use predictions that were kept."""
    about = "predict anew, and keep no prediction in the run's folder"
    parser.add_argument("--no-cache", action="store_true", help=about)


def add_split(parser: argparse.ArgumentParser, about: str) -> None:
    """Adds the part of the data that scores are of."""
    parser.add_argument("--split", choices=SPLITS, default=TEST, help=f"{about}; test if unset")


def add_held_out(parser: argparse.ArgumentParser) -> None:
    """Adds what a decision is fitted to, in place of the validation images."""
    about = ".npz of images x and labels y that the model was not trained on, in place of the validation images"
    parser.add_argument("--held-out", type=Path, metavar="FILE", help=about)
    add_cache(parser)


def check_target(path: Path) -> None:
    """Raises the error that writing the file would end with, before the work is done."""
    from bayesconv import files

    files.check_target(path)


def share(text: str) -> float:
    """A number between zero and one."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if 0 < value < 1:
        return value
    raise argparse.ArgumentTypeError(f"must be a share between 0 and 1. Received {text!r}.")


def seed(text: str) -> int:
    """An integer that a configuration takes as its seed, too."""
    if text.isdecimal() and int(text) < 2**31:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be an integer from 0 to {2**31 - 1}. Received {text!r}.")


def positive(text: str) -> int:
    """An integer above zero."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a positive integer. Received {text!r}.")


def positive_or_auto(text: str) -> int | str:
    """An integer above zero, or the word auto."""
    if text == "auto":
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a positive integer or auto. Received {text!r}.")

"""The command line: `bayesconv train | evaluate | diagnose | predict | plot | list | schema`.

Nothing heavy is imported before a command is known, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import bayesconv

# The kinds of `bayesconv list`; spelled out here, for the module that knows them is slow to import.
KINDS = (
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
METHODS = ("sampling", "moments")  # of prediction, likewise
BAD_INPUT, PROGRAMMING_ERROR, INTERRUPTED = 2, 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
      argv: The arguments; those of the process by default.

    Returns:
      The exit code: 0, 2 if something about the input is wrong, 130 if interrupted, 1 for a bug.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files
    _open_closed_streams()
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    before = _checkpoint_time(arguments)
    try:
        arguments.command(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("interrupted." + _how_to_resume(arguments, before), INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has enough
        _drop(sys.stdout)
        return 0
    except Exception as error:
        return _report(error, debug=arguments.debug)
    return 0


def _report(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, (ValueError, TypeError, OSError, ArithmeticError)):
        return _fail(_message(error), BAD_INPUT)
    hint = "" if debug else " This is probably a bug; run again with --debug to see where."
    return _fail(f"{type(error).__name__}: {error}{hint}", PROGRAMMING_ERROR)


def _message(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}. Check the path, its permissions and the space on its disk."


def _fail(message: str, code: int) -> int:
    for stream, text in ((sys.stdout, ""), (sys.stderr, f"bayesconv: error: {message}\n")):
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # nobody can be told, and Python would try again at its end
            _drop(stream)
    return code


def _drop(stream: TextIO) -> None:
    """Leads what a stream still holds, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _open_closed_streams() -> None:
    """Opens standard streams that the process was started without; a file would take their number otherwise."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _checkpoint_time(arguments: argparse.Namespace) -> int | None:
    if arguments.command is not _train:
        return None
    try:
        return (_run_folder(arguments) / "checkpoints" / "last.npz").stat().st_mtime_ns
    except OSError:
        return None


def _how_to_resume(arguments: argparse.Namespace, before: int | None) -> str:
    now = _checkpoint_time(arguments)
    if now is None or (now == before and not arguments.resume):  # an earlier run's checkpoint is not this one's
        return ""
    how = "--resume in place of --overwrite" if arguments.overwrite else "and --resume"
    return f" Go on with the same command {how}; the run is in {_run_folder(arguments)}."


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

    def add(name: str, command: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=[debug])
        added.set_defaults(command=command)
        return added

    _add_train(add("train", _train, "Train a configured model into a run folder."))
    _add_evaluate(add("evaluate", _evaluate, "Score a trained run on test and out-of-distribution images."))
    _add_run(add("diagnose", _diagnose, "Look for what is wrong with the posteriors and the KL of a trained run."))
    _add_predict(add("predict", _predict, "Predict the images of a file."))
    _add_run(add("plot", _plot, "Draw the figures of a trained run."))
    listing = add("list", _list, "List what a configuration may choose from, with options and their defaults.")
    listing.add_argument("kind", metavar="KIND", choices=KINDS, help=f"one of {', '.join(KINDS)}")
    listing.add_argument("--plugin", action="append", default=[], metavar="MODULE", help="import a module first")
    schema = add("schema", _schema, "Print the JSON schema of configurations, for completion in editors.")
    schema.add_argument("--out", type=Path, metavar="FILE", help="write it to a file instead")
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML file")
    parser.add_argument("--out", type=Path, metavar="RUN", help="run folder; by default runs/<name of CONFIG>")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="change a setting, e.g. --set model.prior=laplace; the value is YAML; may be given several times",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    existing.add_argument("--overwrite", action="store_true", help="replace the run in the folder")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a trained run")


def _add_method(parser: argparse.ArgumentParser) -> None:
    about = "draws of the weights, or a single pass of moments without any; the configuration's if unset"
    parser.add_argument("--method", choices=METHODS, help=about)


def _count_or_auto(text: str) -> int | str:
    if text == "auto":
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a positive integer or auto. Received {text!r}.")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_method(parser)
    about = "draws of the weights, or auto for as many as it takes; the configuration's if unset"
    parser.add_argument("--num-samples", type=_count_or_auto, metavar="S", help=about)
    parser.add_argument("--seed", type=int, metavar="SEED", help="of the draws; the configuration's if unset")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument(
        "input", type=Path, metavar="INPUT", help=".npy, .npz with x or images, or a picture, scaled as in training"
    )
    _add_method(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help=".csv or .npz; without it CSV is printed")


def _train(arguments: argparse.Namespace) -> None:
    from bayesconv.config import load_config

    config = load_config(arguments.config, arguments.set)  # before TensorFlow: most mistakes show here
    with _quiet_imports():
        from bayesconv import experiment
    folder = _run_folder(arguments)
    history = experiment.train(
        config,
        folder,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        announce=lambda summary: _write(f"{summary}\nTraining into {folder}\n"),
    )
    _write(f"Best epoch {history.best_epoch} of {len(history.rows)}. Next: bayesconv evaluate {folder}\n")


def _run_folder(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path("runs") / arguments.config.stem


def _evaluate(arguments: argparse.Namespace) -> None:
    with _quiet_imports():
        from bayesconv import evaluation_table, experiment, runs
    chosen = {key: getattr(arguments, key) for key in ("method", "num_samples", "seed")}
    report = experiment.evaluate(arguments.run, **chosen)
    _write(f"{evaluation_table.table(report)}\nWritten to {arguments.run / runs.EVALUATION}\n")


def _diagnose(arguments: argparse.Namespace) -> None:
    with _quiet_imports():
        from bayesconv import experiment
    diagnosis, paths = experiment.diagnose(arguments.run)
    _write(f"{diagnosis}\n\nWritten to {' and '.join(map(str, paths))}\n")


def _predict(arguments: argparse.Namespace) -> None:
    with _quiet_imports():
        from bayesconv import experiment
    text = experiment.predict_file(arguments.run, arguments.input, arguments.out, method=arguments.method)
    _write(text if arguments.out is None else f"Written to {arguments.out}\n")


def _plot(arguments: argparse.Namespace) -> None:
    with _quiet_imports():
        from bayesconv import experiment
    for path in experiment.plot(arguments.run):
        _write(f"{path}\n")


def _list(arguments: argparse.Namespace) -> None:
    with _quiet_imports():
        from bayesconv import choices
        from bayesconv.settings import Settings

        choices.import_plugins(arguments.plugin, [Path.cwd()], Settings(label="--plugin"))
        text = choices.listing(arguments.kind)
    _write(text)


def _schema(arguments: argparse.Namespace) -> None:
    import json

    with _quiet_imports():
        from bayesconv import files
        from bayesconv.config import schema

        text = json.dumps(schema(), indent=2) + "\n"
    if arguments.out is None:
        _write(text)
    else:
        files.write_text(arguments.out, text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextlib.contextmanager
def _quiet_imports() -> Iterator[None]:
    """Keeps off the terminal what TensorFlow writes to file descriptor 2 while it is imported, at any log level."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)

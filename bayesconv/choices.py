"""What a configuration may choose from: registered names and their options, checked against the registries."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic

from bayesconv.problems import problem
from bayesconv.sections import Part, RunConfig, Training, unknown_key
from bayesconv.settings import KeyPath, Problem, Settings

_REGISTRIES = {
    "augmentations": "bayesconv.augmentations",
    "bounds": "bayesconv.bounds",
    "corruptions": "bayesconv.corruptions",
    "datasets": "bayesconv.data",
    "divergences": "bayesconv.divergences",
    "estimators": "bayesconv.estimators",
    "likelihoods": "bayesconv.likelihoods",
    "models": "bayesconv.models",
    "ood": "bayesconv.data:ood",
    "posteriors": "bayesconv.posteriors",
    "priors": "bayesconv.priors",
    "schedules": "bayesconv.objectives:schedules",
}
KINDS = tuple(_REGISTRIES)

# Where a configuration names a piece, and of which kind. The data come first: they need no TensorFlow.
PIECES: dict[tuple[str, ...], str] = {
    ("data",): "datasets",
    ("training", "augmentation"): "augmentations",
    ("evaluation", "ood"): "ood",
    ("evaluation", "corruptions"): "corruptions",
    ("model", "name"): "models",
    ("model", "estimator"): "estimators",
    ("model", "posterior"): "posteriors",
    ("model", "prior"): "priors",
    ("model", "divergence"): "divergences",
    ("objective", "likelihood"): "likelihoods",
    ("objective", "kl_schedule"): "schedules",
    ("objective", "bound"): "bounds",
}
OVERRIDABLE = {"estimator": "estimators", "posterior": "posteriors", "prior": "priors", "divergence": "divergences"}
LISTS = {"augmentations", "ood", "corruptions"}  # of which a configuration names any number
_WITHOUT_TENSORFLOW = {"datasets", *LISTS}
DETERMINISTIC = "deterministic"  # stands where a posterior may, but is none
_NOT_OPTIMIZER_OPTIONS = {"learning_rate", "name", "kwargs"} | {
    # These take effect only in Keras' own training loop.
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
}


def registry(kind: str) -> Any:
    """The registry of one of `KINDS`: `names`, `get`, `describe`, `options`, `resolve`.

    Example:
      >>> registry("ood").names()
      ('inverted', 'npz', 'photo_patches', 'rotated', 'time_reversed')
    """
    module, _, attribute = _REGISTRIES[kind].partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def check_names(config: RunConfig, *, folders: Iterable[Path] = ()) -> None:
    """Imports the plugins and looks up every registered name and option, importing TensorFlow.

    Args:
      config: The configuration.
      folders: Where plugins may lie, besides the Python path, the configuration's folder and the current one.

    Raises:
      ConfigError: As `load_config` does.
    """
    own = [config.settings.folder] if config.settings.folder else []
    import_plugins(config.plugins, [*own, *folders, Path.cwd()], config.settings)
    parts = [*_parts(config)]
    for kinds in (_WITHOUT_TENSORFLOW, set(KINDS) - _WITHOUT_TENSORFLOW):
        problems = [p for path, kind, part in parts if kind in kinds for p in _piece_problems(path, kind, part)]
        if problems:
            raise config.settings.error(problems)
    if problems := [*_optimizer_problems(config.training, config.objective.temperature)]:
        raise config.settings.error(problems)


def listing(kind: str) -> str:
    r"""What there is of one of `KINDS`: names, what they are, options and their defaults.

    Example:
      >>> print(listing("ood").partition("\n\n")[0])
      inverted
          The test images with light and dark exchanged.
    """
    found = registry(kind)
    entries = [_entry(name, found.describe(name), found.options(name)) for name in found.names()]
    if kind == "posteriors":
        entries.append(_entry(DETERMINISTIC, "No posterior: point weights, an ordinary network.", {}))
    return "\n".join(entries)


def _entry(name: str, description: str, options: Mapping[str, Any]) -> str:
    shown = {key: "required" if value is inspect.Parameter.empty else value for key, value in options.items()}
    return "".join([f"{name}\n    {description}\n", *(f"      {key}: {value}\n" for key, value in shown.items())])


def import_plugins(modules: Iterable[str], folders: Iterable[Path], written: Settings) -> None:
    """Imports modules that register pieces.

    Args:
      modules: Their dotted names.
      folders: Where they may lie, besides the Python path.
      written: Where they were asked for, for error messages.

    Raises:
      ConfigError: If an import fails, whatever the reason.
    """
    search = [str(folder) for folder in folders]
    for i, module in enumerate(modules):
        try:
            with _importable(search):
                importlib.import_module(module)
        except Exception as error:  # a plugin is the user's code, anything may go wrong in it
            cause = f"{type(error).__name__}: {error}"
            message = f"cannot import {module!r}, {cause}. It must be on the Python path or in one of {search}."
            raise written.error([(("plugins", i), message)]) from error


@contextlib.contextmanager
def _importable(folders: list[str]) -> Iterator[None]:
    added = [folder for folder in dict.fromkeys(folders) if folder not in sys.path]
    sys.path.extend(added)  # at the end: a file there must not hide an installed package
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)


def _parts(config: RunConfig) -> Iterator[tuple[KeyPath, str, Part]]:
    for path, kind in PIECES.items():
        value: Any = functools.reduce(getattr, path, config)
        if kind in LISTS:
            for i, part in enumerate(value or ()):
                yield (*path, i), kind, part
        else:
            yield path, kind, value
    for i, override in enumerate(config.model.overrides):
        for key, kind in OVERRIDABLE.items():
            if (part := getattr(override, key)) is not None:
                yield ("model", "overrides", i, key), kind, part


def _piece_problems(path: KeyPath, kind: str, part: Part) -> Iterator[Problem]:
    """What is wrong with the choice of a piece: its name, an unknown or missing option, an option's type."""
    found = registry(kind)
    if (kind, part.name) == ("posteriors", DETERMINISTIC):
        yield from (((*path, key), f"{DETERMINISTIC!r} takes no options; remove {key}.") for key in part.options)
        return
    try:
        piece = found.get(part.name)
    except ValueError as error:
        point_weights = f" {DETERMINISTIC!r} stands for point weights." if kind == "posteriors" else ""
        yield (*path, "name"), f"{error}{point_weights}"
        return
    accepted = found.options(part.name)
    for key, value in part.options.items():
        # Types first, in the words of the configuration: the registry checks them as well.
        messages = list(_type_problems(piece, key, value)) if key in accepted else []
        yield from (((*path, key), message) for message in messages)
        try:
            found.resolve({"name": part.name, key: value})
        except ValueError as error:
            yield from () if messages else [((*path, key), str(error))]
    for key, default in accepted.items():
        if default is inspect.Parameter.empty and key not in part.options:
            yield path, f"{part.name!r} needs the option {key!r}. Received {part.identifier}; add {key}."


def _type_problems(piece: Any, key: str, value: Any) -> Iterator[str]:
    try:
        hint = inspect.signature(piece, eval_str=True).parameters[key].annotation
        adapter = pydantic.TypeAdapter(hint)
    except (NameError, pydantic.errors.PydanticUserError):  # a hint that only a type checker can read
        return
    try:
        adapter.validate_json(json.dumps(value, default=str), strict=True)  # as JSON, so that a list may be a tuple
    except pydantic.ValidationError as error:
        yield from sorted({problem(e)[1] for e in error.errors()})


def _optimizer_problems(training: Training, temperature: float) -> Iterator[Problem]:
    from bayesconv.optimization import optimizers

    optimizer = training.optimizer
    if optimizer.name == "ivon":
        yield from _ivon_problems(training.scale_learning_rate_factor, temperature)
    parameters = inspect.signature(optimizers.get(optimizer.name)).parameters
    accepted = set(parameters) - _NOT_OPTIMIZER_OPTIONS
    problems = [*_option_problems(optimizer, parameters, accepted)]
    yield from problems or _refusals(training)


def _ivon_problems(factor: float, temperature: float) -> Iterator[Problem]:
    if factor != 1.0:
        message = f"must be 1 with ivon, whose scales move by its option beta_2. Received {factor:g}; leave it out."
        yield ("training", "scale_learning_rate_factor"), message
    if not temperature:
        yield ("objective", "temperature"), "must be positive with ivon, which sets the scales by it. Received 0."


def _refusals(training: Training) -> Iterator[Problem]:
    """What only making the optimizer tells, such as numbers out of their range."""
    from bayesconv.optimization import make_optimizer

    try:
        make_optimizer(training.optimizer.identifier, training.learning_rate, training.learning_rate_schedule, 1)
    except ValueError as error:
        yield ("training", "optimizer"), str(error)


def _option_problems(optimizer: Part, parameters: Mapping[str, Any], accepted: set[str]) -> Iterator[Problem]:
    for key, value in optimizer.options.items():
        path = ("training", "optimizer", key)
        if key not in accepted:
            yield path, f"Optimizer {optimizer.name!r}: {unknown_key(key, accepted)}"
        elif expected := _unlike(parameters[key].default, value):
            yield path, f"must be {expected}, as its default is for {optimizer.name!r}. Received {value!r}."


def _unlike(default: Any, value: Any) -> str:
    """What an option of an optimizer must be and is not; Keras has no type hints, but defaults. None stands for off."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if value is None and default is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ""
    return "a number" + (" or null" if default is None else "")

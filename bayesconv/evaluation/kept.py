"""Predictions that were made once: a run's `predictions` folder, where nothing is ever out of date.

A file is named by a hash of all that a prediction follows from: the weights, the images, how it is made, the source of
this package, and the version of TensorFlow. A change of any of them is another name. A run with parts that come from
elsewhere keeps nothing, for nobody knows what their code reads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import bayesconv as bc
from bayesconv import choices
from bayesconv.files import load_arrays, save_arrays
from bayesconv.layers import Layer
from bayesconv.predictive import Predictive
from bayesconv.runs import PREDICTIONS, Run

_LARGEST = 2**27  # bytes of a prediction; a larger one is made anew
_MOST = 2**30  # bytes of all of a run; beyond, those that were read longest ago are deleted
_PACKAGE = "bayesconv."
_OTHER = "other"  # the entry of an archive for whatever is no array, as JSON


def kept(run: Run, images: Any, how: Mapping[str, Any], predict: Callable[[], Predictive]) -> Predictive:
    """The prediction from the run's folder; made, and written there, if it is not in it.

    Args:
      run: The run, whose folder need not be writable.
      images: What is predicted, `[N, ..]`.
      how: All else that the prediction depends on: numbers, names and arrays.
      predict: Makes it.
    """
    if not _is_of_this_package(run):
        return predict()
    path = run.folder / PREDICTIONS / f"{_weights_hash(run)[:16]}-{_hash(how, images)[:24]}.npz"
    found = _read(path)
    if found is not None:
        return found
    made = predict()
    try:
        _write(path, made)
    except OSError:  # a folder that is not writable, or a full disk: then it is made every time
        with contextlib.suppress(OSError):
            path.parent.rmdir()
    return made


def variables_hash(run: Run) -> str:
    """A hash of all variables of the run's models."""
    digest = hashlib.blake2b(digest_size=16)
    for variable in (variable for model in run.models for variable in model.variables):
        array = np.ascontiguousarray(variable.numpy())
        digest.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _weights_hash(run: Run) -> str:
    """A hash of the model, its weights, and the code that it runs."""
    digest = hashlib.blake2b(f"{_code()} {variables_hash(run)} {type(run.model)} {_structure(run.model)}".encode())
    digest.update(json.dumps([run.config.model.model_dump(), run.config.objective.likelihood.identifier]).encode())
    return digest.hexdigest()


@functools.lru_cache(maxsize=1)  # a run is asked for dozens of predictions, and a summary takes as long as a small one
def _structure(model: Layer) -> str:
    return model.summary()


def _is_of_this_package(run: Run) -> bool:
    model, likelihood = run.config.model, run.config.objective.likelihood.name
    pieces = [("models", model.name.name), ("likelihoods", likelihood)]
    for chosen in (model, *model.overrides):
        pieces += [(f"{key}s", part.name) for key in ("estimator", "posterior") if (part := getattr(chosen, key))]
    makers = [choices.registry(kind).get(name) for kind, name in pieces if name != choices.DETERMINISTIC]
    return not run.config.plugins and all(maker.__module__.startswith(_PACKAGE) for maker in makers)


def _hash(how: Mapping[str, Any], images: Any) -> str:
    digest = hashlib.blake2b()
    for name, value in sorted({**how, "images": images}.items()):
        array = np.ascontiguousarray(value)
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@functools.cache
def _code() -> str:
    """A hash of the source that predictions are made by: of this package, and the version of the library below."""
    digest = hashlib.blake2b(tf.__version__.encode())
    for path in sorted(Path(bc.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> Predictive | None:
    try:
        arrays = load_arrays(path)
        fields = json.loads(str(arrays.pop(_OTHER)))
        os.utime(path)  # read just now
        others = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
        everything: dict[str, Any] = {**others, **arrays}
        return Predictive(**everything)
    except (OSError, ValueError, KeyError, TypeError):  # missing, or damaged: it is made again
        return None


def _write(path: Path, predictive: Predictive) -> None:
    fields = {field.name: getattr(predictive, field.name) for field in dataclasses.fields(predictive)}
    arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
    if sum(array.nbytes for array in arrays.values()) > _LARGEST:
        return
    try:
        other = json.dumps({name: value for name, value in fields.items() if name not in arrays})
    except TypeError:  # something that JSON does not know: such a prediction is not kept
        return
    save_arrays(path, {**arrays, _OTHER: np.array(other)})
    _tidy(path)


def _tidy(newest: Path) -> None:
    """Deletes what other weights predicted, and then the oldest while there is too much."""
    files = sorted(newest.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    total, of_these_weights = 0, newest.name.partition("-")[0]
    for path in files:
        total += path.stat().st_size
        if path != newest and (total > _MOST or path.name.partition("-")[0] != of_these_weights):
            path.unlink()

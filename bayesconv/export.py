"""A model as a SavedModel that predicts with uncertainty in any program that has TensorFlow, without this library."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.inputs import as_inputs, check_model, check_positive_int, dtype_of, output_shape_of
from bayesconv.layers import Layer
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.likelihoods import Likelihood
from bayesconv.objectives import as_likelihood
from bayesconv.registry import Identifier
from bayesconv.sampling import Sampler
from bayesconv.sums import Sums

_POSITIVE = "`num_samples` must be a positive integer."
_MARK = "saved_model.pb"  # what makes a folder a SavedModel


def export_saved_model(
    model: Layer,
    directory: str | os.PathLike[str],
    input_shape: Sequence[int],
    *,
    likelihood: Likelihood | Identifier = "categorical",
    num_samples: int = 32,
    seed: int = 0,
    calibration: Any = None,
    overwrite: bool = False,
) -> Path:
    """Writes a SavedModel whose `predict(x, num_samples, seed)` gives what `bayesconv.predict` gives.

    It is a mapping of float64 tensors with the names and meanings of `Predictive`: `mean` (class probabilities),
    `std`, `predictive_entropy`, `expected_entropy` and `mutual_information`. The batch size is free, `num_samples` and
    `seed` are scalar integers, and draws are made one at a time, so that memory does not grow with their number.
    The signature `predict` has the same three inputs; `serving_default` takes `x` alone.

    Args:
      model: From `[N, ..]` to `[N, K]`.
      directory: The folder to write, whole or not at all.
      input_shape: Shape of one input, such as `[28, 28, 1]`.
      likelihood: What the outputs mean; see `bayesconv.likelihoods`.
      num_samples: Number of draws of `serving_default`.
      seed: Seed of `serving_default`.
      calibration: As for `predict`; it becomes a part of the SavedModel.
      overwrite: Replace a SavedModel that is there.

    Returns:
      The path of the folder.

    Raises:
      FileExistsError: If there is something at `directory`, and `overwrite` is False or it is no SavedModel.
      TypeError: If `model` is no `Layer`.
      ValueError: If an argument is out of range or the model takes no such inputs.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> model = bc.Sequential([bc.Flatten(), bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)])
      >>> path = bc.export_saved_model(model, "exported", [2, 2])
      >>> loaded = tf.saved_model.load(path)
      >>> x = tf.ones([5, 2, 2])
      >>> found = loaded.predict(x, num_samples=8, seed=0)
      >>> bool(tf.reduce_all(abs(found["mean"] - bc.predict(model, x, num_samples=8, seed=0).mean) < 1e-6))
      True
    """
    check_model(model, "export_saved_model")
    family = as_likelihood(likelihood)
    example = checked_example(model, input_shape, num_samples, seed, calibration, family.output_rank)
    check_target(directory, overwrite)
    module, signatures = _module(model, example, family, num_samples, seed)
    return write_saved_model(directory, module, signatures, overwrite=overwrite)


def write_saved_model(
    directory: str | os.PathLike[str], module: Any, signatures: Mapping[str, Any], *, overwrite: bool = False
) -> Path:
    """Writes a SavedModel, whole or not at all, and returns its path.

    Raises:
      FileExistsError: If there is something that may not be replaced.
    """
    check_target(directory, overwrite)
    path = Path(directory).resolve()
    _write_folder(path, lambda folder: tf.saved_model.save(module, folder, signatures))
    return path


class _GraphSampler(Sampler):
    """Passes over draws that are made within the graph that is traced, one at a time."""

    def average(self, batch: tf.Tensor, example: tf.Tensor, num_samples: tf.Tensor, seed: tf.Tensor) -> Sums:
        """Averages over the draws of the means, their squares and the entropies, and all outputs."""
        first = self._draw_bank(example, seed, tf.range(1))
        if not (first and self._is_random):
            return self.sums(batch, first)

        def one(index: tf.Tensor) -> tf.Tensor:
            return self.sums(batch, self._draw_bank(example, seed, index[tf.newaxis])).outputs[0]

        map_fn: Any = tf.map_fn
        outputs = map_fn(one, tf.range(num_samples), fn_output_signature=self._output_spec(batch))
        sums = self._sums(outputs)  # of all draws at once, as `predict` takes them
        mean, square, entropy = (_divided(part, num_samples) for part in (sums.mean, sums.square, sums.entropy))
        return sums._replace(mean=mean, square=square, entropy=entropy)


def _divided(total: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    # A plain division by a number that is known when the graph is optimized becomes a product: other last bits.
    return tf.math.divide_no_nan(total, tf.cast(count, total.dtype))


def _module(
    model: Layer, example: np.ndarray, likelihood: Likelihood, num_samples: int, seed: int
) -> tuple[tf.Module, dict[str, Any]]:
    """What is saved: the variables alone, so that loading it needs none of the classes that own them."""
    sampler = _GraphSampler(model, tf.constant(example), likelihood, is_calibrating=is_recalibrated(model))
    x_spec = tf.TensorSpec([None, *example.shape[1:]], example.dtype, "x")

    def summarized(x: tf.Tensor, num_samples: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_positive(num_samples, _POSITIVE)]):
            num_samples = tf.identity(num_samples)
        words = tf.bitcast(tf.cast(seed, tf.int64), tf.int32)  # as `random.as_seed` splits an int
        averages = sampler.average(x, tf.constant(example), num_samples, words)
        return summary_of(averages, likelihood)

    # Concrete, since `tf.saved_model.save` would trace a function again.
    core = tf.function(summarized, [x_spec, *_scalars(tf.int32, tf.int64)], autograph=False).get_concrete_function()
    module = tf.Module()
    module.variables_of_the_model = list(model.variables)  # type: ignore[attr-defined]
    module.predict = tf.function(  # type: ignore[attr-defined]
        lambda x, num_samples, seed: core(x, tf.cast(num_samples, tf.int32), tf.cast(seed, tf.int64)), autograph=False
    )
    # Whoever calls it may have integers of either type. The first is the one that Python's integers become.
    kinds = [(count, number) for count in (tf.int32, tf.int64) for number in (tf.int64, tf.int32)]
    concrete = [module.predict.get_concrete_function(x_spec, *_scalars(*kind)) for kind in kinds]  # type: ignore
    count, number = tf.constant(num_samples), tf.constant(seed, tf.int64)
    default = tf.function(lambda x: core(x, count, number), [x_spec], autograph=False)
    return module, {"serving_default": default, "predict": concrete[0]}


def _scalars(count: tf.DType, number: tf.DType) -> list[Any]:
    return [tf.TensorSpec([], count, "num_samples"), tf.TensorSpec([], number, "seed")]


def summary_of(averages: Sums, likelihood: Likelihood) -> dict[str, tf.Tensor]:
    """The fields of `Predictive` from averages over draws."""
    mean, square, entropy = averages[:3]
    total = tf.fill(tf.shape(entropy), tf.constant(np.nan, entropy.dtype))
    if likelihood.entropy_of_mean is not None:
        total = likelihood.entropy_of_mean(mean)
    zero = tf.zeros([], mean.dtype)
    return {
        "mean": mean,
        "std": tf.sqrt(tf.maximum(square - tf.square(mean), zero)),
        "predictive_entropy": total,
        "expected_entropy": entropy,
        "mutual_information": tf.maximum(total - entropy, zero),
    }


def checked_example(
    model: Layer, input_shape: Sequence[int], num_samples: int, seed: int, calibration: Any, output_rank: int
) -> np.ndarray:
    """What to draw with, zeros or the calibration inputs; a ValueError if the arguments do not fit the model."""
    for name, sizes in (("input_shape", list(input_shape)), ("num_samples", [num_samples])):
        if not sizes:
            raise ValueError(f"`{name}` holds positive ints. Received {sizes}.")
        for size in sizes:
            check_positive_int(name, size)
    if not (isinstance(seed, int) and -(2**63) <= seed < 2**63):
        raise ValueError(f"A seed is an int of 64 bits, with its sign. Received {seed!r}.")
    if is_recalibrated(model) != (calibration is not None):
        raise ValueError(
            "Inputs for `calibration` are what BatchNorm layers with policy='recalibrated' take their moments from; "
            f"other models have no use for them. Received {'none' if calibration is None else 'some'}."
        )
    example = np.zeros([1, *input_shape], dtype_of(model).as_numpy_dtype)
    output_shape_of(model, example, output_rank)
    if calibration is None:
        return example
    calibration = as_inputs(model, calibration)
    if calibration.shape[1:] != example.shape[1:]:
        raise ValueError(
            f"`calibration` holds inputs of shape {['M', *input_shape]}. Received shape {calibration.shape}."
        )
    return calibration


def check_target(directory: str | os.PathLike[str], overwrite: bool) -> None:
    """Raises a FileExistsError if there is something that may not be replaced."""
    path = Path(directory).resolve()
    is_free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if not is_free and not overwrite:
        raise FileExistsError(f"There is something at {path} already. Choose another folder, or pass overwrite=True.")
    if not is_free and not (path / _MARK).is_file():
        raise FileExistsError(
            f"overwrite=True replaces a SavedModel only, and {path} holds none. Choose another folder, or remove it."
        )


def _write_folder(path: Path, write: Callable[[str], Any]) -> None:
    """Writes a folder beside the target and gives it the name in the end; an old one goes only then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    new, old = temporary / "new", temporary / "old"
    try:
        write(str(new))
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(new, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

"""A frozen ensemble: some functions drawn from a posterior once and for all, which always give the same answer."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import likelihoods, random, sampling, single_inputs
from bayesconv.averages import Averages
from bayesconv.compilation import compiled
from bayesconv.evaluators import Drawing
from bayesconv.export import checked_example, summary_of, write_saved_model
from bayesconv.inputs import as_array, check_model, check_positive_int
from bayesconv.layers import Layer
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.likelihoods import Likelihood
from bayesconv.objectives import as_likelihood
from bayesconv.predictive import Predictive
from bayesconv.progress import through
from bayesconv.registry import Identifier
from bayesconv.sampling import Sampler
from bayesconv.sums import Sums

_LIMIT = 2**31  # bytes of a bank; beyond it, files and loading fail in ways that say nothing


class Frozen:
    """An ensemble of S functions, independent of the model that they were drawn from.

    Made by `freeze` or `load_frozen`.

    Attributes:
      num_samples: S.
      seed: What the draws follow from.
      input_shape: Of an example.
    """

    def __init__(self, program: Any) -> None:
        self._program, facts = program, json.loads(program.description.numpy())
        self.num_samples, self.seed, self.input_shape = facts["num_samples"], facts["seed"], tuple(facts["input_shape"])
        self._dtype, self._likelihood = tf.as_dtype(facts["dtype"]), _restored(facts)

    def __call__(self, x: Any) -> tf.Tensor:
        """Outputs `[S, N, K]` of all functions for inputs `[N, ..]`."""
        return self._program.run(tf.convert_to_tensor(self._checked(x)))[3]

    def predict(
        self, x: Any, *, batch_size: int = 256, keep_samples: bool | None = None, progress: bool = False
    ) -> Predictive:
        """What `bayesconv.predict` gives for the frozen model, its number of draws and its seed.

        Args:
          x: Inputs `[N, ..]`.
          batch_size: Number of inputs in flight.
          keep_samples: Whether to keep `logits`; by default if they take at most 256 MiB.
          progress: Whether to show a progress bar.

        Raises:
          ValueError: If the inputs are empty or do not fit.
        """
        check_positive_int("batch_size", batch_size)
        x, averages = self._checked(x), Averages(keep_samples, sampling.MEMORY_BUDGET, self._likelihood)
        starts = range(0, len(x), batch_size)
        for start in through(starts, "predict", len(starts), unit="batches", shown=progress):
            batch = tf.convert_to_tensor(x[start : start + batch_size])
            sums = Sums(*(part.numpy() for part in self._program.run(batch)))
            averages.add([sums._replace(predictive_entropy=None) if self._likelihood.noise else sums])
        return averages.summarize(self.seed)

    def save(self, directory: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Writes a SavedModel, whole or not at all, and returns its path.

        `load_frozen` reads it, and so does a program that has TensorFlow only: `tf.saved_model.load(path).predict(x)`
        is a mapping of float64 tensors with the names and meanings of `Predictive`.

        Raises:
          FileExistsError: If there is something else already.
        """
        signatures = {"serving_default": self._program.predict}
        return write_saved_model(directory, self._program, signatures, overwrite=overwrite)

    def _checked(self, x: Any) -> np.ndarray:
        x = as_array(x, self._dtype)
        if x.shape[1:] != self.input_shape:
            raise ValueError(f"The ensemble takes inputs {['N', *self.input_shape]}. Received shape {x.shape}.")
        return x


def freeze(
    model: Layer,
    num_samples: int = 32,
    seed: int = 0,
    *,
    input_shape: Sequence[int] | None = None,
    likelihood: Likelihood | Identifier = "categorical",
    calibration: Any = None,
) -> Frozen:
    """Draws an ensemble from a model's posterior that is cheap to serve and always gives the same answer.

    It predicts what `predict(model, x, num_samples=num_samples, seed=seed)` does, now and after the model has been
    trained on or deleted. A single input passes through all functions at once where that is faster on this machine, if
    only layers of this library and functions of TensorFlow see it.

    Args:
      model: A layer from `[N, ..]` to `[N, K]`.
      num_samples: Number of functions S. A model without random weights is a single one.
      seed: Int.
      input_shape: Shape of an example; None takes that of the model's last call.
      likelihood: What the outputs mean.
      calibration: As for `predict`.

    Returns:
      A `Frozen`, of S times the size of the drawn weights.

    Raises:
      TypeError: If `model` is no `Layer`.
      ValueError: If an argument is out of range, the model takes no such inputs, or no shape is known.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> frozen = bc.freeze(model, num_samples=8, input_shape=[4])
      >>> x = np.ones([5, 4], np.float32)
      >>> bool((frozen.predict(x).mean == bc.predict(model, x, num_samples=8).mean).all())
      True
    """
    check_model(model, "freeze")
    family = as_likelihood(likelihood)
    example = checked_example(model, _known(model, input_shape), num_samples, seed, calibration, family.output_rank)
    program = _program(model, tf.constant(example), family, num_samples, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = write_saved_model(Path(folder) / "frozen", program, {"serving_default": program.predict})
        return load_frozen(path)  # which reads it whole: nothing is shared with the model any more


def load_frozen(directory: str | os.PathLike[str]) -> Frozen:
    """Reads what `Frozen.save` wrote.

    Raises:
      FileNotFoundError: If there is nothing.
      ValueError: If it is no frozen ensemble.
    """
    path = Path(directory)
    if not (path / "saved_model.pb").is_file():
        raise FileNotFoundError(f"A frozen ensemble is a folder with a saved_model.pb. Found none in {path}.")
    try:
        program = tf.saved_model.load(str(path))
    except (OSError, tf.errors.OpError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}. Freeze the model again.") from error
    if not hasattr(program, "description"):
        raise ValueError(f"{path} is a SavedModel, but no frozen ensemble: it was not written by Frozen.save.")
    return Frozen(program)


def _known(model: Layer, input_shape: Sequence[int] | None) -> Sequence[int]:
    last = model._last_call.input_shape if input_shape is None else [1, *input_shape]
    if last is None or None in last[1:]:
        raise ValueError(
            "Draws are made in a pass over an example, whose shape is not known: the model has not been called yet. "
            "Pass input_shape, such as [28, 28, 1]."
        )
    return list(last[1:])


def _program(model: Layer, example: tf.Tensor, likelihood: Likelihood, num_samples: int, seed: int) -> Any:
    """What is saved: the bank, the other variables, and a pass over them for any number of inputs."""
    sampler = Sampler(model, example, likelihood, is_calibrating=is_recalibrated(model))
    banks = list(Drawing(sampler, example, random.as_seed(seed), num_samples, None))
    stacked = [tf.concat(parts, axis=0) for parts in zip(*map(tf.nest.flatten, banks), strict=True)]
    size = sum(tensor.numpy().nbytes for tensor in stacked)
    if size > _LIMIT:
        raise ValueError(
            f"A frozen ensemble may take 2 GiB. Received {num_samples} draws, which take {size / 2**30:.1f} GiB: take "
            "fewer, or use predict, which makes them anew."
        )
    program: Any = tf.Module()
    program.bank = [tf.Variable(tensor, trainable=False) for tensor in stacked]
    program.variables_of_the_model = list(model.variables)
    description = _description(example, likelihood, num_samples, seed)
    program.description = tf.Variable(tf.constant(description), trainable=False)

    def by(sums_of: Callable[..., Sums]) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
        def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
            sums = sums_of(x, _drawn(banks[0], program))
            return *sums[:4], _summary(sums, likelihood)["predictive_entropy"]

        return compiled(run, [spec])

    spec = tf.TensorSpec([None, *example.shape[1:]], example.dtype, "x")
    program.run = by(sampler.sums)
    if sampler.is_stackable(_drawn(banks[0], program)) and single_inputs.treats_examples_alone(model):
        program.run = single_inputs.faster(program.run, by(sampler.stacked_sums), spec)
    program.predict = compiled(lambda x: _summary(Sums(*program.run(x)), likelihood), [spec])
    return program


def _restored(facts: Mapping[str, Any]) -> Likelihood:
    """The likelihood of a frozen ensemble; by name alone if it is registered in another program only."""
    name = facts["likelihood"]
    if name in likelihoods.names():
        return likelihoods.get(name)(**facts.get("likelihood_options", {}))
    return Likelihood(name, tf.identity, tf.identity, tf.identity)


def _drawn(structure: Any, program: Any) -> Any:
    return tf.nest.pack_sequence_as(structure, [variable.value() for variable in program.bank])


def _description(example: tf.Tensor, likelihood: Likelihood, num_samples: int, seed: int) -> str:
    shape, dtype = list(example.shape[1:]), example.dtype.name
    facts = {"num_samples": num_samples, "seed": seed, "likelihood": likelihood.name}
    facts["likelihood_options"] = dict(likelihood.options)
    return json.dumps({**facts, "input_shape": shape, "dtype": dtype})


def _summary(sums: Sums, likelihood: Likelihood) -> dict[str, tf.Tensor]:
    count = tf.cast(tf.shape(sums.outputs)[0], sums.mean.dtype)
    averages = sums._replace(mean=sums.mean / count, square=sums.square / count, entropy=sums.entropy / count)
    return summary_of(averages, likelihood)

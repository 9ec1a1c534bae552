"""Training: the evidence lower bound by stochastic gradients, a function of its arguments and a seed alone."""

from __future__ import annotations

import operator
import os
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import augmentations, bounds, precision, random
from bayesconv.batches import ArrayBatches, StreamBatches
from bayesconv.checkpoints import RunFolder
from bayesconv.inputs import check_model, check_positive_int
from bayesconv.layers import Layer
from bayesconv.layers.batch_normalization import is_recalibrated
from bayesconv.likelihoods import Likelihood
from bayesconv.loop import Batches, History, TrainingLoop
from bayesconv.objectives import Elbo, as_likelihood, check_bound, check_multiplier, elbo, schedules
from bayesconv.optimization import describe_optimizer, make_optimizer, make_stepper
from bayesconv.registry import Identifier, name_of
from bayesconv.validation import in_memory, validator
from bayesconv.weighting import ClassWeights, as_class_weights


def fit(
    model: Layer,
    train: Any,
    *,
    num_data: int | None = None,
    epochs: int,
    batch_size: int = 64,
    augmentation: Sequence[Identifier] = (),
    likelihood: Likelihood | Identifier = "categorical",
    optimizer: Any = None,
    learning_rate: float | None = None,
    learning_rate_schedule: str = "cosine",
    scale_learning_rate_factor: float = 1.0,
    validation: Any = None,
    validation_samples: int = 8,
    temperature: float = 1.0,
    kl_schedule: Identifier = "linear",
    num_samples: int = 1,
    bound: Identifier = "elbo",
    class_weights: ClassWeights | None = None,
    sample_weights: Any = None,
    patience: int | None = None,
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool | str = True,
) -> History:
    """Trains a model by its evidence lower bound.

    Args:
      model: A layer from `[N, ..]` to `[N, K]`, or to what the likelihood takes.
      train: `(x, y)` arrays, or a finite `tf.data.Dataset` of such batches, or of `(x, y, weights)`.
      num_data: Number of training examples, by which the KL is divided; inferred for arrays.
      epochs: Number of passes.
      batch_size: Examples a step, for arrays.
      augmentation: What changes the training images at random, one after the other, for arrays; see
        `bayesconv.augmentations`. The KL is still divided by the number of images.
      likelihood: What the outputs say of the targets; see `bayesconv.likelihoods`.
      optimizer: `"adam"`, `"adamw"`, `"sgd"`, `"ivon"` of normal posteriors, see `Ivon`, a mapping
        `{"name": ..., **options}`, or a Keras optimizer; None is Adam. Weight decay spares the posteriors' scales,
        the variables whose names begin with `untransformed_`.
      learning_rate: Learning rate at the start; None is 0.001, with `"ivon"` 0.1. Not used with a Keras optimizer.
      learning_rate_schedule: `"cosine"` or `"constant"`; not used with a Keras optimizer.
      scale_learning_rate_factor: Learning rate of the posteriors' scales over that of their locations; not with
        `"ivon"`.
      validation: `(x, y)` arrays, or a finite `tf.data.Dataset` of such batches, which is read into memory. The model
        ends with the weights of its best epoch on them, among those with the full weight of the KL.
      validation_samples: Draws of the weights that the validation NLL averages over.
      temperature: Multiplier of the KL; 1 is Bayes' rule.
      kl_schedule: Multiplier of the KL as the run proceeds; see `bayesconv.objectives.schedules`.
      num_samples: Draws of the weights a step.
      bound: What is maximized: `"elbo"`, `"importance_weighted"` or `{"name": "renyi", "alpha": 0.5}`; see
        `bayesconv.bounds`. All but the first need several draws and `estimator="reparameterization"`.
      class_weights: What the classes count in the loss: a number for each, a mapping of classes to numbers, or
        `"balanced"`; see `bayesconv.weighting`. Validation and the reported NLL know nothing of weights.
      sample_weights: What the examples count in the loss, `[N]`, for arrays.
      patience: Epochs without a better validation NLL after which to stop, counted when the KL has its full weight.
      seed: Determines order and draws; with the initial weights, the whole run.
      run_dir: Folder for `history.jsonl` and the checkpoints of the best and the last epoch.
      resume: Go on from the last checkpoint in `run_dir`, if there is one: with arrays, exactly as if nothing had
        happened; the order of a data set is its own.
      progress: Whether to show a progress bar, or where it could not be seen a line an epoch; a text is its label.

    Returns:
      A `History`.

    Raises:
      ValueError: If an argument is out of range, the data do not fit the model, or the folder holds another run.
      FloatingPointError: If the loss stops being finite; the message names where it went wrong first.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Affine(2, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> x, y = np.ones([32, 2], np.float32), np.zeros([32], int)
      >>> history = bc.fit(model, (x, y), epochs=2, progress=False)
      >>> [row["epoch"] for row in history.rows]
      [1, 2]
    """
    num_data = None if num_data is None else int(num_data)
    temperature, scale_learning_rate_factor = float(temperature), float(scale_learning_rate_factor)
    seed = _as_int(seed)
    validation = in_memory(validation)
    _check_arguments(epochs, num_samples, temperature, patience, validation, run_dir, resume)
    check_bound(model, bound, num_samples)
    check_model(model, "fit")
    family, schedule = as_likelihood(likelihood), schedules.resolve(kl_schedule)
    batches = _batches(model, train, num_data, batch_size, family, seed, sample_weights, augmentation)
    num_data = batches.num_data if num_data is None else num_data
    if validation is not None:  # checked as the training data are, before anything long begins
        _batches(model, validation, None, batch_size, family, seed)
    by_class = as_class_weights(class_weights, batches.output_shape[-1], family, batches.targets)
    total_steps = epochs * batches.steps_per_epoch
    made = make_optimizer(optimizer, learning_rate, learning_rate_schedule, total_steps)
    stepper = make_stepper(made, model, num_data, temperature, scale_learning_rate_factor)

    def objective(step: tf.Tensor, x: tf.Tensor, y: tf.Tensor, weights: Any = None) -> tuple[Elbo, tf.Tensor]:
        kl_weight = schedule(tf.cast(step, tf.float32) / total_steps)
        terms = elbo(
            model,
            x,
            y,
            num_data=num_data,
            likelihood=family,
            kl_weight=kl_weight,
            temperature=temperature,
            num_samples=num_samples,
            seed=random.fold_in(random.as_seed(seed), step),
            bound=bound,
            sample_weights=weights,
            class_weights=by_class,
        )
        return terms, kl_weight

    settings = {
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "augmentation": augmentations.describe_chain(augmentation),
        "num_data": num_data,
        "steps_per_epoch": batches.steps_per_epoch,
        "likelihood": family.name,
        "optimizer": describe_optimizer(made),
        "scale_learning_rate_factor": scale_learning_rate_factor,
        "temperature": temperature,
        "kl_schedule": name_of(schedule),
        "num_samples": num_samples,
        "bound": name_of(bounds.resolve(bound)),
        "patience": patience,
        "random": random.ALGORITHM,
        "compute_dtype": precision.narrowed(tf.float32).name,
        **_described_weights(by_class, sample_weights),
    }
    loop = TrainingLoop(model, batches, objective, stepper, family, settings, run_dir)
    if resume:
        loop.restore()
    calibration = batches.calibration() if validation is not None and is_recalibrated(model) else None
    validate = validator(model, validation, family, validation_samples, seed, calibration)
    return loop.run(epochs, validate, patience, progress)


def _as_int(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError as error:
        raise TypeError(f"`seed` is an int. Received {seed!r} of type {type(seed).__name__}.") from error


def _described_weights(by_class: Any, by_example: Any) -> dict[str, Any]:
    """What a resumed run must have been given too; of the weights of examples a checksum."""
    settings: dict[str, Any] = {}
    if by_class is not None:
        settings["class_weights"] = by_class.tolist()
    if by_example is not None:
        settings["sample_weights"] = zlib.crc32(np.asarray(by_example, np.float32).tobytes())
    return settings


def _batches(
    model: Layer,
    data: Any,
    num_data: int | None,
    batch_size: int,
    likelihood: Likelihood,
    seed: int,
    sample_weights: Any = None,
    augmentation: Sequence[Identifier] = (),
) -> Batches:
    augment = augmentations.chain(augmentation) if augmentations.check_sequence(augmentation) else None
    if augment is not None and likelihood.task == "segmentation":
        raise ValueError(
            "`augmentation` changes images and not their targets, which for pixels have to move along. "
            f"Received it with the likelihood {likelihood.name!r}: leave it out, or change both in a tf.data.Dataset."
        )
    if isinstance(data, tf.data.Dataset):
        if sample_weights is not None:
            raise ValueError(
                "A tf.data.Dataset brings the weights of its examples as the third part of its elements, "
                "(x, y, weights). Received sample_weights as well; leave them out."
            )
        if augment is not None:
            raise ValueError(
                "`augmentation` changes the batches of arrays. Received a tf.data.Dataset: map it, "
                "dataset.map(lambda x, y: (change(x), y)), so that every pass changes anew."
            )
        return StreamBatches(model, data, num_data=num_data, likelihood=likelihood)
    if not (isinstance(data, (tuple, list)) and len(data) == 2):
        raise ValueError(f"Data are a pair (x, y) of arrays, or a tf.data.Dataset. Received {type(data).__name__}.")
    options: dict[str, Any] = {"batch_size": batch_size, "likelihood": likelihood, "seed": seed}
    return ArrayBatches(model, *data, **options, sample_weights=sample_weights, augment=augment)


def _check_arguments(
    epochs: int,
    num_samples: int,
    temperature: float,
    patience: int | None,
    validation: Any,
    run_dir: Any,
    resume: bool,
) -> None:
    for name, value in (
        ("epochs", epochs),
        ("num_samples", num_samples),
        ("patience", 1 if patience is None else patience),
    ):
        check_positive_int(name, value)
    check_multiplier("temperature", temperature)
    if patience is not None and validation is None:
        raise ValueError("`patience` watches the validation NLL, so it needs validation=(x, y). Received none.")
    if run_dir is not None and not resume and RunFolder(run_dir).last.exists():
        raise ValueError(
            f"{os.fspath(run_dir)} already holds a run. Pass resume=True to go on with it, or another run_dir."
        )

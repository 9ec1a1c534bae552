"""Training: the evidence lower bound by stochastic gradients, a function of its arguments and a seed alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from bayesconv import files, finiteness, random
from bayesconv.batches import ArrayBatches, StreamBatches
from bayesconv.checkpoints import RunFolder, read_history
from bayesconv.layers import Layer
from bayesconv.layers import variables as by_path
from bayesconv.likelihoods import Likelihood
from bayesconv.objectives import Elbo, as_likelihood, elbo, schedules
from bayesconv.optimization import GroupedOptimizer, describe_optimizer, make_optimizer
from bayesconv.prediction import predict
from bayesconv.registry import Identifier, name_of

Batches = ArrayBatches | StreamBatches


class History(NamedTuple):
    """What `fit` returns.

    Attributes:
      rows: One mapping an epoch: `epoch`, `loss` and `nll` in nats per example, `kl` in nats per data set,
        `kl_weight`, `images_per_second`, and with validation data `validation_nll` and `validation_accuracy`.
      best_epoch: Epoch whose weights the model ends with: that of the lowest validation NLL, or the last.
    """

    rows: list[dict[str, Any]]
    best_epoch: int


def fit(
    model: Layer,
    train: Any,
    *,
    num_data: int | None = None,
    epochs: int,
    batch_size: int = 64,
    likelihood: Likelihood | Identifier = "categorical",
    optimizer: Any = "adam",
    learning_rate: float = 1e-3,
    learning_rate_schedule: str = "cosine",
    scale_learning_rate_factor: float = 1.0,
    validation: Any = None,
    validation_samples: int = 8,
    temperature: float = 1.0,
    kl_schedule: Identifier = "linear",
    num_samples: int = 1,
    patience: int | None = None,
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Trains a model by its evidence lower bound.

    Args:
      model: A layer from `[N, ..]` to `[N, K]`.
      train: `(x, y)` arrays, or a finite `tf.data.Dataset` of such batches.
      num_data: Number of training examples, by which the KL is divided; inferred for arrays.
      epochs: Number of passes.
      batch_size: Examples a step, for arrays.
      likelihood: What the outputs say of the targets; see `bayesconv.likelihoods`.
      optimizer: `"adam"`, `"adamw"`, `"sgd"`, a mapping `{"name": ..., **options}`, or a Keras optimizer.
      learning_rate: Learning rate at the start; not used with a Keras optimizer.
      learning_rate_schedule: `"cosine"` or `"constant"`; not used with a Keras optimizer.
      scale_learning_rate_factor: Learning rate of the posteriors' scales over that of their locations.
      validation: `(x, y)` arrays. The model ends with the weights of its best epoch on them.
      validation_samples: Draws of the weights that the validation NLL averages over.
      temperature: Multiplier of the KL; 1 is Bayes' rule.
      kl_schedule: Multiplier of the KL as the run proceeds; see `bayesconv.objectives.schedules`.
      num_samples: Draws of the weights a step.
      patience: Epochs without a better validation NLL after which to stop.
      seed: Determines order and draws; with the initial weights, the whole run.
      run_dir: Folder for `history.jsonl` and the checkpoints of the best and the last epoch.
      resume: Go on from the last checkpoint in `run_dir`, if there is one, exactly as if nothing had happened.
      progress: Whether to show a progress bar.

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
    _check_arguments(epochs, num_samples, temperature, patience, validation, run_dir, resume)
    family, schedule = as_likelihood(likelihood), schedules.resolve(kl_schedule)
    batches = _batches(model, train, num_data, batch_size, family, seed)
    num_data = batches.num_data if num_data is None else num_data
    if validation is not None:  # checked as the training data are, before anything long begins
        _batches(model, validation, None, batch_size, family, seed)
    total_steps = epochs * batches.steps_per_epoch
    keras_optimizer = make_optimizer(optimizer, learning_rate, learning_rate_schedule, total_steps)
    grouped = GroupedOptimizer(keras_optimizer, _trainable(model), scale_learning_rate_factor)

    def objective(inputs: tf.Tensor, targets: tf.Tensor, step: tf.Tensor) -> tuple[Elbo, tf.Tensor]:
        kl_weight = schedule(tf.cast(step, tf.float32) / total_steps)
        terms = elbo(
            model,
            inputs,
            targets,
            num_data=num_data,
            likelihood=family,
            kl_weight=kl_weight,
            temperature=temperature,
            num_samples=num_samples,
            seed=random.fold_in(random.as_seed(seed), step),
        )
        return terms, kl_weight

    settings = {
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "num_data": num_data,
        "steps_per_epoch": batches.steps_per_epoch,
        "likelihood": family.name,
        "optimizer": describe_optimizer(keras_optimizer),
        "scale_learning_rate_factor": scale_learning_rate_factor,
        "temperature": temperature,
        "kl_schedule": name_of(schedule),
        "num_samples": num_samples,
        "patience": patience,
        "random": random.ALGORITHM,
    }
    loop = _Loop(model, batches, objective, grouped, family, settings, run_dir)
    if resume:
        loop.restore()
    validate = _validator(model, validation, family, validation_samples, seed)
    return loop.run(epochs, validate, patience, progress)


class _Loop:
    """The epochs of a run, with their state."""

    def __init__(
        self,
        model: Layer,
        batches: Batches,
        objective: Callable[..., tuple[Elbo, tf.Tensor]],
        optimizer: GroupedOptimizer,
        likelihood: Likelihood,
        settings: dict[str, Any],
        run_dir: str | os.PathLike[str] | None,
    ) -> None:
        self._model, self._batches, self._objective = model, batches, objective
        self._optimizer, self._likelihood, self._settings = optimizer, likelihood, settings
        self._folder = None if run_dir is None else RunFolder(run_dir)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self._compiled_step = tf.function(self._train_step, batches.specs, autograph=False)
        self._variables = {
            **{f"model/{path}": variable for path, variable in model.named_variables.items()},
            **optimizer.variables,
            "step": self._step,
        }
        self._rows: list[dict[str, Any]] = []
        self._best: tuple[float, int, dict[str, np.ndarray]] = (math.inf, 0, {})

    def restore(self) -> None:
        """Goes back to the last checkpoint, if there is one."""
        if self._folder is None or not self._folder.last.exists():
            return
        state = self._folder.read_state()
        differing = [key for key, value in self._settings.items() if state["settings"].get(key) != value]
        if differing:
            was = {key: state["settings"].get(key) for key in differing}
            raise ValueError(
                f"A run is resumed with the settings it began with. In {self._folder.path} these were {was}; "
                f"received {({key: self._settings[key] for key in differing})}. Use another run_dir for another run."
            )
        self._rows = read_history(self._folder.history)[: state["epoch"]]
        self._best = (state["best_nll"], state["best_epoch"], files.load_arrays(self._folder.best))
        self._folder.load_last(self._variables)

    def run(
        self, epochs: int, validate: Callable[[], dict[str, float]], patience: int | None, progress: bool
    ) -> History:
        """Trains from the current epoch to the last, or until the validation NLL has not improved for long."""
        done, total = len(self._rows), epochs * self._batches.steps_per_epoch
        with tqdm(total=total, initial=int(self._step), unit="step", disable=not progress, mininterval=0.5) as bar:
            for epoch in range(done + 1, epochs + 1):
                if patience is not None and epoch - 1 - self._best[1] >= patience:
                    break
                row = {"epoch": epoch, **self._train_epoch(epoch, epochs, bar), **validate()}
                self._record(row)
        by_path.assign(self._model.named_variables, self._best[2], source="the best epoch")
        return History(self._rows, self._best[1])

    def _train_epoch(self, epoch: int, epochs: int, bar: Any) -> dict[str, float]:
        sums, seen, began = np.zeros(3), 0, time.perf_counter()
        kl_weight = 0.0
        for inputs, targets in self._batches.epoch(epoch):
            *terms, weight, finite = (float(value) for value in self._compiled_step(inputs, targets))
            if not finite:
                self._fail(inputs, targets, epoch)
            sums, seen, kl_weight = sums + len(inputs) * np.asarray(terms), seen + len(inputs), weight
            rate = seen / (time.perf_counter() - began)
            loss, nll, kl = map(float, sums / seen)
            bar.set_description(f"epoch {epoch}/{epochs}", refresh=False)
            bar.set_postfix_str(f"loss {loss:.4f}, NLL {nll:.4f}, KL {kl:.0f}, {rate:.0f} images/s", refresh=False)
            bar.update()
        return {"loss": loss, "nll": nll, "kl": kl, "kl_weight": kl_weight, "images_per_second": rate}

    def _train_step(self, inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, ...]:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            terms, kl_weight = self._objective(inputs, targets, self._step)
        gradients = tape.gradient(terms.loss, variables)
        _check_gradients(variables, gradients)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(value)) for value in (terms.loss, *gradients)])
        # A step that went wrong must not spoil the weights: they show where it did.
        tf.cond(finite, lambda: self._apply(gradients), lambda: tf.constant(0, tf.int64))
        return *terms, kl_weight, finite

    def _apply(self, gradients: list[tf.Tensor]) -> tf.Tensor:
        self._optimizer.apply(gradients)
        return tf.identity(self._step.assign_add(1))

    def _record(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        score = row.get("validation_nll", -math.inf)
        improved = score < self._best[0] or score == -math.inf
        if improved:
            self._best = (score, row["epoch"], by_path.values(self._model.named_variables))
        if self._folder is not None:
            self._write(improved)

    def _write(self, improved: bool) -> None:
        folder = self._folder
        if improved:
            self._model.save(folder.best)
        folder.write_history(self._rows)
        # Last, so that what it speaks of is there: a crash in between repeats the epoch.
        state = {"epoch": len(self._rows), "best_nll": self._best[0], "best_epoch": self._best[1]}
        folder.save_last(self._variables, {**state, "settings": self._settings})

    def _fail(self, inputs: Any, targets: Any, epoch: int) -> None:
        seed = random.fold_in(random.as_seed(self._settings["seed"]), self._step)
        seed = random.split(seed, self._settings["num_samples"])[0]
        inputs, targets = tf.convert_to_tensor(inputs), tf.convert_to_tensor(targets)
        where = finiteness.first_non_finite(self._model, inputs, targets, self._likelihood, seed)
        kept = "No checkpoint was written: pass run_dir to keep one."
        if self._folder is not None and self._folder.last.exists():
            kept = f"The last good checkpoint, of epoch {len(self._rows)}, is {self._folder.last}."
        raise FloatingPointError(
            f"Training stopped in epoch {epoch}: the loss or its gradient is not finite, beginning with {where}. "
            f"{kept} A smaller learning rate, or a smaller initial scale, may help; so may a look at the data."
        )


def _batches(
    model: Layer, data: Any, num_data: int | None, batch_size: int, likelihood: Likelihood, seed: int
) -> Batches:
    if isinstance(data, tf.data.Dataset):
        return StreamBatches(model, data, num_data=num_data, likelihood=likelihood.name)
    if not (isinstance(data, (tuple, list)) and len(data) == 2):
        raise ValueError(f"Data are a pair (x, y) of arrays, or a tf.data.Dataset. Received {type(data).__name__}.")
    return ArrayBatches(model, *data, batch_size=batch_size, likelihood=likelihood.name, seed=seed)


def _validator(
    model: Layer, validation: Any, likelihood: Likelihood, num_samples: int, seed: int
) -> Callable[[], dict[str, float]]:
    if validation is None:
        return dict
    x, y = validation

    def validate() -> dict[str, float]:
        predictive = predict(model, x, num_samples=num_samples, seed=seed, likelihood=likelihood, keep_samples=True)
        log_probs = tf.stack([likelihood.log_prob(outputs, y) for outputs in predictive.logits.astype(np.float64)])
        nll = math.log(len(log_probs)) - float(tf.reduce_mean(tf.reduce_logsumexp(log_probs, axis=0)))
        if not math.isfinite(nll):
            raise FloatingPointError(f"The validation NLL is {nll}, though the training loss is finite: check the data.")
        result = {"validation_nll": nll}
        if likelihood.name == "categorical":
            result["validation_accuracy"] = float(np.mean(predictive.mean.argmax(-1) == y))
        return result

    return validate


def _trainable(model: Layer) -> tuple[tf.Variable, ...]:
    if not model.trainable_variables:
        raise ValueError(f"There is nothing to train: `{model.name}` has no trainable variables.")
    return model.trainable_variables


def _check_gradients(variables: Any, gradients: Any) -> None:
    unused = [variable.name for variable, gradient in zip(variables, gradients, strict=True) if gradient is None]
    if unused:
        raise ValueError(
            f"The loss does not depend on the trainable variables {unused}, so they would never be trained. Use them "
            "in the model, or make them with trainable=False."
        )


def _check_arguments(
    epochs: int,
    num_samples: int,
    temperature: float,
    patience: int | None,
    validation: Any,
    run_dir: Any,
    resume: bool,
) -> None:
    for name, value in (("epochs", epochs), ("num_samples", num_samples), ("patience", 1 if patience is None else patience)):
        if not (isinstance(value, int) and value > 0):
            raise ValueError(f"`{name}` must be a positive int. Received {value!r}.")
    if not temperature >= 0:
        raise ValueError(f"`temperature` must not be negative. Received {temperature!r}.")
    if isinstance(validation, tf.data.Dataset):
        raise ValueError("`validation` is a pair (x, y) of arrays. Received a tf.data.Dataset.")
    if patience is not None and validation is None:
        raise ValueError("`patience` watches the validation NLL, so it needs validation=(x, y). Received none.")
    if run_dir is not None and not resume and RunFolder(run_dir).last.exists():
        raise ValueError(
            f"{os.fspath(run_dir)} already holds a run. Pass resume=True to go on with it, or another run_dir."
        )

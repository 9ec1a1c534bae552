"""The epochs of a training run: the compiled step, the best weights, the checkpoints, and the end of it all."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np
import tensorflow as tf

from bayesconv import examples, files, finiteness, progress, random
from bayesconv.batches import ArrayBatches, StreamBatches
from bayesconv.checkpoints import RunFolder
from bayesconv.compilation import compiled
from bayesconv.layers import Layer
from bayesconv.layers import variables as by_path
from bayesconv.likelihoods import Likelihood
from bayesconv.objectives import Elbo
from bayesconv.optimization import Stepper

Batches = ArrayBatches | StreamBatches

_NOT_FINITE = "the loss or its gradient is not finite"


def _described(row: dict[str, Any]) -> str:
    parts = [f"loss {row['loss']:.4f}, NLL {row['nll']:.4f}, KL {row['kl']:.0f}"]
    if "validation_nll" in row:
        parts.append(f"validation NLL {row['validation_nll']:.4f}")
    return ", ".join([*parts, f"{row['images_per_second']:.0f} images/s"])


class History(NamedTuple):
    """What `fit` returns.

    Attributes:
      rows: One mapping an epoch: `epoch`, `loss` and `nll` in nats per example, `kl` in nats per data set,
        `kl_weight`, `images_per_second`, and with validation data `validation_nll` and, of classes,
        `validation_accuracy`, of real targets `validation_rmse`. Only `loss` knows of weights.
      best_epoch: Epoch whose weights the model ends with: that of the lowest validation NLL
        once the KL is at its full weight, or the last.
    """

    rows: list[dict[str, Any]]
    best_epoch: int


class TrainingLoop:
    """The epochs of a run, with their state."""

    def __init__(
        self,
        model: Layer,
        batches: Batches,
        objective: Callable[..., tuple[Elbo, tf.Tensor]],
        optimizer: Stepper,
        likelihood: Likelihood,
        settings: dict[str, Any],
        run_dir: str | os.PathLike[str] | None,
    ) -> None:
        self._model, self._batches, self._objective = model, batches, objective
        self._optimizer, self._likelihood, self._settings = optimizer, likelihood, settings
        self._folder = None if run_dir is None else RunFolder(run_dir)
        self._step = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="step")
        self.compiled_step = compiled(self._train_step, batches.specs)
        # Once: walking a model takes longer than writing it.
        self._named, self._trainable = model.named_variables, model.trainable_variables
        self._variables = {
            **{f"model/{path}": variable for path, variable in self._named.items()},
            **optimizer.variables,
            "step": self._step,
        }
        self._rows: list[dict[str, Any]] = []
        self._best: tuple[float, int, dict[str, np.ndarray]] = (math.inf, 0, {})
        self._best_is_from = "the best epoch" if self._folder is None else self._folder.best

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
                f"received { ({key: self._settings[key] for key in differing}) }. Use another run_dir for another run."
            )
        self._rows = state["rows"]
        self._best = (state["best_nll"], state["best_epoch"], files.load_arrays(self._folder.best))
        self._folder.load_last(self._variables)
        self._folder.write_history(self._rows)  # it may have been lost since, or be ahead of the checkpoint

    def run(
        self, epochs: int, validate: Callable[[], dict[str, float]], patience: int | None, shown: bool | str
    ) -> History:
        """Trains from the current epoch to the last, or until the validation NLL has not improved for long."""
        done, total = len(self._rows), epochs * self._batches.steps_per_epoch
        name = f"{shown}, " if isinstance(shown, str) else ""
        with progress.bar(shown=shown, total=total, initial=int(self._step), unit="step", mininterval=0.5) as bar:
            for epoch in range(done + 1, epochs + 1):
                if patience is not None and epoch - 1 - self._best[1] >= patience:
                    break
                label = f"{name}epoch {epoch}/{epochs}"
                row = {"epoch": epoch, **self._train_epoch(epoch, label, bar), **validate()}
                self._record(row)
                progress.say(f"{label}: {_described(row)}", shown=shown)
        by_path.assign(self._named, self._best[2], source=self._best_is_from)
        return History(self._rows, self._best[1])

    def _train_epoch(self, epoch: int, label: str, bar: Any) -> dict[str, float]:
        sums, seen, began = np.zeros(3), 0, time.perf_counter()
        kl_weight = 0.0
        for batch in self._batches.epoch(epoch):
            inputs = batch[0]
            if not len(inputs):  # nothing is learnt from it
                continue
            *terms, weight = self._stepped(batch, epoch)
            sums, seen, kl_weight = sums + len(inputs) * np.asarray(terms), seen + len(inputs), weight
            rate = seen / (time.perf_counter() - began)
            loss, nll, kl = map(float, sums / seen)
            row = {"loss": loss, "nll": nll, "kl": kl, "kl_weight": kl_weight, "images_per_second": rate}
            bar.set_description(label, refresh=False)
            bar.set_postfix_str(_described(row), refresh=False)
            bar.update()
        if not seen:
            raise ValueError(f"An epoch has examples. Received none in epoch {epoch}; look at the data set.")
        return row

    def _stepped(self, batch: Any, epoch: int) -> list[float]:
        """Loss, NLL, KL and the KL's weight of a step."""
        try:
            return [float(value) for value in self.compiled_step(*batch)]
        except tf.errors.InvalidArgumentError as error:
            if _NOT_FINITE not in str(error):
                raise
        return self._fail(batch[0], batch[1], epoch)

    def _train_step(self, *batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with examples.never_empty(), tf.GradientTape() as tape:  # no step is taken with an empty batch
            terms, kl_weight = self._objective(self._step, *batch)
        gradients: Any = tape.gradient(terms.loss, self._trainable)
        _check_gradients(self._trainable, gradients)
        squares = tf.debugging.check_numerics(_sum_of_squares([terms.loss, *gradients]), _NOT_FINITE)
        # A step that went wrong must not spoil the weights: they show where it did. An error that stops it is traced in
        # half the operations of a condition, which takes in every variable anew.
        with tf.control_dependencies([squares]):
            self._optimizer.apply(gradients)
            self._step.assign_add(1)
        return *terms, kl_weight

    def _record(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        # While the KL warms up the objective is another one: such an epoch is the best only until it has.
        warming_up = row["kl"] != 0.0 and row["kl_weight"] < 1.0
        score = math.inf if warming_up else row.get("validation_nll", math.inf)
        improved = score < self._best[0] or self._best[0] == math.inf
        if improved:
            self._best = (score, row["epoch"], by_path.values(self._named))
        self._check_finite(row["epoch"])
        self._write(improved)

    def _check_finite(self, epoch: int) -> None:
        # The last step of an epoch may have spoilt the weights; what is on disk must stay good.
        for path, variable in self._named.items():
            if not np.isfinite(variable.numpy()).all():
                self._stop(epoch, f"the variable {path} after the update")

    def _write(self, improved: bool) -> None:
        if self._folder is None:
            return
        folder = self._folder
        if improved:
            files.save_arrays(folder.best, self._best[2])
        folder.write_history(self._rows)
        # Last, so that what it speaks of is there: a crash in between repeats the epoch.
        state = {"rows": self._rows, "best_nll": self._best[0], "best_epoch": self._best[1]}
        folder.save_last(self._variables, {**state, "settings": self._settings})

    def _fail(self, inputs: Any, targets: Any, epoch: int) -> NoReturn:
        seed = random.fold_in(random.as_seed(self._settings["seed"]), self._step)
        seeds = random.split(seed, self._settings["num_samples"])
        inputs, targets = tf.convert_to_tensor(inputs), tf.convert_to_tensor(targets)
        where = finiteness.first_non_finite(self._model, inputs, targets, self._likelihood, seeds)
        self._stop(epoch, where)

    def _stop(self, epoch: int, where: str) -> NoReturn:
        kept = "No checkpoint is kept without a run_dir."
        if self._folder is not None:
            kept = "There is no checkpoint yet: no epoch was finished."
            if self._folder.last.exists():
                kept = f"The last good checkpoint, of epoch {epoch - 1}, is {self._folder.last}."
        raise FloatingPointError(
            f"Training stopped in epoch {epoch}: the loss, its gradient or the weights are not finite, beginning with "
            f"{where}. {kept} Look at the data; a smaller learning rate or initial scale may help."
        )


def _sum_of_squares(values: Any) -> tf.Tensor:
    """Infinite or NaN if a number is, or where numbers are so large that a step would be senseless too."""
    by_dtype: dict[tf.DType, list[tf.Tensor]] = {}
    for value in values:
        by_dtype.setdefault(value.dtype, []).append(tf.nn.l2_loss(value))
    return tf.add_n([tf.cast(tf.add_n(halves), tf.float64) for halves in by_dtype.values()])


def _check_gradients(variables: Any, gradients: Any) -> None:
    unused = [variable.name for variable, gradient in zip(variables, gradients, strict=True) if gradient is None]
    if unused:
        raise ValueError(
            f"The loss does not depend on the trainable variables {unused}, so they would never be trained. Use them "
            "in the model, or make them with trainable=False."
        )

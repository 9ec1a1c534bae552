"""Optimizers by name, and on the variables of a model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from bayesconv.layers import Layer
from bayesconv.optimization.adam import FusedAdam
from bayesconv.optimization.grouped import GroupedOptimizer, ScaledSchedule
from bayesconv.optimization.ivon import Ivon
from bayesconv.optimization.ranges import check_numbers, check_options
from bayesconv.registry import Registry, unknown_name_message

optimizers = Registry("optimizer")
optimizers.register("adam")(FusedAdam)
optimizers.register("adamw")(keras.optimizers.AdamW)
optimizers.register("sgd")(keras.optimizers.SGD)


class Stepper(Protocol):
    """An optimizer of the variables of a model."""

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """One step, by a gradient for each of the model's trainable variables."""

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """Its own variables, by path."""


@optimizers.register("ivon")
def ivon(
    *, learning_rate: Any, beta_1: float = 0.9, beta_2: float = 0.9999, point_learning_rate_factor: float = 0.01
) -> Callable[..., Ivon]:
    """`Ivon` without its model.

    Args:
      learning_rate: Of the locations, a number or a schedule.
      beta_1: Memory of the locations' gradients.
      beta_2: Memory of the precisions.
      point_learning_rate_factor: Learning rate of Adam, for what has no normal posterior, over that of the locations.

    Raises:
      ValueError: If a number is out of its range.
    """
    check_numbers(beta_1=beta_1, beta_2=beta_2, point_learning_rate_factor=point_learning_rate_factor)
    points = FusedAdam(ScaledSchedule(learning_rate, point_learning_rate_factor))
    return functools.partial(Ivon, learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, point_optimizer=points)


LEARNING_RATE_SCHEDULES = ("constant", "cosine")
_LEARNING_RATES = {"ivon": 0.1}


def make_optimizer(identifier: Any, learning_rate: float | None, learning_rate_schedule: str, total_steps: int) -> Any:
    """A Keras optimizer, or `Ivon` without its model.

    Args:
      identifier: A name, a mapping `{"name": ..., **options}` with options of the Keras class or of `Ivon`, or an
        optimizer, which is used as it is, its own learning rate included; None is Adam.
      learning_rate: Learning rate at the start; None is 0.1 for `"ivon"` and 0.001 for all others.
      learning_rate_schedule: `"cosine"`, down to 0 at the end of the run, or `"constant"`.
      total_steps: Number of steps of the run.

    Raises:
      ValueError: If a name or an option is unknown, or the learning rate is not positive.
    """
    if isinstance(identifier, keras.optimizers.Optimizer):
        return identifier
    if learning_rate_schedule not in LEARNING_RATE_SCHEDULES:
        raise ValueError(
            unknown_name_message("learning rate schedule", learning_rate_schedule, LEARNING_RATE_SCHEDULES)
        )
    identifier = "adam" if identifier is None else identifier
    name, options = (identifier, {}) if isinstance(identifier, str) else _split(identifier)
    make = optimizers.get(name)
    if learning_rate is None:
        learning_rate = _LEARNING_RATES.get(name, 1e-3)
    check_numbers(learning_rate=learning_rate)
    check_options(options)
    rate: Any = float(learning_rate)
    if learning_rate_schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, total_steps)
    try:
        return make(learning_rate=rate, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The optimizer {name!r} refuses the options {options}: {error}") from error


def _split(identifier: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(identifier, Mapping):
        raise TypeError(
            "An optimizer is a name, a mapping {'name': ..., **options} or a Keras optimizer; Ivon goes by its name. "
            f"Received {identifier!r} of type {type(identifier).__name__}."
        )
    options = dict(identifier)
    return options.pop("name", "adam"), options


def make_stepper(
    optimizer: Any, model: Layer, num_data: float, temperature: float = 1.0, scale_factor: float = 1.0
) -> Stepper:
    """An optimizer on the variables of a model.

    Args:
      optimizer: From `make_optimizer`.
      model: What it trains.
      num_data: Number of training examples.
      temperature: Multiplier of the KL.
      scale_factor: Learning rate of the scales over that of the locations, for Keras' optimizers.

    Raises:
      ValueError: If there is nothing to train, or the optimizer cannot train it or has no learning rate of the scales.
    """
    variables = model.trainable_variables
    if not variables:
        raise ValueError(f"There is nothing to train: `{model.name}` has no trainable variables.")
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return GroupedOptimizer(optimizer, variables, scale_factor)
    if scale_factor != 1.0:
        raise ValueError(
            "`scale_learning_rate_factor` is for optimizers with one learning rate. Received "
            f"{scale_factor!r} with ivon, whose scales move by `beta_2`; leave it at 1."
        )
    return optimizer(model, num_data=num_data, temperature=temperature)


def describe_optimizer(optimizer: Any) -> str:
    """All settings of an optimizer as text, without its name, which Keras counts up."""
    if isinstance(optimizer, functools.partial):
        return f"{optimizer.func.__name__} { {key: _described(value) for key, value in optimizer.keywords.items()} }"
    config = {key: value for key, value in optimizer.get_config().items() if key != "name"}
    return f"{type(optimizer).__name__} {config}"


def _described(value: Any) -> Any:
    if isinstance(value, keras.optimizers.Optimizer):
        return describe_optimizer(value)
    return value.get_config() if isinstance(value, keras.optimizers.schedules.LearningRateSchedule) else value

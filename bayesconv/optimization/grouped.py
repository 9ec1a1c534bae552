"""A Keras optimizer on the variables of layers, with a learning rate of its own for the scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

SCALE_PREFIX = "untransformed_"


class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, or a number, times a factor."""

    def __init__(self, base: Any, factor: float) -> None:
        self._base, self._factor = base, factor

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        return self._factor * (self._base(step) if callable(self._base) else self._base)

    def get_config(self) -> dict[str, Any]:
        """What the schedule is made of, as Keras asks of every schedule."""
        return {"base": self._base, "factor": self._factor}


class GroupedOptimizer:
    """One optimizer for locations and point weights, one for the scales of posteriors.

    Scales are the variables whose own name starts with `untransformed_`. Adam-like optimizers are blind to the scale
    of a gradient, so a faster pace of the scales takes an optimizer of its own. Weight decay spares them: where a
    scale's logarithm decays to 0, the scale grows to 1.

    Args:
      optimizer: Optimizer of the locations; the scales get a copy.
      variables: Trainable variables.
      scale_factor: Learning rate of the scales over that of the locations.
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, variables: Sequence[tf.Variable], scale_factor: float = 1.0
    ) -> None:
        if not scale_factor > 0:
            raise ValueError(f"`scale_learning_rate_factor` must be positive. Received {scale_factor!r}.")
        is_scale = [v.name.rpartition("/")[2].startswith(SCALE_PREFIX) for v in variables]
        _spare([v for v, flag in zip(variables, is_scale, strict=True) if flag], optimizer)
        apart = [flag and scale_factor != 1.0 for flag in is_scale]
        self._groups = [[i for i, flag in enumerate(apart) if flag is wanted] for wanted in (False, True)]
        self._optimizers = [optimizer, _of_scales(optimizer, scale_factor)]
        self._variables = list(variables)
        for group, member in self._members():
            member.build([self._variables[i] for i in group])

    def _members(self) -> list[tuple[list[int], keras.optimizers.Optimizer]]:
        return [(group, member) for group, member in zip(self._groups, self._optimizers, strict=True) if group]

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """One step."""
        for group, member in self._members():
            member.apply([gradients[i] for i in group], [self._variables[i] for i in group])

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """The optimizers' own variables, by path."""
        return {
            f"optimizer/{i}/{j}": variable.value
            for i, (_, member) in enumerate(self._members())
            for j, variable in enumerate(member.variables)
        }


def _spare(scales: Sequence[tf.Variable], optimizer: keras.optimizers.Optimizer) -> None:
    # What its owner excluded stays so, and an optimizer that was built has its exclusions.
    if not optimizer.built and not hasattr(optimizer, "_exclude_from_weight_decay"):
        optimizer.exclude_from_weight_decay(scales)


def _of_scales(optimizer: keras.optimizers.Optimizer, factor: float) -> keras.optimizers.Optimizer:
    config = optimizer.get_config()
    if config.get("weight_decay"):
        config["weight_decay"] = 0.0
    base = getattr(optimizer, "_learning_rate", config["learning_rate"])
    base = base if isinstance(base, keras.optimizers.schedules.LearningRateSchedule) else config["learning_rate"]
    copy = type(optimizer).from_config({**config, "learning_rate": 1.0})
    copy.learning_rate = ScaledSchedule(base, factor)
    return copy

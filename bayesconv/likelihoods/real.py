"""What the likelihoods of real targets share: a location and a scale, both from the outputs or one of them fixed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.likelihoods import targets
from bayesconv.likelihoods.registry import Likelihood, Noise

Parameters = Callable[[Any], tuple[tf.Tensor, tf.Tensor]]


def check_positive(what: str, value: Any) -> float:
    """The value as a float; a ValueError unless it is positive and finite."""
    if not (isinstance(value, numbers.Real) and 0 < float(value) < math.inf):
        raise ValueError(f"The {what} must be positive. Received {value}.")
    return float(value)


def fixed_scale(scale: float) -> Parameters:
    """Outputs `[.., T]` are locations, all of one scale."""

    def parameters(outputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = tf.convert_to_tensor(outputs)
        return outputs, tf.fill(tf.shape(outputs), tf.constant(scale, outputs.dtype))

    return parameters


def scale_of_outputs(min_scale: float) -> Parameters:
    """The first half of the outputs `[.., 2 T]` are locations, the other the logarithms of scales less `min_scale`."""

    def parameters(outputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
        location, log_scale = tf.split(tf.convert_to_tensor(outputs), 2, axis=-1)
        return location, tf.exp(log_scale) + tf.constant(min_scale, log_scale.dtype)

    return parameters


def real_valued(
    name: str,
    parameters: Parameters,
    log_density: Callable[[tf.Tensor], tf.Tensor],
    *,
    entropy: float,
    variance: float,
    outputs_per_target: int,
    standard: tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]],
    options: dict[str, Any],
    training_power: float = 0.0,
) -> Likelihood:
    """A likelihood of T independent real targets from the member of a family with location 0 and scale 1.

    Args:
      name: Registered name.
      parameters: Location and scale from outputs.
      log_density: Of the standard member, for tensors.
      entropy: Of the standard member, nats.
      variance: Of the standard member.
      outputs_per_target: 1 or 2.
      standard: `log_density`, `cdf` and `quantile` of the standard member, for arrays.
      options: What the likelihood was made with.
      training_power: In training every target's term is multiplied by its scale to that power, taken as a constant.
    """

    def terms(outputs: Any, values: Any) -> tuple[tf.Tensor, tf.Tensor]:
        location, scale = parameters(outputs)
        z = (targets.like(values, location) - location) / scale
        return log_density(z) - tf.math.log(scale), scale

    def log_prob(outputs: Any, values: Any) -> tf.Tensor:
        return tf.reduce_sum(terms(outputs, values)[0], axis=-1)

    def training_log_prob(outputs: Any, values: Any) -> tf.Tensor:
        found, scale = terms(outputs, values)
        return tf.reduce_sum(tf.stop_gradient(scale**training_power) * found, axis=-1)

    def entropy_of(outputs: Any) -> tf.Tensor:
        return tf.reduce_sum(tf.math.log(parameters(outputs)[1]) + entropy, axis=-1)

    def variance_of(outputs: Any) -> tf.Tensor:
        return variance * tf.square(parameters(outputs)[1])

    def check_targets(values: np.ndarray, output_shape: tuple[int, ...]) -> None:
        num = targets.check_share(name, output_shape[-1], outputs_per_target)
        targets.check_size(values, name, num, output_shape[-1])
        targets.check_real(values, name)

    def as_arrays(outputs: Any) -> tuple[Any, Any]:
        location, scale = parameters(np.asarray(outputs, np.float64))
        return location.numpy(), scale.numpy()

    return Likelihood(
        name,
        log_prob,
        lambda outputs: parameters(outputs)[0],
        entropy_of,
        task="regression",
        num_outputs=lambda num_targets: outputs_per_target * num_targets,
        check_targets=check_targets,
        training_log_prob=training_log_prob if training_power else None,
        variance=variance_of,
        noise=Noise(as_arrays, *standard),
        options=tuple(options.items()),
    )

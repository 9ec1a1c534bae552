"""Priors that are given as distributions of TensorFlow Probability."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.priors.registry import REGISTRY
from bayesconv.weights import KernelBias, WeightSpec, map_kernel_bias

tfd = tfp.distributions


def resolve(identifier: Any) -> Callable[..., Any]:
    """Turns what a user may write into a prior.

    Args:
      identifier: A registered name, a mapping `{"name": ..., **options}`, a function, a distribution for every weight,
        or a `KernelBias` of two distributions.

    Returns:
      A function of a pair of `WeightSpec`.

    Raises:
      TypeError: If `identifier` is of another type.
      ValueError: If the name or an option is unknown.

    Example:
      >>> prior = resolve(tfd.Normal(0.0, 0.1))(KernelBias(WeightSpec((3, 2), tf.float32, fan_in=3)))
      >>> prior.kernel.event_shape
      TensorShape([3, 2])
    """
    if isinstance(identifier, tfd.Distribution):
        return functools.partial(given, kernel=identifier, bias=identifier)
    if isinstance(identifier, KernelBias):
        return functools.partial(given, kernel=identifier.kernel, bias=identifier.bias)
    return REGISTRY.resolve(identifier)


def given(specs: KernelBias, *, kernel: Any, bias: Any) -> KernelBias:
    """The given distributions, spread over the weights if they are of single elements.

    Args:
      specs: What is known of the kernel and the bias.
      kernel: The kernel's distribution: of a scalar, alike for every weight; a batch of scalars that broadcasts to
        the weight, independent; or of the whole weight.
      bias: The same of the bias; not used in a layer without one.

    Raises:
      ValueError: If a distribution fits neither an element nor the weight.
    """
    return map_kernel_bias(_spread, specs, KernelBias(kernel, bias if specs.bias is not None else None))


def _spread(spec: WeightSpec, distribution: Any) -> Any:
    batch, event = tuple(distribution.batch_shape), tuple(distribution.event_shape)
    if (batch, event) == ((), spec.shape):
        return distribution
    if (batch, event) == ((), ()):
        return distributions.identically_distributed(distribution, spec.shape)
    if event == () and _broadcasts(batch, spec.shape):
        return distributions.independent(_broadcast(distribution, spec.shape))
    raise ValueError(
        "A distribution given as a prior is of a single element, () or a batch that broadcasts to the weight, or its "
        f"event is the weight. Received batch shape {batch} and event shape {event} for `{spec.name}` of shape "
        f"{spec.shape}; give kernel and bias their own with prior=KernelBias(kernel=..., bias=...)."
    )


def _broadcast(distribution: Any, shape: tuple[int, ...]) -> Any:
    # The same family keeps its closed forms, where numbers make it up.
    properties = distribution.parameter_properties()
    parameters = {name: value for name, value in distribution.parameters.items() if name in properties}
    if distribution.variables or any(properties[name].event_ndims != 0 for name in parameters):
        return tfd.BatchBroadcast(distribution, shape)
    given_parameters = {name: value for name, value in parameters.items() if value is not None}
    return distribution.copy(**{name: tf.broadcast_to(value, shape) for name, value in given_parameters.items()})


def _broadcasts(batch: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    try:
        return tuple(tf.broadcast_static_shape(tf.TensorShape(batch), tf.TensorShape(shape))) == shape
    except ValueError:
        return False

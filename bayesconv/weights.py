"""The pair of weights of a linear layer, and what is known of a weight before it exists."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

Initializer = Callable[..., Any]


class KernelBias(NamedTuple):
    """A kernel and a bias, or anything that comes in such a pair: shapes, initializers, distributions, tensors.

    Attributes:
      kernel: What belongs to the kernel.
      bias: What belongs to the bias; None means that the layer has no bias.
    """

    kernel: Any
    bias: Any = None


class WeightSpec(NamedTuple):
    """What a posterior or a prior is told about one weight.

    Attributes:
      shape: Shape of the weight, batch dimensions first.
      dtype: Its floating-point type.
      fan_in: Number of inputs that feed one output; a bias takes its kernel's.
      batch_ndims: How many leading dimensions of `shape` are batch dimensions.
      initializer: `initializer(shape, dtype, batch_ndims)` for the location, or None to leave it to the posterior.
      name: Prefix of the names of its variables.
      seed: Seed of its initial values.
    """

    shape: tuple[int, ...]
    dtype: tf.DType
    fan_in: int
    batch_ndims: int = 0
    initializer: Initializer | None = None
    name: str = "weight"
    seed: Any = None

    @property
    def he_stddev(self) -> float:
        """`sqrt(2 / fan_in)`: the standard deviation that keeps a ReLU network's activations from fading."""
        return math.sqrt(2.0 / max(self.fan_in, 1))


def map_kernel_bias(function: Callable[..., Any], *pairs: KernelBias) -> KernelBias:
    """Applies a function to the kernels and to the biases of pairs; without a bias there is nothing to apply it to.

    Example:
      >>> map_kernel_bias(lambda a, b: a + b, KernelBias(1, 2), KernelBias(10, 20))
      KernelBias(kernel=11, bias=22)
    """
    kernels, biases = zip(*((pair.kernel, pair.bias) for pair in pairs), strict=True)
    bias = None if any(member is None for member in biases) else function(*biases)
    return KernelBias(function(*kernels), bias)


def as_kernel_bias(value: Any) -> KernelBias:
    """Parses what a factory or a user may hand over into a `KernelBias`.

    Args:
      value: A pair or a single kernel in a sequence, a mapping with `kernel` and perhaps `bias`, an object with
        these attributes, or a joint distribution of two independent parts.

    Raises:
      TypeError: If it is none of these.

    Example:
      >>> as_kernel_bias({"kernel": 1})
      KernelBias(kernel=1, bias=None)
    """
    if getattr(value, "kernel", None) is not None:
        return KernelBias(value.kernel, getattr(value, "bias", None))
    value = _parts(value)
    if isinstance(value, Mapping) and "kernel" in value:
        return KernelBias(value["kernel"], value.get("bias"))
    if isinstance(value, (tuple, list)) and len(value) in (1, 2):
        return KernelBias(*value)
    raise TypeError(
        "A kernel and a bias come as a pair, as a mapping with the keys 'kernel' and 'bias', or as a joint "
        f"distribution of two parts. Received {_described(value)}."
    )


def _described(value: Any) -> str:
    """What a value is, without the numbers of an array."""
    if tf.is_tensor(value) or isinstance(value, (tf.Variable, np.ndarray)):
        return f"one {type(value).__name__} of shape {tuple(value.shape)} and dtype {tf.as_dtype(value.dtype).name}"
    return f"{value!r} of type {type(value).__name__}"


def _parts(value: Any) -> Any:
    model = getattr(value, "model", value)  # a joint distribution keeps its parts there
    if callable(model) and hasattr(value, "sample_distributions"):  # or makes them in a coroutine
        return _of_coroutine(value)
    _check_independent(value, model)
    return model


def _of_coroutine(joint: Any) -> tuple[Any, ...]:
    """The parts that a coroutine makes, which must not depend on what was drawn of one another."""
    (first, _), (second, _) = (joint.sample_distributions(seed=seed) for seed in (0, 1))
    parameters = ([part.parameters for part in parts] for parts in (first, second))
    for one, other in zip(*map(_numbers, parameters), strict=True):
        if not np.array_equal(one, other, equal_nan=True):
            raise ValueError(_DEPENDENT)
    return tuple(first)


def _numbers(parameters: Any) -> list[np.ndarray]:
    """Of nested parameters, distributions among them."""
    flat: list[np.ndarray] = []
    for value in tf.nest.flatten(parameters):
        if hasattr(value, "parameters") and hasattr(value, "event_shape"):
            flat += _numbers(dict(value.parameters))
        elif (static := _static(value)) is not None:
            flat.append(static)
    return flat


def _static(value: Any) -> np.ndarray | None:
    is_numeric = tf.is_tensor(value) or isinstance(value, (tf.Variable, np.ndarray, numbers.Number))
    return tf.get_static_value(tf.convert_to_tensor(value)) if is_numeric else None


def _check_independent(joint: Any, model: Any) -> None:
    parts = model.values() if isinstance(model, Mapping) else model if isinstance(model, (tuple, list)) else ()
    if joint is not model and any(callable(part) and not hasattr(part, "event_shape") for part in parts):
        raise ValueError(_DEPENDENT)


_DEPENDENT = (
    "The kernel and the bias of a joint distribution are independent: neither's distribution is a function of what is "
    "drawn of the other. Received one whose parts depend on a draw; use two that do not, as in "
    "tfd.JointDistributionSequential([kernel, bias])."
)


def fan_in_of(kernel_shape: tuple[int, ...], batch_ndims: int = 0) -> int:
    """Inputs per output of a kernel whose last axis counts the outputs.

    Example:
      >>> fan_in_of((3, 3, 16, 32))
      144
    """
    return math.prod(kernel_shape[batch_ndims:-1])

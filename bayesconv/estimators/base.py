"""What estimators are made of: their registry, what they see of a layer, and what they may require of a posterior."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import distributions
from bayesconv.registry import Registry
from bayesconv.weights import KernelBias

tfd = tfp.distributions

REGISTRY = Registry("estimator")
register = REGISTRY.register


class LinearOp(Protocol):
    """What an estimator knows of a layer's operator.

    Attributes:
      name: What messages call it.
      batch_ndims: Number of batch dimensions of the kernel, which stand before the channels of inputs and outputs.
      event_ndims: Number of axes of an example.
      shares_weights: Whether one weight meets several positions of an example.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def batch_ndims(self) -> int: ...  # noqa: D102

    @property
    def event_ndims(self) -> int: ...  # noqa: D102

    @property
    def shares_weights(self) -> bool: ...  # noqa: D102

    def check_inputs(self, name: str, inputs: tf.Tensor, input_size: int) -> None:
        """Raises a ValueError if a layer of that name cannot take the inputs."""

    def __call__(self, inputs: tf.Tensor, weights: KernelBias) -> tf.Tensor:
        """The operator applied with a kernel, plus the bias if there is one."""


class Estimate(NamedTuple):
    """Outputs of a stochastic pass, and the draw it used or None if it drew no weights."""

    outputs: tf.Tensor
    weights: KernelBias | None


Draw = Callable[..., KernelBias]
StochasticPass = Callable[[tf.Tensor, Draw, tf.Tensor], Estimate]


def require_trait(
    posterior: KernelBias, trait: str, estimator: str, meaning: str, way_out: str = "'reparameterization'"
) -> None:
    """Raises a ValueError unless both distributions have a trait; `meaning` says what it is."""
    for member, distribution in posterior._asdict().items():
        if distribution is not None and trait not in distributions.traits(distribution):
            raise ValueError(
                f"{estimator} needs a posterior of {meaning}. Received {distribution.name!r} for the {member}. "
                f"Use estimator={way_out}, or register the trait "
                f"{trait!r} for it with bayesconv.distributions.element_traits."
            )


def require_reparameterized(posterior: KernelBias, estimator: str) -> None:
    """Raises a ValueError unless both distributions are reparameterized."""
    for member, distribution in posterior._asdict().items():
        if distribution is not None and distribution.reparameterization_type == tfd.NOT_REPARAMETERIZED:
            raise ValueError(
                f"{estimator} differentiates through the draw, so the posterior must be reparameterized. "
                f"Received {distribution.name!r} for the {member}, which is not."
            )


def without_mean(posterior: KernelBias) -> list[str]:
    """The families of the distributions whose mean is unknown or infinite."""
    members = [distribution for distribution in posterior if distribution is not None]
    return [distributions.family(member) for member in members if not distributions.has_mean(member)]

"""A kernel's and a bias' distribution as the joint distribution that TFP's layers had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensorflow_probability import distributions as tfd

from bayesconv.weights import KernelBias, as_kernel_bias


class KernelBiasDistribution(tfd.JointDistributionSequential):
    """The joint distribution of an independent kernel and bias; its draws are lists `[kernel, bias]`.

    It is read like a `KernelBias` too, so that everything that knows layers of this library knows those of `compat`.

    Args:
      kernel: Distribution of the kernel.
      bias: Distribution of the bias, or None.

    Example:
      >>> normal = tfd.Normal(0.0, 1.0)
      >>> q = KernelBiasDistribution(tfd.Sample(normal, [2, 3]), tfd.Sample(normal, [3]))
      >>> [part.shape.as_list() for part in q.sample(seed=1)]
      [[2, 3], [3]]
    """

    def __init__(self, kernel: Any, bias: Any = None) -> None:
        self._pair = KernelBias(kernel, bias)
        super().__init__(list(self), name="KernelBiasDistribution")

    @property
    def kernel(self) -> Any:
        """Distribution of the kernel."""
        return self._pair.kernel

    @property
    def bias(self) -> Any:
        """Distribution of the bias, or None."""
        return self._pair.bias

    def __iter__(self) -> Iterator[Any]:
        return (part for part in self._pair if part is not None)


def as_joint(value: Any) -> Any:
    """A joint distribution as it is, and one of a pair of distributions."""
    return value if isinstance(value, tfd.Distribution) else KernelBiasDistribution(*as_kernel_bias(value))

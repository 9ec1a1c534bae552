"""TFP's random variables: a distribution that is a tensor, the same one until it is reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv.extras import graph_context, is_reachable

tfd = tfp.distributions


class CallOnce(tf.Module):
    """A function that is called once; its value is remembered until `reset`.

    Args:
      create_value_fn: The function.

    Example:
      >>> numbers = iter([1, 2])
      >>> once = CallOnce(lambda: next(numbers))
      >>> once(), once(), once.reset(), once()
      (1, 1, None, 2)
    """

    def __init__(self, create_value_fn: Callable[..., Any]) -> None:
        self.__name__ = "call_once"  # which tfp.util.DeferredTensor asks for
        super().__init__(name=self.__name__)
        self.create_value_fn = create_value_fn
        self.reset()

    @property
    def value(self) -> Any:
        """The value that is remembered, or None."""
        return None if self._memo is None else self._memo()[1]

    def is_unset(self) -> bool:
        """Whether the next call computes."""
        return self._memo is None

    def reset(self) -> None:
        """Forgets the value."""
        self._memo: Callable[[], tuple[Any, Any]] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value, computed from the arguments of the first call.

        Raises:
          ValueError: If it was computed in a graph that the value cannot leave.
        """
        if self._memo is None:
            memo = graph_context(), self.create_value_fn(*args, **kwargs)
            self._memo = lambda: memo  # in a function, where tf.Module does not look for variables
        context, value = self._memo()
        if not is_reachable(context):
            raise ValueError(
                "The value was computed in another graph than the one that reads it. Call `reset()` before reading it "
                "here, or return it from the tf.function that computed it."
            )
        return value


class RandomVariable(tfp.util.DeferredTensor):
    """A tensor whose value is drawn from a distribution when it is first used.

    Args:
      distribution: The distribution.
      convert_to_tensor_fn: Function of the distribution that gives the value.
      dtype: Type of the value; the distribution's if None.
      shape: Shape of the value, if it is to be known beforehand.
      name: Name; the distribution's if None.

    Example:
      >>> x = RandomVariable(tfd.Normal(0.0, 1.0))
      >>> bool(x + 1.0 == x + 1.0), x.is_unset(), x.reset(), x.is_unset()
      (True, False, None, True)
    """

    def __init__(
        self,
        distribution: Any,
        convert_to_tensor_fn: Callable[[Any], Any] = tfd.Distribution.sample,
        dtype: Any = None,
        shape: Any = None,
        name: str | None = None,
    ) -> None:
        self._distribution, self._convert_to_tensor_fn = distribution, convert_to_tensor_fn
        super().__init__(
            tf.constant([], tf.bool),  # the value comes from the distribution alone
            CallOnce(lambda _: convert_to_tensor_fn(distribution)),
            dtype=dtype or distribution.dtype,
            shape=shape,
            name=name or distribution.name,
        )

    @property
    def distribution(self) -> Any:
        """The distribution."""
        return self._distribution

    @property
    def convert_to_tensor_fn(self) -> Callable[[Any], Any]:
        """The function that gives the value."""
        return self._convert_to_tensor_fn

    def is_unset(self) -> bool:
        """Whether the next use draws."""
        return self.transform_fn.is_unset()

    def reset(self) -> None:
        """Forgets the value."""
        self.transform_fn.reset()

"""What a layer written for TFP sets while its `eval` runs, kept for the time of that call and no longer."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from bayesconv.extras import Extras, collect_extras, graph_context, is_reachable


class Record:
    """The side results of one evaluation of one layer.

    Args:
      layer: The layer that is evaluated.
      inner: The side results of the layers that it calls.
    """

    def __init__(self, layer: Any, inner: Extras) -> None:
        self.layer, self.inner = layer, inner
        self.result: Any = None
        self._loss: Any = None
        self._context: Any = None

    def set_loss(self, value: Any) -> None:
        """Keeps a penalty, and the graph that it belongs to."""
        self._loss, self._context = value, graph_context()

    @property
    def loss(self) -> Any:
        """The penalty: what was set, else the sum over the layers called inside, or None without either."""
        if self._loss is not None or not len(self.inner):
            return self._loss
        return self.inner.loss

    def own_loss(self) -> Any:
        """What was set beyond the penalties of the layers called inside, which count by themselves.

        Raises:
          RuntimeError: If it was set in a graph that its tensor cannot leave.
        """
        if self._loss is None:
            return None
        if not is_reachable(self._context):
            raise RuntimeError(
                f"`{self.layer.name}` set its extra_loss inside a tf.function, tf.cond or loop that is nested in its "
                "eval, and the tensor cannot leave that graph. Return it from the nested function, and set it outside."
            )
        if not any(extra.loss is not None for _, extra in self.inner.items()):
            return self._loss
        return self._loss - tf.cast(self.inner.loss, tf.convert_to_tensor(self._loss).dtype)


_open: ContextVar[tuple[Record, ...]] = ContextVar("bayesconv_compat_evaluations", default=())


@contextlib.contextmanager
def recorded(layer: Any) -> Iterator[Record]:
    """Opens the record of an evaluation."""
    with collect_extras() as inner:
        record = Record(layer, inner)
        token = _open.set((*_open.get(), record))
        try:
            yield record
        finally:
            _open.reset(token)


def record_of(layer: Any) -> Record | None:
    """The record of the layer's evaluation in progress, or None."""
    return next((record for record in reversed(_open.get()) if record.layer is layer), None)


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of that name, or takes any keyword."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # some built-in functions have no signature
        return False
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

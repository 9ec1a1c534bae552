"""Side results of layers: a collector for programs, a guarded record for people.

A layer's penalty and the weights it drew are not part of its output. Kept as plain attributes they would be dead
symbols after a compiled call, stale after a cached one, another replica's under a distribution strategy, and
counted twice for a shared layer. So a call hands them to the collector that is open around it, keyed by layer, and
keeps a record that refuses to be read where its tensors have no meaning.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import tensorflow as tf


class Extra(NamedTuple):
    """What one layer left besides its outputs.

    Attributes:
      loss: Scalar penalty in nats, or None when it emitted none.
      result: The weights it used, or None.
    """

    loss: tf.Tensor | None
    result: Any = None


class Extras:
    """Side results of the layers called in a `collect_extras` block, each layer once."""

    def __init__(self) -> None:
        self._entries: dict[Any, Extra] = {}
        self._context = graph_context()

    @property
    def loss(self) -> tf.Tensor:
        """Sum of the layers' penalties, in nats; a float32 zero when none was emitted."""
        return total([extra.loss for extra in self._entries.values() if extra.loss is not None])

    def items(self) -> tuple[tuple[Any, Extra], ...]:
        """Pairs of a layer and its `Extra`, in the order of the first calls."""
        return tuple(self._entries.items())

    def __getitem__(self, layer: Any) -> Extra:
        return self._entries[layer]

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, layer: Any, extra: Extra) -> None:
        """Adds a layer's side results; a shared layer's first call counts.

        Raises:
          RuntimeError: If the layer was called in a graph nested in the collector's, from which no tensor gets out.
        """
        if self._context is not graph_context():
            if extra.loss is None:
                return
            raise RuntimeError(
                f"`{layer.name}` was called inside a tf.function, tf.cond or loop that is nested in a "
                "collect_extras() block, and its extra_loss cannot leave that graph. Open collect_extras() inside "
                "the nested function and return `extras.loss` from it."
            )
        self._entries.setdefault(layer, extra)


def total(losses: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sum of scalars in the widest of their types; a float32 zero of none."""
    if not losses:
        return tf.zeros([])
    widest = max((loss.dtype for loss in losses), key=lambda dtype: dtype.size)
    return tf.add_n([tf.cast(loss, widest) for loss in losses])


_collector: ContextVar[Extras | None] = ContextVar("bayesconv_extras", default=None)


@contextlib.contextmanager
def collect_extras() -> Iterator[Extras]:
    """Collects the side results of every layer called in the block.

    Open it in the function that computes the loss, and return `extras.loss` if it is needed outside.

    Yields:
      An `Extras`: `extras.loss` is the sum of the penalties in nats, each layer once however often it was called.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Affine(2, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> with bc.collect_extras() as extras:
      ...     outputs = layer(tf.ones([4, 2]))
      >>> bool(extras.loss == layer.extra_loss)
      True
    """
    extras, parent = Extras(), _collector.get()
    token = _collector.set(extras)
    try:
        yield extras
    finally:
        _collector.reset(token)
    if parent is not None:
        for layer, extra in extras.items():
            parent.add(layer, extra)


class LastCall(threading.local):
    """The side results of the last call that Python made in this thread, readable only where they are valid.

    It is neither tracked by `tf.Module` nor saved.
    """

    def __init__(self) -> None:
        self._extra = Extra(None)
        self._context: Any = None
        self.input_shape: Any = None

    def set(self, extra: Extra, inputs: Any = None) -> None:
        """Replaces the record."""
        self._extra, self._context, self.input_shape = extra, graph_context(), getattr(inputs, "shape", None)

    def read(self, name: str, member: str) -> Any:
        """The record's `loss` or `result`.

        Raises:
          RuntimeError: If it belongs to another graph than the one that reads it.
        """
        value = getattr(self._extra, member)
        if value is not None and self._context not in _enclosing_contexts():
            raise RuntimeError(
                f"`{name}.extra_{member}` belongs to a different execution context: the layer's last call was made "
                "in another tf.function (or eagerly) than the code that reads it. Return it from the tf.function that "
                "called the layer, or use collect_extras() there and return `extras.loss`."
            )
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> LastCall:
        return LastCall()

    def __reduce__(self) -> tuple[type[LastCall], tuple[()]]:
        return LastCall, ()


def graph_context() -> Any:
    """The graph that operations are added to now, or None when they run eagerly."""
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def _enclosing_contexts() -> list[Any]:
    contexts = [graph_context()]
    while contexts[-1] is not None and getattr(contexts[-1], "outer_graph", None) is not None:
        contexts.append(contexts[-1].outer_graph)
    return contexts


def is_reachable(context: Any) -> bool:
    """Whether a tensor made in `context` may be used now; eager values may be used everywhere."""
    return context is None or context in _enclosing_contexts()

"""Mixed precision: the type in which layers compute while their weights and penalties stay in float32."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

_NARROW = (tf.bfloat16, tf.float16)
_compute_dtype: ContextVar[tf.DType | None] = ContextVar("bayesconv_compute_dtype", default=None)


@contextlib.contextmanager
def compute_dtype(dtype: Any) -> Iterator[None]:
    """Lets the float32 layers called in the block compute in a narrower type.

    Inputs and drawn weights are cast before each operator, and layers hand on what they computed in that type.
    Posteriors, priors and penalties stay in float32, and so do the moments of normalizations. Layers of other types are
    not touched. `fit` and `predict` called in the block train and predict so, with losses and probabilities in float32.
    A compiled function of your own keeps the type it was traced with: open the block inside of it.

    Args:
      dtype: `"bfloat16"` or `"float16"`; None or `"float32"` changes nothing.

    Raises:
      ValueError: If it is another type.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Affine(2, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> with bc.compute_dtype("bfloat16"):
      ...     outputs = layer(tf.ones([4, 2]))
      >>> outputs.dtype.name, layer.extra_loss.dtype.name
      ('bfloat16', 'float32')
    """
    token = _compute_dtype.set(_validated(dtype))
    try:
        yield
    finally:
        _compute_dtype.reset(token)


def narrowed(dtype: tf.DType) -> tf.DType:
    """The type in which a layer of type `dtype` computes now."""
    chosen = _compute_dtype.get()
    return chosen if chosen is not None and dtype == tf.float32 else dtype


def widened(value: Any) -> Any:
    """A narrow tensor in float32, in which losses and probabilities are computed; anything else as it is."""
    return tf.cast(value, tf.float32) if tf.is_tensor(value) and value.dtype in _NARROW else value


def _validated(dtype: Any) -> tf.DType | None:
    chosen = None if dtype is None else tf.as_dtype(dtype)
    if chosen in (None, tf.float32):
        return None
    if chosen not in _NARROW:
        raise ValueError(
            f"The compute dtype is 'float32', 'bfloat16' or 'float16'. Received {chosen.name!r}; for float64 build the "
            "layers with dtype=tf.float64."
        )
    return chosen

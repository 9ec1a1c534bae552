"""Checks of what users train and predict on, before anything long begins."""

from __future__ import annotations

import numbers
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from bayesconv.layers import Layer

# What is known of models from earlier calls.
_DTYPES: WeakKeyDictionary[Any, tf.DType] = WeakKeyDictionary()
_OUTPUT_SIZES: WeakKeyDictionary[Any, dict[Any, int]] = WeakKeyDictionary()


def check_model(model: Any, what: str) -> None:
    """Raises a TypeError that says what does the work, unless the model is a layer of this package."""
    if not isinstance(model, Layer):
        raise TypeError(
            f"{what} takes models made of bayesconv layers, such as bayesconv.Sequential. Received {model!r} of type "
            f"{type(model).__module__}.{type(model).__qualname__}; a function without variables becomes a layer by "
            "bayesconv.Lambda, and a Keras model has to be built again from bayesconv's layers."
        )


def dtype_of(model: tf.Module) -> tf.DType:
    """The floating-point type that a model computes in; float32 for one without variables."""
    if model not in _DTYPES:  # to walk over a model takes longer than a small one takes to predict
        _DTYPES[model] = next((v.dtype for v in model.variables if v.dtype.is_floating), tf.float32)
    return _DTYPES[model]


def as_inputs(model: tf.Module, x: Any) -> np.ndarray:
    """The inputs as an array of the model's dtype.

    Raises:
      ValueError: If there are none, or they are not real numbers, or are whole numbers, as unscaled images are.
    """
    return as_array(x, dtype_of(model))


def as_array(x: Any, dtype: tf.DType) -> np.ndarray:
    """The inputs as an array of a dtype; a ValueError as by `as_inputs`."""
    x = np.asarray(x)
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"Inputs are an array [N, ..] with N >= 1. Received shape {x.shape}.")
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            f"Inputs must be floating-point numbers of order 1. Received {x.dtype.name}: scale images first, for "
            "example x.astype('float32') / 255."
        )
    return x.astype(dtype.as_numpy_dtype, copy=False)


def output_size_of(model: Any, example: Any) -> int:
    """Number of outputs per example, from a pass of the mean weights over a small batch.

    Raises:
      ValueError: If the inputs do not fit the model, or its outputs are not `[N, K]`.
    """
    example = tf.convert_to_tensor(example)
    known, key = _OUTPUT_SIZES.setdefault(model, {}), (tuple(example.shape), example.dtype)
    if key not in known:
        known[key] = _output_size(model(example, is_training=False, weights="mean"))
    return known[key]


def _output_size(outputs: Any) -> int:
    if outputs.shape.rank != 2:
        raise ValueError(
            "Training and prediction take models with outputs [N, K]. "
            f"Received a model whose outputs have shape {outputs.shape}; end it with Flatten() or an Affine layer, and "
            "see that a data set gives batches."
        )
    return int(outputs.shape[1])


def check_targets(y: np.ndarray, num_examples: int, likelihood: str, output_size: int) -> None:
    """Raises a ValueError if the targets do not fit the inputs, the likelihood or the model."""
    if len(y) != num_examples:
        raise ValueError(f"There must be one target per input. Received {num_examples} inputs and {len(y)} targets.")
    if likelihood in ("bernoulli", "normal"):
        _check_shape(y, num_examples, likelihood, output_size)
    if likelihood == "bernoulli" and not ((y >= 0) & (y <= 1)).all():
        raise ValueError(f"The bernoulli likelihood takes targets in [0, 1]. Received {y.min()} to {y.max()}.")
    if likelihood != "categorical":
        return
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(
            "The categorical likelihood takes integer labels [N]. "
            f"Received shape {y.shape} and dtype {y.dtype.name}; undo a one-hot encoding with y.argmax(-1)."
        )
    if y.min() < 0 or y.max() >= output_size:
        raise ValueError(
            f"Labels must be in [0, {output_size}), since the model has {output_size} outputs. "
            f"Received labels from {y.min()} to {y.max()}. Count classes from 0, or give the model more outputs."
        )


def _check_shape(y: np.ndarray, num_examples: int, likelihood: str, output_size: int) -> None:
    if y.size != num_examples * output_size:
        raise ValueError(
            f"The {likelihood} likelihood takes targets [N, {output_size}], since the model has {output_size} outputs. "
            f"Received targets of shape {y.shape}."
        )


def check_positive_int(name: str, value: Any) -> None:
    """Raises a ValueError that names the argument unless it is a positive int, Python's or NumPy's; True is none."""
    if isinstance(value, bool) or not (isinstance(value, numbers.Integral) and int(value) > 0):
        raise ValueError(f"`{name}` must be a positive int. Received {value!r}.")

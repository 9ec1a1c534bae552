"""Checks of what users train and predict on, before anything long begins."""

from __future__ import annotations

import numbers
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from bayesconv.layers import Layer
from bayesconv.likelihoods import Likelihood

# What is known of models from earlier calls.
_DTYPES: WeakKeyDictionary[Any, tf.DType] = WeakKeyDictionary()
_OUTPUT_SHAPES: WeakKeyDictionary[Any, dict[Any, tuple[int, ...]]] = WeakKeyDictionary()


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


def as_inputs(model: tf.Module, x: Any, *, finite: bool = True) -> np.ndarray:
    """The inputs as an array of the model's dtype; they need not be finite if so asked.

    Raises:
      ValueError: If there are none, or they are not finite real numbers, or are whole numbers, as unscaled images are.
    """
    return as_array(x, dtype_of(model), finite=finite)


def as_array(x: Any, dtype: tf.DType, *, finite: bool = True) -> np.ndarray:
    """The inputs as an array of a dtype; a ValueError as by `as_inputs`."""
    x = np.asarray(x)
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"Inputs are an array [N, ..] with N >= 1. Received shape {x.shape}.")
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            f"Inputs must be floating-point numbers of order 1. Received {x.dtype.name}: scale images first, for "
            "example x.astype('float32') / 255."
        )
    # An activation may take NaN for a number, as ReLU does on a CPU, and so hide it from the outputs.
    if finite and x.size and not (np.isfinite(x.min()) and np.isfinite(x.max())):
        wrong = int((~np.isfinite(x)).reshape(len(x), -1).any(axis=1).sum())
        raise ValueError(
            f"Inputs must be finite numbers. Received NaN or infinite ones in {wrong} of {len(x)} inputs; remove or "
            "fill them."
        )
    return x.astype(dtype.as_numpy_dtype, copy=False)


def output_shape_of(model: Any, example: Any, rank: int = 1) -> tuple[int, ...]:
    """Shape of the outputs of one example, from a pass of the mean weights over a small batch.

    Args:
      model: A model.
      example: `[M, ..]`.
      rank: Number of axes that the outputs of one example must have: 1 for `[N, K]`, 3 for `[N, H, W, K]`.

    Raises:
      ValueError: If the inputs do not fit the model, or its outputs are of another rank.
    """
    example = tf.convert_to_tensor(example)
    known, key = _OUTPUT_SHAPES.setdefault(model, {}), (tuple(example.shape), example.dtype)
    if key not in known:
        known[key] = tuple(model(example, is_training=False, weights="mean").shape)
    if len(known[key]) == rank + 1:
        return known[key][1:]
    if rank == 1:
        raise ValueError(
            "Training and prediction take models with outputs [N, K]. "
            f"Received a model whose outputs have shape {known[key]}; end it with Flatten() or an Affine layer, and "
            "see that a data set gives batches. For one class a pixel, likelihood='categorical_per_pixel'."
        )
    raise ValueError(
        f"This likelihood takes outputs with {rank} axes an example, [N, H, W, K] for one class a pixel. "
        f"Received a model whose outputs have shape {known[key]}; end it with a convolution."
    )


def check_targets(y: np.ndarray, num_examples: int, likelihood: Likelihood, output_shape: tuple[int, ...]) -> None:
    """Raises a ValueError if the targets do not fit the inputs, the likelihood or the model's outputs."""
    if len(y) != num_examples:
        raise ValueError(f"There must be one target per input. Received {num_examples} inputs and {len(y)} targets.")
    if likelihood.check_targets is not None:
        likelihood.check_targets(y, output_shape)


def check_positive_int(name: str, value: Any) -> None:
    """Raises a ValueError that names the argument unless it is a positive int, Python's or NumPy's; True is none.

    One that TensorFlow's 32 bits do not hold is too large to be meant.
    """
    if isinstance(value, bool) or not (isinstance(value, numbers.Integral) and int(value) > 0):
        raise ValueError(f"`{name}` must be a positive int. Received {value!r}.")
    if int(value) >= 2**31:
        raise ValueError(f"`{name}` must be a positive int up to {2**31 - 1}. Received {value!r}.")

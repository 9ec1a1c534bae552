"""What several networks are made of."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv.layers import Affine, BatchNorm, Convolution, Dropout, FilterResponseNorm, GroupNorm, Layer, Linear
from bayesconv.registry import unknown_name_message


def parts(make_kernel_bias_fn: Callable[..., Any], dtype: Any) -> tuple[Callable[..., Layer], Callable[..., Layer]]:
    """Constructors of convolutions that keep the size and end with a ReLU, and of dense layers without activation."""
    common = {"make_kernel_bias_fn": make_kernel_bias_fn, "dtype": dtype}
    conv = functools.partial(Convolution, padding="SAME", activation_fn=tf.nn.relu, **common)
    return conv, functools.partial(Affine, **common)


def pooled(input_shape: Sequence[int], times: int) -> tuple[int, int, int]:
    """Height, width and channels of images after their size was halved a number of times.

    Raises:
      ValueError: If the images are no images, or too small.
    """
    if len(input_shape) != 3 or min(input_shape) < 1 or min(input_shape[:2]) < 2**times:
        raise ValueError(
            f"This model takes images [H, W, C] at least {2**times} pixels high and wide. Received {list(input_shape)}."
        )
    height, width, channels = input_shape
    return height // 2**times, width // 2**times, channels


def normalization_of(name: str, dtype: Any) -> Callable[[int], Layer]:
    """A constructor of normalizations from the number of channels: batch, batch_recalibrated, filter_response or group.

    Raises:
      ValueError: If the name is another.
    """
    kinds: dict[str, Callable[[int], Layer]] = {
        "batch": lambda size: BatchNorm(size, dtype=dtype),
        "batch_recalibrated": lambda size: BatchNorm(size, policy="recalibrated", dtype=dtype),
        "filter_response": lambda size: FilterResponseNorm(size, use_threshold=False, dtype=dtype),
        "group": lambda size: GroupNorm(math.gcd(size, max(size // 8, 1)), size, dtype=dtype),
    }
    if name not in kinds:
        raise ValueError(unknown_name_message("normalization", name, kinds))
    return kinds[name]


def with_dropout(layers: Sequence[Layer], rate: float) -> list[Layer]:
    """Monte Carlo dropout between layers: after every one that has weights but the last, before anything is pooled.

    Args:
      layers: The last one gives the outputs.
      rate: Probability that a number is dropped; 0 adds nothing.

    Raises:
      ValueError: If the rate is out of range.

    References:
      Gal and Ghahramani, Bayesian Convolutional Neural Networks with Bernoulli Approximate Variational Inference, 2015.
        arXiv:1506.02158
    """
    if rate == 0:
        return list(layers)
    pairs = ([layer, Dropout(rate, mc=True)] if isinstance(layer, Linear) else [layer] for layer in layers[:-1])
    return [*itertools.chain.from_iterable(pairs), layers[-1]]

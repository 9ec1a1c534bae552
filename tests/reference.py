"""Oracles: each quantity as its definition reads, in NumPy loops, without TensorFlow and without the package.

They are slow on purpose. A test that compares the library with one of these compares two independent derivations.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Padding = str | Sequence[tuple[int, int]]


def entropy(probs: np.ndarray) -> np.ndarray:
    """Shannon entropy of each row of `[N, K]` in nats, with 0 log 0 = 0."""
    return np.array([-sum(p * math.log(p) for p in row if p > 0) for row in probs])


def negative_log_likelihood(probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean surprise at the labels, nats per example."""
    return sum(-math.log(row[label]) for row, label in zip(probs, labels, strict=True)) / len(labels)


def brier_score(probs: np.ndarray, labels: np.ndarray) -> float:
    """Squared distance to the one-hot label, summed over the classes, averaged over the examples."""
    total = 0.0
    for row, label in zip(probs, labels, strict=True):
        for k, p in enumerate(row):
            total += (p - (1.0 if k == label else 0.0)) ** 2
    return total / len(labels)


def expected_calibration_error(probs: np.ndarray, labels: np.ndarray, num_bins: int) -> float:
    """sum_b n_b / N |accuracy_b - confidence_b| over the bins (b / B, (b + 1) / B] of the top probability."""
    total = 0.0
    for b in range(num_bins):
        low, high = b / num_bins, (b + 1) / num_bins
        members = [i for i, row in enumerate(probs) if low < max(row) <= high]
        if members:
            accuracy = sum(float(np.argmax(probs[i]) == labels[i]) for i in members) / len(members)
            confidence = sum(float(max(probs[i])) for i in members) / len(members)
            total += len(members) / len(probs) * abs(accuracy - confidence)
    return total


def normal_kl(loc: np.ndarray, scale: np.ndarray, prior_loc: np.ndarray, prior_scale: np.ndarray) -> float:
    """KL(N(loc, scale^2) || N(prior_loc, prior_scale^2)) in nats, summed over all elements after broadcasting."""
    total = 0.0
    for m, s, m0, s0 in np.broadcast(loc, scale, prior_loc, prior_scale):
        total += math.log(s0 / s) + (s**2 + (m - m0) ** 2) / (2 * s0**2) - 0.5
    return total


def convolution(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    dilations: int | Sequence[int] = 1,
    groups: int = 1,
) -> np.ndarray:
    """Channels-last cross-correlation in 1 to 3 dimensions.

    y[n, o, c] = sum_{t, i} x[n, o * stride + t * dilation - before, i] kernel[t, i, c], where x outside of its axes is
    zero, or its mirror image, and i goes over the inputs of the group that c is in.

    Args:
      x: `[N.., *space, C_in]`.
      kernel: `[*filter, C_in / groups, C_out]`.
      strides: One for all the dimensions, or one each.
      padding: VALID, SAME, CAUSAL, FULL, REFLECT, SYMMETRIC, or pairs of numbers of zeros.
      dilations: One for all the dimensions, or one each.
      groups: Number of groups of channels.

    Returns:
      `[N.., *output_space, C_out]`.
    """
    rank = kernel.ndim - 2
    taps, (strides, dilations) = kernel.shape[:-2], (_each(value, rank) for value in (strides, dilations))
    outer, space = x.shape[: -rank - 1], x.shape[-rank - 1 : -1]
    x = x.reshape([math.prod(outer), *space, x.shape[-1]])
    reaches = [(t - 1) * d + 1 for t, d in zip(taps, dilations, strict=True)]
    borders = [border(*axis) for axis in zip(space, reaches, strides, _each_axis(padding, rank), strict=True)]
    totals = [size + before + after for size, (before, after) in zip(space, borders, strict=True)]
    sizes = [len(range(0, max(t - r + 1, 0), s)) for t, r, s in zip(totals, reaches, strides, strict=True)]
    y = np.zeros((len(x), *sizes, kernel.shape[-1]), np.result_type(x, kernel))
    for out, tap in itertools.product(np.ndindex(*sizes), np.ndindex(*taps)):
        at = [o * s + t * d - b for o, s, t, d, (b, _) in zip(out, strides, tap, dilations, borders, strict=True)]
        source = tuple(_mirrored(a, size, padding) for a, size in zip(at, space, strict=True))
        if all(0 <= a < size for a, size in zip(source, space, strict=True)):
            y[(slice(None), *out)] += _grouped_product(x[(slice(None), *source)], kernel[tap], groups)
    return y.reshape([*outer, *y.shape[1:]])


def transposed_convolution(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    dilations: int | Sequence[int] = 1,
    groups: int = 1,
    output_padding: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Every input position spreads out its filter: y[n, i * stride + t * dilation - before] += x[n, i] kernel[t].

    What falls before the first output or after the last is lost.

    Args:
      x: `[N.., *space, C_in]`.
      kernel: `[*filter, C_in / groups, C_out]`.
      strides: One for all the dimensions, or one each.
      padding: VALID, SAME, CAUSAL, FULL, or pairs of numbers of positions that are cut off.
      dilations: One for all the dimensions, or one each.
      groups: Number of groups of channels.
      output_padding: Positions after the shortest output; None for the default length.

    Returns:
      `[N.., *output_space, C_out]`.
    """
    rank = kernel.ndim - 2
    taps, (strides, dilations) = kernel.shape[:-2], (_each(value, rank) for value in (strides, dilations))
    outer, space = x.shape[: -rank - 1], x.shape[-rank - 1 : -1]
    x = x.reshape([math.prod(outer), *space, x.shape[-1]])
    reaches = [(t - 1) * d + 1 for t, d in zip(taps, dilations, strict=True)]
    axes = zip(space, reaches, strides, _each_axis(padding, rank), _each(output_padding, rank), strict=True)
    befores, sizes = zip(*itertools.starmap(transposed_length, axes), strict=True)
    y = np.zeros((len(x), *sizes, kernel.shape[-1]), np.result_type(x, kernel))
    for position, tap in itertools.product(np.ndindex(*space), np.ndindex(*taps)):
        at = tuple(i * s + t * d - b for i, s, t, d, b in zip(position, strides, tap, dilations, befores, strict=True))
        if all(0 <= a < size for a, size in zip(at, sizes, strict=True)):
            y[(slice(None), *at)] += _grouped_product(x[(slice(None), *position)], kernel[tap], groups)
    return y.reshape([*outer, *y.shape[1:]])


def depthwise_convolution(x: np.ndarray, kernel: np.ndarray, *args: Any, **options: Any) -> np.ndarray:
    """Channel c of `[N.., *space, C]` meets its M filters alone, which give the outputs cM to cM + M - 1.

    Args:
      x: `[N.., *space, C]`.
      kernel: `[*filter, C, M]`.
      *args: As for `convolution`.
      **options: As for `convolution`.

    Returns:
      `[N.., *output_space, C M]`.
    """
    channels = range(x.shape[-1])
    parts = [convolution(x[..., c : c + 1], kernel[..., c : c + 1, :], *args, **options) for c in channels]
    return np.concatenate(parts, axis=-1)


def each_kernel(apply: Callable[..., np.ndarray], x: np.ndarray, kernel: np.ndarray, num_axes: int) -> np.ndarray:
    """`apply(x_b, kernel_b)` for every kernel b of a batch.

    Args:
      apply: `apply(x, kernel)`, of one kernel.
      x: `[N.., *space, *B, C_in]`, where an axis of B may have size 1.
      kernel: `[*B, ...]`.
      num_axes: Number of axes of B.

    Returns:
      `[N.., *output_space, *B, C_out]`.
    """
    if num_axes == 0:
        return apply(x, kernel)
    batch_shape, axis = kernel.shape[:num_axes], x.ndim - 1 - num_axes
    outputs = []
    for at in np.ndindex(*batch_shape):
        own = tuple(0 if size == 1 else i for i, size in zip(at, x.shape[axis:-1], strict=True))
        outputs.append(apply(x[(*[slice(None)] * axis, *own)], kernel[at]))
    stacked = np.stack(outputs, axis=-2)
    return stacked.reshape([*stacked.shape[:-2], *batch_shape, stacked.shape[-1]])


def border(size: int, reach: int, stride: int, padding: str | tuple[int, int]) -> tuple[int, int]:
    """Positions that a convolution adds before and after an axis; an odd total puts one more after, as TF does."""
    if not isinstance(padding, str):
        return padding
    if padding in ("VALID", "CAUSAL", "FULL"):
        return {"VALID": (0, 0), "CAUSAL": (reach - 1, 0), "FULL": (reach - 1, reach - 1)}[padding]
    if padding in ("SAME", "REFLECT", "SYMMETRIC"):
        num_outputs = -(-size // stride)
        total = max((num_outputs - 1) * stride + reach - size, 0)
        return total // 2, total - total // 2
    raise ValueError(f"Unknown padding. Received {padding!r}.")


def transposed_length(
    size: int, reach: int, stride: int, padding: str | tuple[int, int], output_padding: int | None
) -> tuple[int, int]:
    """Positions cut off before an axis of a transposed convolution, and the length that remains.

    The shortest output is the shortest input from which the convolution has `size` outputs; for SAME it is Keras', one
    shorter where the reach is even. Without `output_padding` SAME and CAUSAL give `size * stride`, and the others every
    position that a filter or a stride covers.
    """
    covered = (size - 1) * stride + reach
    if padding == "SAME":
        default, shortest = size * stride, (size - 1) * stride + reach % 2
        length = default if output_padding is None else shortest + output_padding
        return max(covered - length, 0) // 2, length
    if padding == "CAUSAL":  # an output depends on no later input, so it is the end that is cut off
        return 0, size * stride if output_padding is None else (size - 1) * stride + 1 + output_padding
    before, after = border(size, reach, stride, padding)
    more = max(stride - reach, 0) if output_padding is None else output_padding
    return before, covered + more - before - after


def _mirrored(at: int, size: int, padding: Padding) -> int:
    """The position of an axis that a padded position shows; zeros stay outside."""
    if padding not in ("REFLECT", "SYMMETRIC"):
        return at
    border_counts = padding == "SYMMETRIC"
    if at < 0:
        return -at - border_counts
    return at if at < size else 2 * (size - 1) - at + border_counts


def _grouped_product(x: np.ndarray, kernel: np.ndarray, groups: int) -> np.ndarray:
    """`[N, C_in]` times `[C_in / groups, C_out]`, group by group."""
    c_in, c_out = kernel.shape
    own = c_out // groups
    parts = [x[:, g * c_in : (g + 1) * c_in] @ kernel[:, g * own : (g + 1) * own] for g in range(groups)]
    return np.concatenate(parts, axis=-1)


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    return (value,) * rank if value is None or isinstance(value, int) else tuple(value)


def _each_axis(padding: Padding, rank: int) -> tuple[Any, ...]:
    return (padding,) * rank if isinstance(padding, str) else tuple(padding)

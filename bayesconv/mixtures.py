"""Mixtures over draws of the weights of densities of single real targets. NumPy arrays in and out.

`outputs` are those of all draws, `[S, N, P]`, and `weights` what each draw counts, `[S]`, adding up to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from bayesconv.likelihoods import Noise

_HALVINGS = 60  # of the bracket of a quantile: to the last bits of float64
_REACH = 7.0  # standard normals beyond it have a probability of 3e-12, which every family is cut at
_SMOOTH = (129, 257, 513, 1025, 2049)  # nodes of the quadrature of an entropy by a smooth change of variables
_NODES = 513  # of that over the quantiles of all parts, to begin with
_OF_A_PART = 257  # of them at the end
_TOLERANCE = 1e-3  # nats
_AT_A_TIME = 2**22  # numbers of an intermediate result
_OF_AN_EXAMPLE = 2**24  # of them for a single example: 128 MB


def cdf(noise: Noise, outputs: Any, weights: Any, values: Any) -> Any:
    """Probability of a target of at most `values` `[N, T]`, each by itself."""
    location, scale = noise.parameters(outputs)
    return np.tensordot(weights, noise.cdf((values - location) / scale), axes=1)


def quantile(noise: Noise, outputs: Any, weights: Any, level: float) -> Any:
    """The value that a target `[N, T]` stays below with probability `level`, by bisection of the mixture's CDF.

    The quantile of a mixture lies between the smallest and the largest of its parts'.
    """
    location, scale = noise.parameters(outputs)
    parts = location + scale * noise.quantile(level)
    low, high = parts.min(axis=0), parts.max(axis=0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        is_below = np.tensordot(weights, noise.cdf((middle - location) / scale), axes=1) < level
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return 0.5 * (low + high)


def entropy(noise: Noise, outputs: Any, weights: Any) -> Any:
    """Entropy of the mixture, `[N]` nats, by quadrature; NaN for several targets at once, whose mixture is joint.

    The trapezoidal rule, first over the image of even steps under a smooth map, where its error falls exponentially
    with the number of nodes; where parts that are narrow lie far apart that does not do, and nodes lie as densely as
    the parts' quantiles. They are doubled until that moves an entropy by less than 1e-3: right to 1e-3, with heavy
    tails and scales that differ by a factor of 100 as well. Of more than 256 parts that are so unlike the best estimate
    is given that 128 MB allow for an intermediate result.
    """
    location, scale = noise.parameters(outputs)
    if location.shape[-1] != 1:
        return np.full(location.shape[1], np.nan)
    counted = weights > 0.0
    location, scale, weights = location[counted, :, 0].T, scale[counted, :, 0].T, weights[counted]  # [N, S], and [S]
    found, moved, needed = (
        np.full(len(location), np.nan),
        np.full(len(location), np.inf),
        _needed(noise, location, scale),
    )
    for rule, count in _rules(scale.shape[1]):
        (chosen,) = np.nonzero((moved > _TOLERANCE) & ((rule is _quantiles) | (needed <= count)))
        if len(chosen):
            values, by = _in_portions(noise, location[chosen], scale[chosen], weights, rule, count)
            is_better = by < moved[chosen]
            found[chosen[is_better]], moved[chosen[is_better]] = values[is_better], by[is_better]
    return found


def _rules(num_parts: int) -> list[tuple[Callable[..., Any], int]]:
    """What to try one after the other: nodes and how many of them."""
    counts = [_NODES]
    while counts[-1] < _OF_A_PART * max(num_parts, 32) and 2 * counts[-1] * num_parts < _OF_AN_EXAMPLE:
        counts.append(2 * counts[-1] - 1)
    return [*((_mapped, count) for count in _SMOOTH), *((_quantiles, count) for count in counts)]


def _needed(noise: Noise, location: Any, scale: Any) -> Any:
    """How many even steps it takes for no part to be narrower than the steps around it, `[N]`.

    A part between two nodes would be missed, by half of them too, and the entropy seem to have settled.
    """
    steps, center, width = np.linspace(-_REACH, _REACH, _SMOOTH[-1]), *_frame(noise, location, scale)
    spread, slopes = _map(noise, steps)
    around = width * np.interp((location - center) / width, spread, slopes)
    return 2.0 * _REACH * (around / scale).max(axis=-1)


def _in_portions(noise: Noise, location: Any, scale: Any, weights: Any, rule: Any, count: int) -> Any:
    portion = max(1, _AT_A_TIME // (count * location.shape[1]))
    starts = range(0, len(location), portion)
    parts = [_entropy(noise, location[i : i + portion], scale[i : i + portion], weights, rule, count) for i in starts]
    return np.concatenate(parts, axis=1)


def _entropy(noise: Noise, location: Any, scale: Any, weights: Any, rule: Any, count: int) -> Any:
    """The entropy, and how far it is from that of half and a quarter of the nodes, `[2, N]`."""
    nodes, steps, slopes = rule(noise, location, scale, count)  # [N, J] each
    z = (nodes[:, :, np.newaxis] - location[:, np.newaxis]) / scale[:, np.newaxis]
    terms = noise.log_density(z) - np.log(scale)[:, np.newaxis] + np.log(weights)
    top = terms.max(axis=-1, keepdims=True)
    log_density = top[..., 0] + np.log(np.exp(terms - top).sum(axis=-1))
    values = -np.exp(log_density) * log_density * slopes
    found, half, quarter = (np.trapezoid(values[:, ::k], steps[:, ::k], axis=-1) for k in (1, 2, 4))
    # Two of three might agree by chance. Two halvings of the steps divide an error by 16 or more.
    return np.stack([found, np.maximum(np.abs(found - half), np.abs(half - quarter) / 16)])


def _mapped(noise: Noise, location: Any, scale: Any, count: int) -> tuple[Any, Any, Any]:
    """Nodes by the family's quantiles of even steps, shifted and stretched so that they reach beyond every part."""
    steps, center, width = np.linspace(-_REACH, _REACH, count), *_frame(noise, location, scale)
    spread, slopes = _map(noise, steps)
    return center + width * spread, steps[np.newaxis], width * slopes


def _map(noise: Noise, steps: Any) -> tuple[Any, Any]:
    """The family's values at quantiles of a standard normal, and how fast they grow with these."""
    spread = noise.quantile(special.ndtr(steps))
    return spread, np.exp(-0.5 * np.square(steps) - 0.5 * np.log(2.0 * np.pi) - noise.log_density(spread))


def _frame(noise: Noise, location: Any, scale: Any) -> tuple[Any, Any]:
    """A location and a scale of the family, `[N, 1]`, whose cut lies beyond that of every part."""
    center = 0.5 * (location.min(axis=-1) + location.max(axis=-1))[:, np.newaxis]
    reach = noise.quantile(special.ndtr(_REACH))
    return center, (scale + np.abs(location - center) / reach).max(axis=-1)[:, np.newaxis]


def _quantiles(noise: Noise, location: Any, scale: Any, count: int) -> tuple[Any, Any, float]:
    """`count` of the sorted quantiles of all parts, of which each has its own, so that equal parts share none."""
    num_parts = location.shape[1]
    steps = np.linspace(-_REACH, _REACH, max(65, 4 * count // num_parts))
    shifts = ((np.arange(num_parts) + 0.5) / num_parts - 0.5) * (steps[1] - steps[0])
    spread = noise.quantile(special.ndtr(steps + shifts[:, np.newaxis]))  # [S, ..]
    nodes = np.sort((location[..., np.newaxis] + scale[..., np.newaxis] * spread).reshape(len(location), -1), axis=-1)
    nodes = nodes[:, np.linspace(0, nodes.shape[1] - 1, count).round().astype(int)]
    return nodes, nodes, 1.0


def sample(noise: Noise, outputs: Any, count: int, seed: int) -> Any:
    """`count` targets of every draw, `[count * S, N, T]`; members of an ensemble count by their numbers of draws."""
    location, scale = noise.parameters(outputs)
    uniform = np.random.default_rng(seed).random((count, *location.shape))
    uniform = np.clip(uniform, np.finfo(float).tiny, None)
    return (location + scale * noise.quantile(uniform)).reshape(-1, *location.shape[1:])


def weighted_quantile(values: Any, weights: Any, level: float) -> Any:
    """Quantile over the first axis of `[S, ..]`: interpolated between draws that count equally, else one of them."""
    if np.ptp(weights) == 0.0:
        return np.quantile(values, level, axis=0)
    order = np.argsort(values, axis=0, kind="stable")
    reached = np.cumsum(weights[order], axis=0) >= level - 1e-12
    chosen = np.take_along_axis(order, reached.argmax(axis=0)[np.newaxis], axis=0)
    return np.take_along_axis(values, chosen, axis=0)[0]
